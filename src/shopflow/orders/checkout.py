"""What an order is placed with, and what of it is refused before the database is asked."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from shopflow.errors import InvalidInputError
from shopflow.ids import CartId, ShippingMethodId
from shopflow.money import is_amount
from shopflow.orders.addresses import Address, check_address
from shopflow.orders.requests import LONGEST_KEY, check_id, fingerprint_of
from shopflow.text import check_email, check_text

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


def fingerprint(checkout: Checkout) -> bytes:
    """Return the SHA-256 of a checkout without its key: the same for an equal one, only."""
    total = checkout.expected_total
    # 40 and 40.00 are the same total.
    return fingerprint_of(
        checkout,
        idempotency_key=None,
        expected_total=total if total is None else total.normalize(),
    )


def check_checkout(checkout: Checkout, currency_code: str) -> Checkout:
    """Refuse a checkout that cannot be; return it with the shop's currency where it names none.

    Raises:
        InvalidInputError: naming the field.
    """
    if checkout.currency_code is None:
        checkout = replace(checkout, currency_code=currency_code)
    _check(checkout)
    return checkout


def _check(checkout: Checkout) -> None:
    check_id("cart_id", checkout.cart_id)
    check_id("shipping_method_id", checkout.shipping_method_id)
    check_text("idempotency_key", checkout.idempotency_key, LONGEST_KEY)
    currency, expected = checkout.currency_code, checkout.expected_total
    if currency is not None and not _CURRENCY_CODE.fullmatch(currency):
        raise InvalidInputError("currency_code", currency, "must be three capitals, such as EUR")
    if expected is not None and not is_amount(expected):
        raise InvalidInputError("expected_total", expected, "is not an amount of money: a Decimal")
    if checkout.customer_email is not None:
        check_email("customer_email", checkout.customer_email)
    check_address("shipping_address", checkout.shipping_address)
    if checkout.billing_address is not None:
        check_address("billing_address", checkout.billing_address)
