"""What payments and refunds refuse."""

from __future__ import annotations

from functools import partial

from shopflow.errors import ConstraintViolatedError, ShopflowError
from shopflow.postgres import failures


class PaymentRefusedError(ShopflowError):
    """A payment cannot do this now; nothing was asked of the gateway."""


class PaymentAmountError(PaymentRefusedError):
    """It is more than there is to pay, capture or refund; nothing was asked of the gateway."""


class PaymentKeyTakenError(ShopflowError):
    """Another payment operation has this idempotency key; nothing was asked of the gateway.

    Attributes:
        idempotency_key: the key.
    """

    def __init__(self, idempotency_key: str) -> None:
        super().__init__(
            f"idempotency key {idempotency_key!r} has been used for another payment operation,"
            " nothing was done: a new operation needs a new key"
        )
        self.idempotency_key = idempotency_key


class WebhookRefusedError(ShopflowError):
    """A webhook is not what the gateway sent, or is too old; it was not looked at."""


KEY_TAKEN = "payment_operations_idempotency_key_key"

failures.register(
    {
        "payment_operations_within_amount": PaymentAmountError,
        "payment_operations_authorized": PaymentRefusedError,
        "payments_within_total": PaymentAmountError,
        "payments_order_not_cancelled": PaymentRefusedError,
        "refunds_within_captured": PaymentAmountError,
        "refunds_payment_captured": PaymentRefusedError,
        # Only the caller knows the key.
        KEY_TAKEN: partial(ConstraintViolatedError, KEY_TAKEN),
    }
)
