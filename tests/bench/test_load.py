"""The load generator: how many at a time, what is counted, when it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bench import processes
from bench.load import Load, Run, closed_loop, measures, percentile, together


def load(callers: int, within: float = 60.0) -> Load:
    return Load(callers=callers, orders=20, within=within, tag="t")


@pytest.mark.parametrize("callers", [1, 8])
async def test_each_order_is_placed_once_by_so_many_callers(callers: int) -> None:
    placed: list[int] = []
    under_way, most = 0, 0

    async def place(number: int) -> bool:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        placed.append(number)
        return True

    run = await closed_loop(load(callers), range(20), place)
    assert sorted(placed) == list(range(20))
    assert most == callers
    assert len(run.seconds) == 20
    assert run.ended > run.begun


async def test_a_shortage_is_counted_and_is_no_order() -> None:
    run = await closed_loop(load(4), range(20), answering(lambda number: number < 5))
    assert len(run.seconds) == 5
    assert run.refused == 15


async def test_no_order_is_begun_when_the_time_is_over() -> None:
    run = await closed_loop(load(4, within=0.0), range(20), answering(lambda _: True))
    assert len(run.seconds) == 4


async def test_another_failure_ends_it() -> None:
    def fail(number: int) -> bool:
        raise LookupError(number)

    with pytest.raises(ExceptionGroup) as raised:
        await closed_loop(load(1), range(20), answering(fail))
    assert isinstance(raised.value.exceptions[0], LookupError)


def test_measures() -> None:
    run = Run(begun=10.0, ended=12.0, seconds=[n / 1000 for n in range(200, 0, -1)], refused=3)
    assert measures(run) == {"rate": 100.0, "p50": 0.1, "p99": 0.198}


def test_nothing_is_measured_without_an_order() -> None:
    with pytest.raises(ValueError, match="no order was placed"):
        measures(Run(0.0, 1.0, [], 7))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 1.0), (0.51, 2.0), (1.0, 2.0), (0.0, 1.0)])
def test_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([1.0, 2.0], share) == expected


def test_processes_that_ran_together_are_one_run() -> None:
    runs = [Run(1.0, 4.0, [0.1], 1), Run(2.0, 5.0, [0.2, 0.3], 0)]
    assert together(runs) == Run(1.0, 5.0, [0.1, 0.2, 0.3], 1)


def test_processes_share_callers_and_orders() -> None:
    tasks = processes.tasks("url", Load(callers=8, orders=40, within=1.0, tag="t"), 4)
    assert [(task.first, task.stop, task.callers, task.warm_up) for task in tasks] == [
        (0, 10, 2, 1),
        (10, 20, 2, 1),
        (20, 30, 2, 1),
        (30, 40, 2, 1),
    ]


def answering(answer: Callable[[int], bool]) -> Callable[[int], Awaitable[bool]]:
    async def place(number: int) -> bool:
        return answer(number)

    return place
