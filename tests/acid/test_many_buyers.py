"""Many buyers at once, in one process and in four: nothing oversold, nobody left without an answer."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec
import psutil
import pytest

import shopflow
from shopflow import Shop
from shopflow.ids import CartId, ProductId
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.acid.buyers import Answer, Task, answer
from tests.acid.crashing import durable_server, for_programs, kill_all
from tests.acid.invariants import violations
from tests.catalogue import a_product, run

BUYERS, ORDERS = 32, 160
# Of the flash sale's one product; the spread ones have enough.
PIECES = 100
ROOT = Path(__file__).parents[2]
EACH = {1: [BUYERS], 4: [BUYERS // 4] * 4}
# The products that are of this test's own.
SOLD = """
SELECT coalesce(sum(i.quantity), 0) FROM order_items AS i WHERE i.product_id = ANY(%(ids)s)
"""


@pytest.fixture(scope="module")
def durable() -> Iterator[Settings]:
    with durable_server() as settings:
        yield settings


@pytest.fixture
async def shop(durable: Settings) -> AsyncIterator[Shop]:
    async with shopflow.open(for_programs(durable)) as found:
        yield found


async def carts_for(shop: Shop, products: Sequence[ProductId]) -> list[CartId]:
    """A cart with one piece for each order, of one product after the other."""
    found = []
    for number in range(ORDERS):
        product_id = products[number % len(products)]
        cart_id = await shop.carts.open(session_id=f"{products[0]}/{number}")
        await shop.carts.add(cart_id, product_id)
        found.append(cart_id)
    return found


class Programs:
    """Processes with buyers in them, and what these have been told so far."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.processes: list[Process] = []
        self._heard = asyncio.Condition()
        self._reading: list[asyncio.Task[None]] = []

    async def start(self, url: str, carts: Sequence[CartId], count: int) -> None:
        """Share the carts out to so many processes, and let them begin together."""
        for number, buyers in enumerate(EACH[count]):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.acid.buyers", stdin=PIPE, stdout=PIPE, cwd=ROOT
            )
            self.processes.append(process)
            self._tell(process, msgspec.json.encode(Task(url, buyers, list(carts[number::count]))))
        for process in self.processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b'"ready"\n'
        for process in self.processes:
            self._tell(process, b"go")
            self._reading.append(asyncio.create_task(self._read(process)))

    async def until(self, answers: int) -> None:
        """Return once so many answers were given."""
        async with self._heard:
            await self._heard.wait_for(lambda: len(self.answers) >= answers)

    async def ended(self) -> None:
        await asyncio.gather(*self._reading)
        for process in self.processes:
            await process.wait()

    def kill(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.returncode is None:
                process.kill()

    def _tell(self, process: Process, line: bytes) -> None:
        assert process.stdin is not None
        process.stdin.write(line + b"\n")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._heard:
                self.answers.append(msgspec.json.decode(line, type=Answer))
                self._heard.notify_all()


@pytest.fixture
async def programs() -> AsyncIterator[Programs]:
    found = Programs()
    yield found
    found.kill()
    await found.ended()


async def check(
    shop: Shop, products: Sequence[ProductId], answers: Sequence[Answer], carts: Sequence[CartId]
) -> None:
    """Each cart has one answer, which is true, and no piece is sold twice or left unsold."""
    assert sorted(each.cart_id for each in answers) == sorted(carts)
    told = {str(each.cart_id): each.order_id for each in answers if each.outcome == "placed"}
    keys = [str(cart_id) for cart_id in carts]
    orders = await run(
        shop, "SELECT idempotency_key, id FROM orders WHERE idempotency_key = ANY(%(k)s)", k=keys
    )
    assert dict(orders) == told
    assert len(orders) == len(told)
    wanted = min(ORDERS, PIECES) if len(products) == 1 else ORDERS
    assert len(told) == wanted
    assert await run(shop, SOLD, ids=list(products)) == [(wanted,)]
    async with shop.pool.connection() as connection:
        found = await violations(connection)
    assert found == {}


@pytest.mark.parametrize("kill", [False, True], ids=["calm", "server killed"])
@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("products", [1, 20], ids=["flash", "spread"])
async def test_every_piece_is_sold_once(
    shop: Shop, durable: Settings, programs: Programs, products: int, processes: int, *, kill: bool
) -> None:
    ids = [await a_product(shop, stock_quantity=PIECES) for _ in range(products)]
    carts = await carts_for(shop, ids)
    await programs.start(shop.settings.database_url or "", carts, processes)
    if kill:
        for answers in (ORDERS // 4, ORDERS // 2):
            await programs.until(answers)
            await kill_all(Server(durable))
    await programs.ended()
    assert Counter(process.returncode for process in programs.processes) == {0: processes}
    await check(shop, ids, programs.answers, carts)


async def test_a_program_that_is_killed_leaves_nothing_half_done(
    shop: Shop, programs: Programs
) -> None:
    """Its customers ask again, through another program: whatever was placed is found."""
    ids = [await a_product(shop, stock_quantity=PIECES) for _ in range(20)]
    carts = await carts_for(shop, ids)
    await programs.start(shop.settings.database_url or "", carts, 4)
    await programs.until(ORDERS // 3)
    for process in programs.processes[:2]:
        psutil.Process(process.pid).kill()
    await programs.ended()
    assert sorted(process.returncode or 0 for process in programs.processes) == [-9, -9, 0, 0]
    told = {each.cart_id: each for each in programs.answers}
    assert len(told) < ORDERS
    again = [await answer(shop, cart_id) for cart_id in carts]
    for each in again:
        assert told.setdefault(each.cart_id, each) == each
    await check(shop, ids, again, carts)
