"""Placing the orders of several carts together: one reading round trip, one writing one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, assert_never

import msgspec
import psycopg
from msgspec.structs import asdict
from psycopg import AsyncConnection

from shopflow.errors import (
    CommitOutcomeUnknownError,
    InvalidInputError,
    ServerError,
    ShopflowError,
)
from shopflow.ids import CartId, OrderId
from shopflow.orders.checkout import Checkout, fingerprint
from shopflow.orders.errors import (
    IdempotencyKeyTakenError,
    OutOfStockError,
    PriceChangedError,
    Shortage,
)
from shopflow.orders.models import PlacedOrder
from shopflow.orders.quoting import Quote, QuoteRequest, quote_all
from shopflow.orders.reading import QUERIES
from shopflow.orders.states import Status
from shopflow.orders.taxes import Taxes
from shopflow.promotions.errors import CouponRefusedError
from shopflow.promotions.models import Coupon

Outcome = Literal[
    "placed",
    "repeated",
    "key taken",
    "no cart",
    "busy",
    "changed",
    "short",
    "coupon used up",
    "again",
]


class Again(msgspec.Struct, frozen=True):
    """Nothing was ordered, and the same checkout is to be tried again.

    Attributes:
        in_turn: it was refused for what somebody ahead of it wanted, who was refused as well: so it
            is next. Otherwise its cart is held by somebody else, or it or a price changed after it
            was read.
    """

    in_turn: bool = False


Answer = PlacedOrder | ShopflowError | Again


class _Result(msgspec.Struct, frozen=True):
    """What place_orders() says of one request."""

    n: int
    outcome: Outcome
    shortages: bytes | None
    id: OrderId | None
    order_number: str | None
    status: Status | None
    currency_code: str | None
    total_amount: Decimal | None
    placed_at: datetime | None


class _Cart(msgspec.Struct, frozen=True):
    id: CartId
    is_free: bool


class _PlacedBefore(PlacedOrder, frozen=True):
    idempotency_key: str
    idempotency_fingerprint: bytes | None


async def place_together(
    connection: AsyncConnection[Any],
    checkouts: Sequence[Checkout],
    taxes: Taxes,
    *,
    patient: bool,
) -> list[Answer]:
    """Order these carts in one transaction, and answer each checkout in their order.

    The first come first: what is in stock, and what is left of a coupon, goes to the earlier ones.
    An error in an answer is that checkout's own.

    Args:
        connection: in autocommit.
        checkouts: checked, of different carts and with different keys.
        taxes: how the shop taxes.
        patient: whether to wait for a cart that somebody else holds.

    Raises:
        CommitOutcomeUnknownError: when the connection was lost while they were placed.
        ShopflowError, psycopg.Error: when they failed as a whole, and nothing was ordered.
    """
    answers: dict[int, Answer] = {}
    orders: list[dict[str, object]] = []
    quotes = await quote_all(connection, [_quote_request(each) for each in checkouts], taxes)
    for n, (checkout, quote) in enumerate(zip(checkouts, quotes, strict=True)):
        order = quote if isinstance(quote, ShopflowError) else _order(n, checkout, quote)
        if isinstance(order, ShopflowError):
            answers[n] = order
        else:
            orders.append(order)
    if answers:
        refused = {n: checkouts[n] for n in answers}
        answers |= await _not_refused(connection, refused, patient=patient)
    if orders:
        for result in await _place(connection, orders, patient=patient):
            quote = quotes[result.n]
            answers[result.n] = _answer(checkouts[result.n], quote, result)
    return [answers[n] for n in range(len(checkouts))]


async def _place(
    connection: AsyncConnection[Any], orders: list[dict[str, object]], *, patient: bool
) -> list[_Result]:
    try:
        return await QUERIES["place_orders"].rows(
            connection, _Result, batch=msgspec.json.encode(orders).decode(), patient=patient
        )
    except (psycopg.Error, ServerError) as error:
        if connection.closed:
            raise CommitOutcomeUnknownError from error
        raise


async def _not_refused(
    connection: AsyncConnection[Any], refused: dict[int, Checkout], *, patient: bool
) -> dict[int, Answer]:
    """Find those that are refused now because they were placed before, or just are being placed."""
    free = QUERIES["wait_for_carts" if patient else "find_free_carts"]
    found = await free.rows(connection, _Cart, cart_ids=[c.cart_id for c in refused.values()])
    carts = {each.id: each.is_free for each in found}
    answers: dict[int, Answer] = {
        n: Again() for n, checkout in refused.items() if not carts.get(checkout.cart_id, True)
    }
    # A statement of its own, which sees what was waited for.
    return answers | await _placed_before(connection, refused)


async def _placed_before(
    connection: AsyncConnection[Any], checkouts: dict[int, Checkout]
) -> dict[int, Answer]:
    found = await QUERIES["get_placed_orders"].rows(
        connection, _PlacedBefore, idempotency_keys=[c.idempotency_key for c in checkouts.values()]
    )
    placed = {each.idempotency_key: each for each in found}
    answers: dict[int, Answer] = {}
    for n, checkout in checkouts.items():
        before = placed.get(checkout.idempotency_key)
        if before is None:
            continue
        if before.idempotency_fingerprint == fingerprint(checkout):
            answers[n] = msgspec.convert(before, PlacedOrder, from_attributes=True)
        else:
            answers[n] = IdempotencyKeyTakenError(checkout.idempotency_key)
    return answers


def _quote_request(checkout: Checkout) -> QuoteRequest:
    return QuoteRequest(
        cart_id=checkout.cart_id,
        shipping_method_id=checkout.shipping_method_id,
        country_code=checkout.shipping_address.country_code,
        state=checkout.shipping_address.state,
    )


def _order(n: int, checkout: Checkout, quote: Quote) -> dict[str, object] | ShopflowError:
    """Return what place_orders() is given for this cart, or why it cannot be ordered."""
    expected, totals = checkout.expected_total, quote.totals
    if quote.shortages:
        return OutOfStockError(quote.shortages)
    if expected is not None and expected != totals.total_amount:
        return PriceChangedError(expected, totals.total_amount, quote.price_changes)
    email = checkout.customer_email or quote.user_email
    if email is None:
        return InvalidInputError("customer_email", None, "a guest has to give one")
    return {
        "n": n,
        "cart_id": checkout.cart_id,
        "user_id": quote.user_id,
        "idempotency_key": checkout.idempotency_key,
        "fingerprint": fingerprint(checkout).hex(),
        "customer_email": email,
        "currency_code": checkout.currency_code,
        "coupon_id": quote.coupon_id,
        "coupon_code": quote.coupon_code,
        **_terms(quote.coupon),
        "saved": totals.saved,
        "subtotal": totals.subtotal,
        "discount_amount": totals.discount_amount,
        "shipping_amount": totals.shipping_amount,
        "tax_amount": totals.tax_amount,
        "included_tax_amount": totals.included_tax_amount,
        "total_amount": totals.total_amount,
        "lines": [
            {
                "product_id": line.product_id,
                "variant_id": line.variant_id,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "discount_amount": line.discount_amount,
                "tax_amount": line.tax_amount,
                "tax_included": line.tax_included,
            }
            for line in quote.lines
        ],
        "addresses": _addresses(checkout),
    }


def _terms(coupon: Coupon | None) -> dict[str, object]:
    """Return what a coupon is worth: another worth is priced again."""
    if coupon is None:
        return {}
    names = ("discount_type", "discount_value", "min_order", "max_discount")
    return {name: getattr(coupon, name) for name in names}


def _addresses(checkout: Checkout) -> list[dict[str, str | None]]:
    shipping = checkout.shipping_address
    billing = checkout.billing_address or shipping
    return [
        {"address_type": "shipping", **asdict(shipping)},
        {"address_type": "billing", **asdict(billing)},
    ]


def _answer(checkout: Checkout, quote: Quote | ShopflowError, result: _Result) -> Answer:
    match result.outcome:
        case "placed" | "repeated":
            return msgspec.convert(result, PlacedOrder, from_attributes=True)
        case "key taken":
            return IdempotencyKeyTakenError(checkout.idempotency_key)
        case "short":
            return OutOfStockError(
                msgspec.json.decode(result.shortages or b"[]", type=list[Shortage])
            )
        case "coupon used up":
            return CouponRefusedError("used up", _coupon_code(quote))
        case "busy" | "no cart" | "changed":
            return Again()
        case "again":
            return Again(in_turn=True)
        case _:
            assert_never(result.outcome)


def _coupon_code(quote: Quote | ShopflowError) -> str:
    return "" if isinstance(quote, ShopflowError) else quote.coupon_code or ""
