"""What becomes of an order: its steps through the statuses, told by its age."""

from collections.abc import Iterator
from random import Random
from typing import Literal, NamedTuple

from shopflow.demo.chance import DAY_MS, HOUR_MS, NOW_MS, moment
from shopflow.demo.rows import Step

Fate = Literal["straight", "cancelled", "failed", "refunded", "partly", "returned"]

# By turns, so that even a small shop has every fate; most orders simply go through.
TURNS: dict[int, Fate] = {
    5: "cancelled",
    11: "refunded",
    17: "partly",
    23: "failed",
    29: "returned",
}
CYCLE = 30
ORDER_DAYS_MS = 2 * 365 * DAY_MS


def placed_at(random: Random, share: float) -> int:
    """Return when an order was placed: `share` 0 is now and 1 two years ago, with growing trade."""
    jitter = 0.98 + random.random() / 50
    return NOW_MS - HOUR_MS - int(share**2 * jitter * (ORDER_DAYS_MS - HOUR_MS))


class Course(NamedTuple):
    """An order's course: when each status began, in milliseconds, in order."""

    fate: Fate
    reached: dict[str, int]


def course(random: Random, turn: int, placed: int) -> Course:
    """Return how an order placed at `placed` has gone on until the demo's now."""
    fate = TURNS.get(turn % CYCLE, "straight")
    planned = {"pending": placed}
    if fate == "failed":
        planned["cancelled"] = placed + _within(random, 1, 24)
    else:
        planned["confirmed"] = placed + _within(random, 0.05, 12)
        if fate == "cancelled":
            planned["cancelled"] = planned["confirmed"] + _within(random, 0.5, 20)
        else:
            planned["processing"] = planned["confirmed"] + _within(random, 2, 30)
            if fate == "refunded":
                planned["refunded"] = planned["processing"] + _within(random, 2, 48)
            else:
                planned["shipped"] = planned["processing"] + _within(random, 4, 48)
                planned["delivered"] = planned["shipped"] + _within(random, 24, 120)
                if fate == "returned":
                    planned["refunded"] = planned["delivered"] + _within(random, 48, 400)
    return Course(fate, {status: at for status, at in planned.items() if at < NOW_MS})


def steps(order_id: str, way: Course, actor: str) -> Iterator[Step]:
    """Yield the steps of an order; what people in the shop do has an actor and often a reason."""
    payment, fulfillment = "unpaid", "unfulfilled"
    for status, at in way.reached.items():
        reason, by = None, None
        match status:
            case "confirmed":
                payment = "paid"
            case "processing":
                by = actor
            case "shipped":
                fulfillment, by = "fulfilled", actor
            case "delivered":
                if way.fate == "partly":
                    payment, reason = (
                        "partially_refunded",
                        "delivered; one item refunded as damaged",
                    )
            case "cancelled":
                reason = "payment failed" if way.fate == "failed" else "cancelled by the customer"
                if way.fate == "cancelled":
                    payment, by = "refunded", actor
            case "refunded":
                payment, by = "refunded", actor
                reason = "returned by the customer" if way.fate == "returned" else "not available"
                if way.fate == "returned":
                    fulfillment = "returned"
        yield Step(order_id, status, payment, fulfillment, reason, by, moment(at))


def _within(random: Random, low: float, high: float) -> int:
    """Between two numbers of hours, in milliseconds."""
    return int((low + random.random() * (high - low)) * HOUR_MS)
