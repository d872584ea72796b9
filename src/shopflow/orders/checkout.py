"""From a cart to an order: stock taken, everything copied, the cart emptied; all or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import asdict, replace
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError, InvalidInputError, NotFoundError
from shopflow.ids import CartId, ProductId, ShippingMethodId, UserId, VariantId
from shopflow.money import rounded
from shopflow.orders.addresses import Address, check_address
from shopflow.orders.errors import (
    KEY_TAKEN,
    EmptyCartError,
    IdempotencyKeyTakenError,
    OutOfStockError,
    PriceChangedError,
    Shortage,
)
from shopflow.orders.models import PlacedOrder
from shopflow.orders.reading import QUERIES
from shopflow.orders.totals import ShippingPrice, charges_of, totals_of
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

LONGEST_KEY = LONGEST_EMAIL = 255
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is placed with.

    Attributes:
        cart_id: the cart to order.
        idempotency_key: the caller's own name for this order, 1 to 255 characters, new for each
            order and the same for each repetition; keys are the whole shop's.
        shipping_address: where it goes.
        billing_address: None for the same.
        shipping_method_id: None for an order that is not charged for shipping.
        customer_email: None for that of the cart's user; guests have to give one.
        expected_total: what the customer was shown; None accepts the prices of now.
        currency_code: ISO 4217, what the prices are in; None for the setting of this name.
    """

    cart_id: CartId
    idempotency_key: str
    shipping_address: Address
    billing_address: Address | None = None
    shipping_method_id: ShippingMethodId | None = None
    customer_email: str | None = None
    expected_total: Decimal | None = None
    currency_code: str | None = None


class _Line(msgspec.Struct, frozen=True):
    product_id: ProductId
    variant_id: VariantId | None
    product_name: str
    variant_name: str | None
    sku: str
    quantity: int
    unit_price: Decimal
    image_url: str | None
    track_inventory: bool
    available: int | None

    @property
    def subtotal(self) -> Decimal:
        return rounded(self.quantity * self.unit_price)


class _Found(msgspec.Struct, frozen=True):
    user_id: UserId | None
    user_email: str | None
    shipping: ShippingPrice | None
    lines: tuple[_Line, ...]


class _PlacedBefore(PlacedOrder, frozen=True):
    same_request: bool


def fingerprint(checkout: Checkout) -> bytes:
    """Return the SHA-256 of a checkout without its key: the same for an equal one, only.

    A field that is None is left out, so that one added later does not change it.
    """
    total = checkout.expected_total
    request = asdict(checkout) | {
        "idempotency_key": None,
        # 40 and 40.00 are the same total.
        "expected_total": total if total is None else total.normalize(),
    }
    given = {name: value for name, value in request.items() if value is not None}
    return sha256(msgspec.json.encode(given, order="sorted")).digest()


async def place_order(pool: Pool, checkout: Checkout) -> PlacedOrder:
    """Order what is in the cart at the prices of now, in one transaction.

    Stock is taken, names, prices, images and addresses are copied into the order, and the cart is
    emptied; or nothing happens. Stock never goes below zero, a cart is ordered once however many
    check it out, and an order once for each idempotency key: repeating the same checkout returns
    that order. Waits for others who are ordering the same products.

    Raises:
        IdempotencyKeyTakenError: when another checkout was done with this key.
        EmptyCartError: when there is nothing in the cart.
        OutOfStockError: with every line that cannot be filled.
        PriceChangedError: when it does not come to `expected_total`.
        NotFoundError: when there is no such cart, or the shipping method is not offered for the
            shipping address.
        InvalidInputError: for an address, key, e-mail address, total or currency that cannot be.
        TransactionConflictError: when others got in the way too often; nothing was changed.
        CommitOutcomeUnknownError: when the connection was lost in the end: repeat it with the same
            key.
    """
    if checkout.currency_code is None:
        checkout = replace(checkout, currency_code=pool.settings.currency_code)
    _check(checkout)
    try:
        return await run_transaction(pool, lambda connection: _place(connection, checkout))
    except ConstraintViolatedError as error:
        if error.constraint != KEY_TAKEN:
            raise
        # Since we looked; that order is committed now.
        async with pool.connection() as connection:
            placed = await _placed_before(connection, checkout)
        if placed is None:
            raise
        return placed


