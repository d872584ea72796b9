"""What an order looks like to Python (§4.4)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shopflow.ids import (
    OrderAddressId,
    OrderId,
    OrderItemId,
    OrderNoteId,
    PaymentId,
    ProductId,
    RefundId,
    ReturnId,
    ShipmentId,
    UserId,
    VariantId,
)
from shopflow.orders.states import FulfillmentStatus, PaymentStatus, Status


class Customer(msgspec.Struct, frozen=True):
    """The account that ordered."""

    id: UserId
    email: str
    first_name: str
    last_name: str


class OrderItem(msgspec.Struct, frozen=True):
    """A line of an order, with name, price and image as they were when it was placed.

    `tax_included` says that the price contains `tax_amount`; otherwise it was added.
    """

    id: OrderItemId
    product_id: ProductId
    variant_id: VariantId | None
    product_name: str
    variant_name: str | None
    sku: str
    quantity: int
    unit_price: Decimal
    subtotal: Decimal
    discount_amount: Decimal
    tax_amount: Decimal
    tax_included: bool
    fulfilled_quantity: int
    returned_quantity: int
    image_url: str | None


class OrderAddress(msgspec.Struct, frozen=True):
    """An address as it was when the order was placed."""

    id: OrderAddressId
    type: Literal["shipping", "billing"]
    first_name: str
    last_name: str
    address_line_1: str
    address_line_2: str | None
    city: str
    state: str | None
    postal_code: str
    country_code: str


class ShipmentItem(msgspec.Struct, frozen=True):
    """How many pieces of a line are in a parcel."""

    order_item_id: OrderItemId
    quantity: int


class Shipment(msgspec.Struct, frozen=True):
    """A parcel of an order; one that was lost or came back was sent all the same."""

    id: ShipmentId
    carrier: str
    tracking_number: str | None
    status: Literal["pending", "shipped", "in_transit", "delivered", "returned", "lost"]
    estimated_delivery: date | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    items: tuple[ShipmentItem, ...]


class ReturnItem(msgspec.Struct, frozen=True):
    """How many pieces of a line came back, and whether they are sold again."""

    order_item_id: OrderItemId
    quantity: int
    restock: bool


class Return(msgspec.Struct, frozen=True):
    """Goods that came back; `refund_amount` is what they are worth, not what was paid back.

    `refunded_elsewhere` says that it is given back in another way than by refunds.
    """

    id: ReturnId
    reason: str | None
    refund_amount: Decimal
    refunded_elsewhere: bool
    created_by: UserId | None
    created_at: datetime
    items: tuple[ReturnItem, ...]


class Payment(msgspec.Struct, frozen=True):
    """A payment: `amount` was asked for, `captured_amount` was taken."""

    id: PaymentId
    method: str
    status: Literal["pending", "authorized", "captured", "failed", "voided"]
    amount: Decimal
    captured_amount: Decimal
    captured_at: datetime | None
    card_brand: str | None
    card_last_four: str | None


class Refund(msgspec.Struct, frozen=True):
    """Money given back of a payment."""

    id: RefundId
    payment_id: PaymentId
    amount: Decimal
    status: Literal["pending", "succeeded", "failed"]
    reason: str | None
    created_at: datetime


class StatusChange(msgspec.Struct, frozen=True):
    """A step in the life of an order: why (`notes`) and by whom, None for the shop itself."""

    status: Status
    notes: str | None
    created_by: UserId | None
    created_at: datetime


class OrderNote(msgspec.Struct, frozen=True):
    """What the shop noted about an order; `created_by` is None for the shop itself."""

    id: OrderNoteId
    note: str
    created_by: UserId | None
    created_at: datetime


class Order(msgspec.Struct, frozen=True):
    """An order with all its details (§4.4).

    `customer` is None for guests and deleted users. `shipment` and `payment` are the latest, None
    without any. All lists come in the order in which they were written, the shipping address
    before the billing address.
    """

    id: OrderId
    user_id: UserId | None
    order_number: str
    status: Status
    payment_status: PaymentStatus
    fulfillment_status: FulfillmentStatus
    currency_code: str
    subtotal: Decimal
    tax_amount: Decimal
    included_tax_amount: Decimal
    shipping_amount: Decimal
    discount_amount: Decimal
    total_amount: Decimal
    customer_email: str
    coupon_code: str | None
    idempotency_key: str | None
    placed_at: datetime
    created_at: datetime
    updated_at: datetime
    customer: Customer | None
    items: tuple[OrderItem, ...]
    addresses: tuple[OrderAddress, ...]
    shipment: Shipment | None
    shipments: tuple[Shipment, ...]
    returns: tuple[Return, ...]
    payment: Payment | None
    payments: tuple[Payment, ...]
    refunds: tuple[Refund, ...]
    status_history: tuple[StatusChange, ...]
    notes: tuple[OrderNote, ...]


class PlacedOrder(msgspec.Struct, frozen=True):
    """What the checkout answers with."""

    id: OrderId
    order_number: str
    status: Status
    currency_code: str
    total_amount: Decimal
    placed_at: datetime
