"""What happened in the shop, told to others: outbox, consumers, webhooks and the worker."""

from shopflow.events.errors import ConsumerNameTakenError
from shopflow.events.jobs import Job
from shopflow.events.models import (
    Change,
    Consumer,
    ConsumerKind,
    DeadLetter,
    Event,
    NewWebhook,
    OrderChange,
    PaymentChange,
    ProductChange,
    RefundChange,
    ReviewChange,
    ShipmentChange,
    UserChange,
)
from shopflow.events.signing import SignatureError, verify
from shopflow.events.worker import Done, Handler, Worker

__all__ = [
    "Change",
    "Consumer",
    "ConsumerKind",
    "ConsumerNameTakenError",
    "DeadLetter",
    "Done",
    "Event",
    "Handler",
    "Job",
    "NewWebhook",
    "OrderChange",
    "PaymentChange",
    "ProductChange",
    "RefundChange",
    "ReviewChange",
    "ShipmentChange",
    "SignatureError",
    "UserChange",
    "Worker",
    "verify",
]
