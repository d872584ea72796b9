"""Payments and refunds of orders, through gateways (§2.4)."""

from shopflow.orders.payments.errors import (
    PaymentAmountError,
    PaymentKeyTakenError,
    PaymentRefusedError,
    WebhookRefusedError,
)
from shopflow.orders.payments.gateway import (
    Declined,
    Gateway,
    GatewayEvent,
    Gateways,
    Kind,
    Result,
    Succeeded,
    Unknown,
)
from shopflow.orders.payments.manual import Manual
from shopflow.orders.payments.models import OperationStatus, Outcome, State
from shopflow.orders.payments.recovery import Action, Recovered, Recovery, WaitingEvent
from shopflow.orders.payments.sandbox import Sandbox
from shopflow.orders.payments.webhooks import Receipt

__all__ = [
    "Action",
    "Declined",
    "Gateway",
    "GatewayEvent",
    "Gateways",
    "Kind",
    "Manual",
    "OperationStatus",
    "Outcome",
    "PaymentAmountError",
    "PaymentKeyTakenError",
    "PaymentRefusedError",
    "Receipt",
    "Recovered",
    "Recovery",
    "Result",
    "Sandbox",
    "State",
    "Succeeded",
    "Unknown",
    "WaitingEvent",
    "WebhookRefusedError",
]
