"""What events, consumers and dead letters look like to Python."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from shopflow.ids import ConsumerId, EventId, PaymentId, ProductId, RefundId, ShipmentId

ConsumerKind = Literal["webhook", "python"]


class OrderChange(msgspec.Struct, frozen=True):
    """`order.*`: the order right after it; `previous` is what the changed status was before."""

    order_number: str
    status: str
    payment_status: str
    fulfillment_status: str
    currency_code: str
    total_amount: Decimal
    previous: str | None = None


class PaymentChange(msgspec.Struct, frozen=True):
    """`payment.*`: the payment right after it."""

    payment_id: PaymentId
    status: str
    amount: Decimal
    captured_amount: Decimal


class RefundChange(msgspec.Struct, frozen=True):
    """`refund.*`: the refund right after it."""

    refund_id: RefundId
    payment_id: PaymentId
    status: str
    amount: Decimal


class ShipmentChange(msgspec.Struct, frozen=True):
    """`shipment.*`: the shipment right after it."""

    shipment_id: ShipmentId
    status: str
    carrier: str


class UserChange(msgspec.Struct, frozen=True):
    """`user.*`: nothing about the person but the role; the aggregate is the user."""

    role: str


class ReviewChange(msgspec.Struct, frozen=True):
    """`review.*`: what was rated, and with how many stars."""

    product_id: ProductId
    rating: int


class ProductChange(msgspec.Struct, frozen=True):
    """`product.*`: the product right after it; its stock is no part of it."""

    slug: str
    sku: str
    price: Decimal
    is_active: bool


Change = (
    OrderChange
    | PaymentChange
    | RefundChange
    | ShipmentChange
    | UserChange
    | ReviewChange
    | ProductChange
)
CHANGES: Mapping[str, type[Change]] = {
    "order": OrderChange,
    "payment": PaymentChange,
    "refund": RefundChange,
    "shipment": ShipmentChange,
    "user": UserChange,
    "review": ReviewChange,
    "product": ProductChange,
}


class Event(msgspec.Struct, frozen=True):
    """Something that happened in the shop.

    Attributes:
        id: the same each time the event is delivered: what a consumer has seen it knows by it.
        position: grows with each change of the same thing; two may be far apart.
        event_type: such as `order.placed`, see `types.EVENT_TYPES`.
        aggregate_type: what `aggregate_id` is: `order`, `user`, `review` or `product`.
        aggregate_id: whose events come one after the other; of a payment, refund or shipment it
            is the order.
        created_at: when it happened.
        payload: the JSON document.
        attempt: 1 the first time, more after a failure or a worker's death.
    """

    id: EventId
    position: int
    event_type: str
    aggregate_type: str
    aggregate_id: UUID
    created_at: datetime
    payload: bytes
    attempt: int

    @property
    def change(self) -> Change | None:
        """What happened, by the kind of event; None for kinds that a shop's own triggers write."""
        kind = CHANGES.get(self.event_type.partition(".")[0])
        return None if kind is None else msgspec.json.decode(self.payload, type=kind, strict=False)


class Consumer(msgspec.Struct, frozen=True):
    """Who is told what happens; `url` is None for a Python consumer.

    Attributes:
        pending: how many events it has yet to get.
        dead: how many it never got, and no longer will by itself.
    """

    id: ConsumerId
    name: str
    kind: ConsumerKind
    event_types: list[str]
    url: str | None
    is_active: bool
    inactive_reason: str | None
    created_at: datetime
    pending: int
    dead: int


class NewWebhook(msgspec.Struct, frozen=True):
    """A webhook with its secret, which is shown this once."""

    name: str
    url: str
    event_types: list[str]
    secret: str

    def __repr__(self) -> str:
        """Show it without the secret."""
        return f"NewWebhook(name={self.name!r})"


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that a consumer did not take in all its attempts.

    `last_status` is the HTTP status of the last answer, None when there was none.
    """

    consumer: str
    event_id: EventId
    event_type: str
    aggregate_type: str
    aggregate_id: UUID
    attempts: int
    last_status: int | None
    last_error: str | None
    finished_at: datetime
