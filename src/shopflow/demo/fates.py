"""What becomes of an order: its steps through the statuses, told by its age."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal, NamedTuple

from shopflow.demo.chance import DAY_MS, HOUR_MS, NOW_MS, between, moment
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
REASONS: dict[tuple[Fate, str], str] = {
    ("cancelled", "cancelled"): "cancelled by the customer",
    ("failed", "cancelled"): "the payment failed",
    ("refunded", "refunded"): "not available",
    ("returned", "refunded"): "returned by the customer",
    ("partly", "delivered"): "one item was damaged",
}
# The newest orders stand still, a day apart, so that there is one in every state.
STANDING = ("pending", "confirmed", "processing", "shipped")
BY_STAFF = {"processing", "shipped", "refunded"}
# What an order has to be before its goods are sent, and what ends it before that.
BEFORE_SENDING = {"pending", "confirmed", "processing", "cancelled"}
ORDER_DAYS_MS = 2 * 365 * DAY_MS
# UTC. What the warehouse and the carrier do is done in rounds, once a day for all that waits:
# so it is in such shops, and one statement then takes all those orders a step further.
PACKING_HOUR, PICKUP_HOUR, DELIVERY_HOUR = 8, 16, 19


class Course(NamedTuple):
    """An order's course: when each status began, in milliseconds, in order."""

    fate: Fate
    reached: dict[str, int]


def course(random: Random, number: int, orders: int) -> Course:
    """Return how the order of this number has gone; the highest of `orders` is the newest."""
    newer = orders - 1 - number
    if newer < len(STANDING):
        planned = _planned(random, "straight", NOW_MS - newer * DAY_MS - HOUR_MS)
        return Course("straight", {each: planned[each] for each in STANDING[: newer + 1]})
    fate = TURNS.get(number % CYCLE, "straight")
    # Squared: trade grows.
    share = ((newer + random.random()) / orders) ** 2
    planned = _planned(random, fate, NOW_MS - HOUR_MS - int(share * ORDER_DAYS_MS))
    return Course(fate, {status: at for status, at in planned.items() if at < NOW_MS})


def _planned(random: Random, fate: Fate, placed: int) -> dict[str, int]:
    """When each status would begin, in order."""
    planned = {"pending": placed}
    if fate == "failed":
        planned["cancelled"] = placed + _within(random, 1, 24)
        return planned
    planned["confirmed"] = placed + _within(random, 0.05, 12)
    if fate == "cancelled":
        planned["cancelled"] = planned["confirmed"] + _within(random, 0.5, 20)
        return planned
    planned["processing"] = _round(planned["confirmed"], PACKING_HOUR)
    if fate == "refunded":
        planned["refunded"] = planned["processing"] + _within(random, 2, 48)
        return planned
    planned["shipped"] = _round(planned["processing"], PICKUP_HOUR)
    days = between(random, 1, 4)
    planned["delivered"] = _round(planned["shipped"], DELIVERY_HOUR) + days * DAY_MS
    if fate == "returned":
        planned["refunded"] = planned["delivered"] + _within(random, 48, 400)
    return planned


def steps(order_id: str, way: Course, staff: Sequence[str]) -> Iterator[Step]:
    """Yield the steps of an order; what people in the shop do has an actor, another each day."""
    for status, at in way.reached.items():
        yield Step(
            order_id=order_id,
            status=status,
            reason=REASONS.get((way.fate, status)),
            actor=staff[at // DAY_MS % len(staff)] if status in BY_STAFF else None,
            occurred_at=moment(at),
        )


def _within(random: Random, low: float, high: float) -> int:
    """Between two numbers of hours, in milliseconds."""
    return int((low + random.random() * (high - low)) * HOUR_MS)


def _round(after: int, hour: int) -> int:
    """The next time that it is `hour`, give or take the minutes of that day."""
    day = (after - hour * HOUR_MS) // DAY_MS + 1
    return day * DAY_MS + hour * HOUR_MS + day * 7919 % HOUR_MS
