"""A closed loop of callers: each places one order after the other; what came of it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter

import msgspec

# One order by its number; False when there was not enough in stock. Any other failure raises.
Place = Callable[[int], Awaitable[bool]]
LONGEST_WARM_UP = 200


class Load(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        callers: how many at a time.
        orders: how many at most; they are numbered from 0.
        within: seconds after which none is begun.
        tag: makes the idempotency keys of this run new.
    """

    callers: int
    orders: int
    within: float
    tag: str

    @property
    def warm_up(self) -> int:
        """How many are placed before it is measured: connections made, statements prepared."""
        return min(LONGEST_WARM_UP, self.orders // 10)


class Run(msgspec.Struct, frozen=True):
    """What came of a load.

    Attributes:
        begun: when, on the machine's monotonic clock, which all its processes share.
        ended: when the last order was answered.
        seconds: how long each order took that was placed.
        refused: how many were refused for want of stock.
    """

    begun: float
    ended: float
    seconds: list[float]
    refused: int


def measures(run: Run) -> Mapping[str, float]:
    """Return orders a second, and the median and 99th percentile of their seconds.

    Raises:
        ValueError: when no order was placed.
    """
    if not run.seconds:
        raise ValueError("no order was placed, there is nothing to measure")
    ordered = sorted(run.seconds)
    return {
        "rate": len(ordered) / (run.ended - run.begun),
        "p50": percentile(ordered, 0.5),
        "p99": percentile(ordered, 0.99),
    }


def percentile(ordered: list[float], share: float) -> float:
    """Return the smallest of the `ordered` values that `share` of them do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def together(runs: Iterable[Run]) -> Run:
    """Return what several processes did at the same time as one run."""
    all_runs = list(runs)
    return Run(
        begun=min(run.begun for run in all_runs),
        ended=max(run.ended for run in all_runs),
        seconds=[each for run in all_runs for each in run.seconds],
        refused=sum(run.refused for run in all_runs),
    )


async def closed_loop(load: Load, numbers: Iterable[int], place: Place) -> Run:
    """Place the orders of `numbers` as `load` says: each caller one after the other.

    The first failure that is no shortage ends it and is raised.
    """
    waiting = iter(numbers)
    seconds: list[float] = []
    refused = 0
    begun = perf_counter()

    async def call() -> None:
        nonlocal refused
        for number in waiting:
            asked = perf_counter()
            if await place(number):
                seconds.append(perf_counter() - asked)
            else:
                refused += 1
            if perf_counter() - begun > load.within:
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(load.callers):
            group.create_task(call())
    return Run(begun, perf_counter(), seconds, refused)