async def _place(connection: AsyncConnection[Any], checkout: Checkout) -> PlacedOrder:
    cart_id = checkout.cart_id
    locked = await QUERIES["lock_cart"].execute(connection, cart_id=cart_id)
    placed = await _placed_before(connection, checkout)
    if placed is not None:
        return placed
    if not locked:
        raise NotFoundError("cart", cart_id)
    await QUERIES["lock_stock"].execute(connection, cart_id=cart_id)
    found = await _read(connection, checkout)
    _check_stock(found.lines)
    return await _write(connection, checkout, found)


async def _placed_before(
    connection: AsyncConnection[Any], checkout: Checkout
) -> PlacedOrder | None:
    found = await QUERIES["get_placed_order"].row(
        connection,
        _PlacedBefore,
        idempotency_key=checkout.idempotency_key,
        fingerprint=fingerprint(checkout),
    )
    if found is None:
        return None
    if not found.same_request:
        raise IdempotencyKeyTakenError(checkout.idempotency_key)
    return msgspec.convert(found, PlacedOrder, from_attributes=True)


async def _read(connection: AsyncConnection[Any], checkout: Checkout) -> _Found:
    found = await QUERIES["read_checkout"].document(
        connection,
        _Found,
        cart_id=checkout.cart_id,
        shipping_method_id=checkout.shipping_method_id,
        country_code=checkout.shipping_address.country_code,
        state=checkout.shipping_address.state,
    )
    if found is None:
        raise NotFoundError("cart", checkout.cart_id)
    if not found.lines:
        raise EmptyCartError
    if checkout.shipping_method_id is not None and found.shipping is None:
        raise NotFoundError("shipping method for this address", checkout.shipping_method_id)
    return found


def _check_stock(lines: Iterable[_Line]) -> None:
    shortages = [
        Shortage(line.product_id, line.variant_id, line.sku, line.quantity, line.available)
        for line in lines
        if line.available is not None and line.available < line.quantity
    ]
    if shortages:
        raise OutOfStockError(shortages)


async def _write(
    connection: AsyncConnection[Any], checkout: Checkout, found: _Found
) -> PlacedOrder:
    totals = totals_of(charges_of((line.subtotal for line in found.lines), None, found.shipping))
    expected = checkout.expected_total
    if expected is not None and expected != totals.total_amount:
        raise PriceChangedError(expected, totals.total_amount)
    email = checkout.customer_email or found.user_email
    if email is None:
        raise InvalidInputError("customer_email", None, "a guest has to give one")
    await QUERIES["explain_change"].execute(connection, actor=found.user_id, reason=None)
    (placed,) = await QUERIES["write_order"].rows(
        connection,
        PlacedOrder,
        cart_id=checkout.cart_id,
        user_id=found.user_id,
        customer_email=email,
        currency_code=checkout.currency_code,
        idempotency_key=checkout.idempotency_key,
        fingerprint=fingerprint(checkout),
        lines=_json([asdict(line) | {"subtotal": line.subtotal} for line in found.lines]),
        addresses=_json(_addresses(checkout)),
        subtotal=totals.subtotal,
        discount_amount=totals.discount_amount,
        shipping_amount=totals.shipping_amount,
        tax_amount=totals.tax_amount,
        total_amount=totals.total_amount,
    )
    return placed


def _addresses(checkout: Checkout) -> list[dict[str, str | None]]:
    shipping = checkout.shipping_address
    billing = checkout.billing_address or shipping
    return [
        {"address_type": "shipping", **asdict(shipping)},
        {"address_type": "billing", **asdict(billing)},
    ]


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()


def _check(checkout: Checkout) -> None:
    check_text("idempotency_key", checkout.idempotency_key, LONGEST_KEY)
    currency, expected = checkout.currency_code, checkout.expected_total
    if currency is not None and not _CURRENCY_CODE.fullmatch(currency):
        raise InvalidInputError("currency_code", currency, "must be three capitals, such as EUR")
    if expected is not None and not expected.is_finite():
        raise InvalidInputError("expected_total", expected, "is not an amount of money")
    if checkout.customer_email is not None:
        _check_email(checkout.customer_email)
    check_address("shipping_address", checkout.shipping_address)
    if checkout.billing_address is not None:
        check_address("billing_address", checkout.billing_address)


def _check_email(email: str) -> None:
    check_text("customer_email", email, LONGEST_EMAIL)
    if not _EMAIL.fullmatch(email):
        raise InvalidInputError("customer_email", email, "is not an e-mail address")
