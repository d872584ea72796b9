"""What an order costs, how it was paid and what was paid back."""

from datetime import datetime
from decimal import Decimal
from random import Random
from typing import NamedTuple

from shopflow.demo.chance import between, key, moment, pick
from shopflow.demo.fates import REASONS, Course
from shopflow.demo.rows import Coupon, Method, Order, OrderItem, Payment, Refund
from shopflow.demo.vocabulary import vocabulary
from shopflow.money import ZERO, rounded

TAX_RATE = Decimal("0.08")
METHODS = ("card", "card", "card", "paypal", "bank_transfer")


class Amounts(NamedTuple):
    """What an order comes to."""

    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    discount: Decimal

    @property
    def total(self) -> Decimal:
        """What the customer pays, as the constraint on orders has it."""
        return self.subtotal + self.tax + self.shipping - self.discount


def amounts(subtotal: Decimal, method: Method, coupon: Coupon | None, at: datetime) -> Amounts:
    """Return what lines of `subtotal` come to; a coupon that is not valid takes nothing off."""
    free = method.free_above is not None and subtotal >= method.free_above
    shipping = ZERO if free else method.price
    if coupon is None or not _valid(coupon, subtotal, at):
        return Amounts(subtotal, rounded(subtotal * TAX_RATE), shipping, ZERO)
    if coupon.discount_type == "free_shipping":
        return Amounts(subtotal, rounded(subtotal * TAX_RATE), shipping, shipping)
    discount = coupon.discount_value
    if coupon.discount_type == "percentage":
        discount = rounded(subtotal * coupon.discount_value / 100)
    discount = min(discount, subtotal, coupon.max_discount or subtotal)
    return Amounts(subtotal, rounded((subtotal - discount) * TAX_RATE), shipping, discount)


def payment(random: Random, order: Order, way: Course) -> Payment:
    """Return how an order was paid: taken once it was confirmed, waited for before that."""
    paid = way.reached.get("confirmed")
    method = pick(random, METHODS)
    card = method == "card"
    status = "failed" if "cancelled" in way.reached else "pending"
    updated = moment(paid or way.reached.get("cancelled") or way.reached["pending"])
    return Payment(
        id=key(random, way.reached["pending"]),
        order_id=order.id,
        amount=order.total_amount,
        captured_amount=order.total_amount if paid else ZERO,
        status="captured" if paid else status,
        payment_method=method,
        card_brand=pick(random, vocabulary().card_brands) if card else None,
        card_last_four=f"{between(random, 0, 9999):04d}" if card else None,
        captured_at=moment(paid) if paid else None,
        created_at=order.placed_at,
        updated_at=updated,
    )


def refunds(random: Random, paid: Payment, way: Course, items: list[OrderItem]) -> list[Refund]:
    """Return what was paid back: all of it, or one piece of the first line."""
    status = "delivered" if way.fate == "partly" else "refunded"
    if way.fate == "cancelled":
        status = "cancelled"
    reason = REASONS.get((way.fate, status))
    at = way.reached.get(status)
    if at is None or reason is None or not paid.captured_amount:
        return []
    amount = paid.captured_amount
    if way.fate == "partly":
        amount = min(items[0].unit_price, amount)
    when = moment(at)
    return [Refund(key(random, at), paid.id, amount, "succeeded", reason, when, when)]


def _valid(coupon: Coupon, subtotal: Decimal, at: datetime) -> bool:
    return (
        (coupon.min_order is None or subtotal >= coupon.min_order)
        and (coupon.starts_at is None or coupon.starts_at <= at)
        and (coupon.expires_at is None or at < coupon.expires_at)
    )
