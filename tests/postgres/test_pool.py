"""The pool against a real server: each number of §5, and what happens when connections die."""

import asyncio
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from shopflow import settings as settings_module
from shopflow.errors import ConfigurationError, PoolTimeoutError, ServerError
from shopflow.postgres import pool as pool_module
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

Opened = Callable[..., AbstractAsyncContextManager[Pool]]
Backends = Callable[[], set[int]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


async def use(pool: Pool) -> int:
    """Use a connection once and return its backend's pid."""
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT pg_backend_pid()")
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def use_at_once(pool: Pool, count: int) -> set[int]:
    """Use `count` connections at the same time and return their pids."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(pool.connection()) for _ in range(count)]
        return {connection.info.backend_pid for connection in connections}


async def kill(pids: set[int], admin: psycopg.Connection, backends: Backends, until: Until) -> None:
    admin.execute("SELECT pg_terminate_backend(pid) FROM unnest(%(p)s) AS pid", {"p": list(pids)})
    await until(lambda: not backends() & pids)


async def test_each_environment_has_its_numbers(empty_settings: Settings) -> None:
    found = {}
    for environment in ("development", "staging", "production"):
        loaded = settings_module.load({}, environment=environment)
        found[environment] = (loaded.pool_max_size, loaded.pool_max_idle)
        assert (loaded.pool_timeout, loaded.pool_max_uses) == (2.0, 7500)
    assert found == {"development": (5, 10.0), "staging": (10, 30.0), "production": (20, 30.0)}


async def test_two_seconds_without_a_connection_and_then_a_clear_error(pool: Pool) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(pool.connection())
        start = monotonic()
        with pytest.raises(PoolTimeoutError, match="5 of 5 were in use") as caught:
            await use(pool)
        assert 2.0 <= monotonic() - start < 3.0
        error = caught.value
        assert (error.timeout, error.in_use, error.max_size) == (2.0, 5, 5)
    assert await use(pool)


async def test_a_connection_is_replaced_after_its_uses(
    opened: Opened, backends: Backends, until: Until
) -> None:
    async with opened(pool_max_size=1, pool_max_uses=3) as pool:
        pids = [await use(pool) for _ in range(7)]
        first, second, third = pids[0], pids[3], pids[6]
        assert pids == [first] * 3 + [second] * 3 + [third]
        assert len({first, second, third}) == 3
        await until(lambda: backends() == {third})


async def test_all_idle_connections_go_within_one_idle_period(
    opened: Opened, backends: Backends, until: Until
) -> None:
    async with opened(pool_max_idle=1.0) as pool:
        pids = await use_at_once(pool, 5)
        idle_since = monotonic()
        assert backends() == pids
        await until(lambda: not backends())
        # Closed at a tenth of the period before its end or later; a little for a busy machine.
        assert 0.7 < monotonic() - idle_since < 1.5
        assert await use(pool) not in pids


async def test_connections_that_are_needed_stay(opened: Opened, backends: Backends) -> None:
    async with opened(pool_max_idle=0.5) as pool:
        pids = await use_at_once(pool, 3)
        end = monotonic() + 1.5
        while monotonic() < end:
            assert await use_at_once(pool, 3) == pids
            await asyncio.sleep(0.02)
        assert backends() == pids


async def test_connections_killed_while_idle_are_never_handed_out(
    pool: Pool, admin: psycopg.Connection, backends: Backends, until: Until
) -> None:
    for _ in range(3):
        dead = await use_at_once(pool, 5)
        await kill(dead, admin, backends, until)
        start = monotonic()
        assert not await use_at_once(pool, 5) & dead
        # psycopg_pool alone pauses a second at the second dead connection.
        assert monotonic() - start < 1.0


async def test_a_connection_killed_in_use_is_replaced(
    opened: Opened, admin: psycopg.Connection, backends: Backends, until: Until
) -> None:
    async with opened(pool_max_size=1) as pool:
        async with pool.connection() as connection:
            dead = {connection.info.backend_pid}
            await kill(dead, admin, backends, until)
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 1")
        assert await use(pool) not in dead
        assert pool.in_use == 0


async def test_a_connection_idle_for_long_is_tried_first(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "TRUSTED_SECONDS", 0.0)
    async with opened(pool_max_size=1) as pool:
        async with traced(pool, tmp_path / "trace"), pool.connection():
            pass
        assert sent(tmp_path / "trace") == ["Query"]


async def test_a_connection_that_does_not_answer_is_replaced_in_time(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "TRUSTED_SECONDS", 0.0)
    async with opened(pool_max_size=1, pool_timeout=1.0) as pool:
        silent = await use(pool)
        os.kill(silent, signal.SIGSTOP)
        try:
            start = monotonic()
            assert await use(pool) != silent
            assert monotonic() - start < 1.0
        finally:
            os.kill(silent, signal.SIGCONT)


async def test_taking_and_returning_sends_nothing(opened: Opened, tmp_path: Path) -> None:
    async with opened(pool_max_size=1) as pool:
        async with traced(pool, tmp_path / "idle"):
            for _ in range(20):
                async with pool.connection():
                    pass
        async with traced(pool, tmp_path / "read"), pool.connection() as connection:
            await connection.execute("SELECT %(one)s::int", {"one": 1})
        assert sent(tmp_path / "idle") == []
        # One round trip, and no BEGIN or COMMIT around it.
        assert sent(tmp_path / "read") == ["Parse", "Bind", "Describe", "Execute", "Sync"]


@asynccontextmanager
async def traced(pool: Pool, path: Path) -> AsyncIterator[None]:
    """Write the messages of the pool's one connection to `path`."""
    with path.open("wb") as file:
        async with pool.connection() as connection:
            connection.pgconn.trace(file.fileno())
        yield
        connection.pgconn.untrace()


def sent(trace: Path) -> list[str]:
    """Return the kinds of the messages that went to the server."""
    lines = [line.split("\t") for line in trace.read_text().splitlines()]
    return [kind for _, direction, _, kind, *_ in lines if direction == "F"]


async def test_connections_are_in_autocommit(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


async def test_a_transaction_left_open_is_rolled_back(opened: Opened) -> None:
    async with opened(pool_max_size=1) as pool:
        async with pool.connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("CREATE TABLE left_behind ()")
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT to_regclass('left_behind')")
            assert await cursor.fetchone() == (None,)


async def test_every_connection_has_the_settings_also_after_a_failure(
    opened: Opened, admin: psycopg.Connection, backends: Backends, until: Until
) -> None:
    async def in_force(connection: AsyncConnection) -> tuple[str, ...]:
        cursor = await connection.execute(
            "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'),"
            " current_setting('application_name'), current_setting('search_path')"
        )
        row = await cursor.fetchone()
        assert row is not None
        return row

    expected = ("3s", "4s", "5s", "a test", "shopflow, public, pg_temp")
    async with opened(
        statement_timeout=3.0,
        lock_timeout=4.0,
        idle_in_transaction_session_timeout=5.0,
        application_name="a test",
    ) as pool:
        for _ in range(2):
            async with AsyncExitStack() as stack:
                for _ in range(5):
                    connection = await stack.enter_async_context(pool.connection())
                    assert await in_force(connection) == expected
            await kill(backends(), admin, backends, until)


async def test_json_comes_as_bytes(pool: Pool) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute("""SELECT '{"a": 1}'::json, '{"b":2}'::jsonb""")
        assert await cursor.fetchone() == (b'{"a": 1}', b'{"b": 2}')


async def test_many_callers_share_few_connections(pool: Pool, backends: Backends) -> None:
    most_in_use = most_backends = 0

    async def call() -> None:
        nonlocal most_in_use, most_backends
        for _ in range(5):
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(0.002)")
                most_in_use = max(most_in_use, pool.in_use)
                most_backends = max(most_backends, len(backends()))

    await asyncio.gather(*(call() for _ in range(32)))
    assert most_in_use == 5
    assert most_backends == 5
    assert pool.in_use == 0


async def test_first_come_first_served(opened: Opened) -> None:
    served: list[int] = []

    async def call(number: int) -> None:
        async with pool.connection():
            served.append(number)

    async with opened(pool_max_size=1) as pool:
        async with pool.connection():
            callers = [asyncio.create_task(call(number)) for number in range(10)]
            await asyncio.sleep(0)
        await asyncio.gather(*callers)
    assert served == list(range(10))


async def test_cancelled_callers_leave_nothing_behind(
    opened: Opened, admin: psycopg.Connection, backends: Backends, until: Until
) -> None:
    def running() -> int:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE pid = ANY(%(pids)s) AND state = 'active' AND query LIKE '%%pg_sleep%%'",
            {"pids": list(backends())},
        ).fetchone()
        assert row is not None
        return int(row[0])

    async def call() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_sleep(60)")

    async with opened(pool_max_size=2) as pool:
        for _ in range(3):
            callers = [asyncio.create_task(call()) for _ in range(6)]
            await until(lambda: running() == 2)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            assert all(caller.cancelled() for caller in callers)
            assert pool.in_use == 0
            assert len(await use_at_once(pool, 2)) == 2
            assert running() == 0


async def test_too_many_connections_for_the_server_are_refused(
    opened: Opened, admin: psycopg.Connection
) -> None:
    row = admin.execute(
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
        " - current_setting('reserved_connections')::int"
    ).fetchone()
    assert row is not None
    free = int(row[0])
    async with opened(pool_max_size=1, processes=free):
        pass
    with pytest.raises(ConfigurationError, match=f"{free + 1} \\* 1 = {free + 1}.*= {free}: lower"):
        async with opened(pool_max_size=1, processes=free + 1):
            pass


async def test_a_server_that_is_not_there_is_named() -> None:
    pool = Pool(settings_module.load({}, database_url="postgresql://127.0.0.1:1/shop"))
    with pytest.raises(ServerError, match=r"cannot be reached.*port 1"):
        await pool.open()


async def test_a_server_that_goes_away_is_named_and_found_again(
    opened: Opened, admin: psycopg.Connection, database: str, backends: Backends, until: Until
) -> None:
    def allow(allowed: bool) -> None:
        admin.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                sql.Identifier(database), sql.Literal(allowed)
            )
        )

    async with opened(pool_timeout=0.3) as pool:
        allow(False)
        with pytest.raises(ServerError, match="not currently accepting connections"):
            await use(pool)
        allow(True)
        start = monotonic()
        while True:
            try:
                await use(pool)
                break
            except ServerError:
                assert monotonic() - start < 5.0


