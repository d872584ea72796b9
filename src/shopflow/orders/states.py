"""The states of an order and the steps between them; the database keeps the same table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Status = Literal[
    "pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "refunded"
]
PaymentStatus = Literal[
    "unpaid", "authorized", "partially_paid", "paid", "partially_refunded", "refunded"
]
FulfillmentStatus = Literal[
    "unfulfilled", "partially_fulfilled", "fulfilled", "partially_returned", "returned"
]

# As order_status_steps() in the database, which refuses every other step.
STEPS: Mapping[Status, frozenset[Status]] = {
    "pending": frozenset({"confirmed", "cancelled"}),
    "confirmed": frozenset({"processing", "cancelled", "refunded"}),
    "processing": frozenset({"shipped", "cancelled", "refunded"}),
    "shipped": frozenset({"delivered", "refunded"}),
    "delivered": frozenset({"refunded"}),
    "cancelled": frozenset({"refunded"}),
    "refunded": frozenset(),
}


def may_step(before: Status, after: Status) -> bool:
    """Return whether an order may go from `before` to `after` in one step."""
    return after in STEPS[before]
