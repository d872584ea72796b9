"""The ways of reading a catalogue: timed calls one after the other, and eight at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from time import perf_counter
from typing import Any, Generic, TypeVar

import msgspec
import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow

import shopflow
from bench import servers
from bench.catalogue import pgbench
from bench.load import percentile
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from shopflow.shop import Shop

Asked = TypeVar("Asked")
Read = Callable[[Asked], Awaitable[object]]
# Opened once for each size of catalogue.
Way = Callable[[Settings], AbstractAsyncContextManager[Read[Asked]]]
CALLERS = 8


class Pace(msgspec.Struct, frozen=True):
    """Calls of a case in a round, seconds after which none begins, and seconds of a load."""

    calls: int
    within: float
    load: int


@dataclass(frozen=True)
class Reading(Generic[Asked]):
    """What is read.

    Attributes:
        cases: what is asked for, by the name of the case.
        ours: by the public API.
        statement: the same on a connection, whose statement pgbench runs.
        others: other ways by name.
        only: the ways, of cases that not all have; they are not of the mix.
    """

    cases: Callable[[psycopg.Connection[TupleRow]], Mapping[str, Sequence[Asked]]]
    ours: Callable[[Shop, Asked], Awaitable[object]]
    statement: Callable[[AsyncConnection[Any], Asked], Awaitable[object]]
    others: Mapping[str, Way[Asked]]
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ways(self, case: str) -> tuple[str, ...]:
        """Return who reads a case, in turn."""
        return self.only.get(case, ("ours", "limit", *self.others))


@asynccontextmanager
async def shop_of(settings: Settings) -> AsyncIterator[Shop]:
    """Open the shop as a process with eight callers has it."""
    given = msgspec.structs.replace(settings, pool_max_size=CALLERS, pool_timeout=30.0)
    async with shopflow.open(given) as shop:
        yield shop


class Readers(Generic[Asked]):
    """The ways of one reading on one catalogue, kept open over the rounds."""

    def __init__(self, reading: Reading[Asked], settings: Settings, pace: Pace) -> None:
        self._reading = reading
        self._settings = settings
        self._pace = pace
        self._stack = AsyncExitStack()
        with psycopg.connect(conninfo(settings)) as connection:
            self.cases = reading.cases(connection)
        self._mix = {name: asks for name, asks in self.cases.items() if name not in reading.only}
        self._ways: dict[str, Read[Asked]] = {}
        self._scripts: dict[str, list[pgbench.Script]] = {}

    async def open(self) -> None:
        """Connect every way, and write down what we send for each case."""
        shop = await self._stack.enter_async_context(shop_of(self._settings))

        async def ours(asked: Asked) -> object:
            return await self._reading.ours(shop, asked)

        self._ways["ours"] = ours
        for name, way in self._reading.others.items():
            self._ways[name] = await self._stack.enter_async_context(way(self._settings))
        for case, calls in self.cases.items():
            if "limit" in self._reading.ways(case):
                self._scripts[case] = [await self._script(asked) for asked in calls]

    async def close(self) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def one_by_one(self, way: str, case: str) -> Mapping[str, float]:
        """Return how long the calls of a case take."""
        read, calls = self._ways[way], self.cases[case]
        begun = perf_counter()
        await read(calls[0])
        first = perf_counter() - begun
        # It only warms up, unless it has taken all the time that there is.
        seconds = [first] if first > self._pace.within else []
        for number in range(self._pace.calls):
            if seconds and perf_counter() - begun > self._pace.within:
                break
            before = perf_counter()
            await read(calls[number % len(calls)])
            seconds.append(perf_counter() - before)
        return {"p50": median(seconds), "p95": percentile(sorted(seconds), 0.95)}

    async def at_a_time(self) -> Mapping[str, float]:
        """Return how many calls of all cases a process answers with eight callers."""
        calls = [asked for asks in self._mix.values() for asked in asks]
        numbers = count()
        end = perf_counter() + self._pace.load
        read = self._ways["ours"]

        async def caller() -> int:
            done = 0
            while perf_counter() < end:
                await read(calls[next(numbers) % len(calls)])
                done += 1
            return done

        begun = perf_counter()
        done = await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return {"rate": sum(done) / (perf_counter() - begun)}

    def limit(self, case: str) -> Mapping[str, float]:
        """Return how long pgbench takes for the same statements."""
        with servers.directory() as path:
            client, scripts = pgbench.client(self._settings), self._scripts[case]
            seconds = pgbench.latencies(client, scripts, self._pace.calls, path)
        return {"p50": median(seconds), "p95": percentile(sorted(seconds), 0.95)}

    def limit_at_a_time(self) -> Mapping[str, float]:
        """Return how many of all statements pgbench runs with eight clients."""
        scripts = [script for case in self._mix for script in self._scripts[case]]
        with servers.directory() as path:
            return {
                "rate": pgbench.rate(
                    pgbench.client(self._settings),
                    scripts,
                    clients=CALLERS,
                    seconds=self._pace.load,
                    directory=path,
                )
            }

    async def _script(self, asked: Asked) -> pgbench.Script:
        sent: list[pgbench.Script] = []

        class Recording(AsyncCursor[TupleRow]):
            async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
                with psycopg.connect(self.connection.info.dsn) as plain:
                    text = psycopg.ClientCursor(plain).mogrify(query, params)
                sent.append(pgbench.Script(text, prepared=options.get("prepare") is not False))
                return await super().execute(query, params, **options)

        target = conninfo(self._settings)
        async with await AsyncConnection.connect(target, autocommit=True) as connection:
            connection.cursor_factory = Recording
            await self._reading.statement(connection, asked)
        (script,) = sent
        return script