async def test_a_server_older_than_18_is_refused_by_its_version() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = asyncio.create_task(asyncio.to_thread(answer_as_postgresql_15, listener))
        url = f"postgresql://shop@127.0.0.1:{listener.getsockname()[1]}/shop?gssencmode=disable"
        pool = Pool(settings_module.load({}, database_url=f"{url}&sslmode=disable"))
        with pytest.raises(ServerError, match=r"18 or later.*PostgreSQL 15\.18"):
            await pool.open()
        await answering


def answer_as_postgresql_15(listener: socket.socket) -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    caller, _ = listener.accept()
    with caller:
        caller.recv(8192)
        caller.sendall(
            message(b"R", struct.pack("!i", 0))
            + message(b"S", b"server_version\x0015.18\0")
            + message(b"S", b"client_encoding\0UTF8\0")
            + message(b"Z", b"I")
        )
        while caller.recv(8192):
            pass


async def test_one_caller_after_another_needs_one_connection(pool: Pool) -> None:
    assert len({await use(pool) for _ in range(20)}) == 1


async def test_a_cancellation_at_any_moment_loses_no_connection(opened: Opened) -> None:
    async with opened(pool_max_size=2, pool_max_uses=3) as pool:
        for moment in range(60):
            callers = [asyncio.create_task(use(pool)) for _ in range(5)]
            for _ in range(2):
                for _ in range(moment):
                    await asyncio.sleep(0)
                for caller in callers:
                    caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            assert pool.in_use == 0
        assert len(await use_at_once(pool, 2)) == 2


async def test_a_caller_cancelled_while_giving_back_loses_no_connection(opened: Opened) -> None:
    async with opened(pool_max_size=1) as pool:
        lock = pool._connections._lock
        leaving = asyncio.Event()

        async def call() -> None:
            async with pool.connection():
                await lock.acquire()
                leaving.set()

        caller = asyncio.create_task(call())
        await leaving.wait()
        await asyncio.sleep(0)
        caller.cancel()
        lock.release()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await use(pool)
