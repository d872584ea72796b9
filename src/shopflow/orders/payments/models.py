"""What payment operations look like to Python."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shopflow.ids import OrderId, PaymentId, PaymentOperationId, RefundId
from shopflow.orders.payments.gateway import Kind
from shopflow.orders.states import PaymentStatus, Status

OperationStatus = Literal["pending", "unknown", "succeeded", "declined", "failed"]
State = Literal["pending", "authorized", "captured", "failed", "voided"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of an operation, and where that leaves its payment and order.

    Attributes:
        operation_id: the operation.
        payment_id: of what payment.
        refund_id: None unless it is a refund.
        order_id: of what order.
        kind: what was asked of the gateway.
        amount: how much of it.
        status: `succeeded`; `declined` by the gateway; `unknown`, when no answer came: recovery
            or a webhook will tell; `failed`, when recovery gave it up; `pending`, while another
            call is at it.
        error_code: why not, None for what succeeded or is pending.
        payment_status: of the payment, as it is now; `captured` from the first capture on.
        captured_amount: of the payment.
        voided_amount: of the payment.
        order_status: of the order, as it is now.
        order_payment_status: of the order, as it is now.
    """

    operation_id: PaymentOperationId
    payment_id: PaymentId
    refund_id: RefundId | None
    order_id: OrderId
    kind: Kind
    amount: Decimal
    status: OperationStatus
    error_code: str | None
    payment_status: State
    captured_amount: Decimal
    voided_amount: Decimal
    order_status: Status
    order_payment_status: PaymentStatus

    @property
    def succeeded(self) -> bool:
        """Whether the gateway did it."""
        return self.status == "succeeded"


class Call(msgspec.Struct, frozen=True):
    """An operation as its gateway is asked for it."""

    id: PaymentOperationId
    payment_id: PaymentId
    gateway: str
    kind: Kind
    amount: Decimal
    status: OperationStatus
    idempotency_key: str
    currency_code: str
    authorization: str
    order_status: Status
    attempted_at: datetime
