"""Transactions that collide, break and lose their connection, on a real server."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.abc import QueryNoTemplate

from shopflow.errors import (
    CommitOutcomeUnknownError,
    ConstraintViolatedError,
    ServerError,
    TransactionConflictError,
    TransactionError,
)
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction

Opened = Callable[..., AbstractAsyncContextManager[Pool]]

TABLE = """
CREATE TABLE public.stock (
    id int PRIMARY KEY,
    quantity int NOT NULL,
    place int CONSTRAINT stock_place_taken UNIQUE DEFERRABLE INITIALLY DEFERRED
);
INSERT INTO public.stock VALUES (1, 10, 1), (2, 10, 2);
"""
# Runs at COMMIT, where the server then ends its own backend.
DIE_AT_COMMIT = """
CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    PERFORM pg_sleep(10);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON public.stock
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.die();
"""
TAKE_ONE = "UPDATE public.stock SET quantity = quantity - 1 WHERE id = %(id)s"


@pytest.fixture
async def stock(pool: Pool) -> Pool:
    """A pool on a database with two rows of stock."""
    await execute(pool, TABLE)
    return pool


async def execute(pool: Pool, statement: QueryNoTemplate) -> None:
    async with pool.connection() as connection:
        await connection.execute(statement)


async def quantities(pool: Pool) -> list[int]:
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT quantity FROM public.stock ORDER BY id")
        return [quantity for (quantity,) in await cursor.fetchall()]


async def take(connection: AsyncConnection, row: int) -> None:
    await connection.execute(TAKE_ONE, {"id": row})


class Collides:
    """Work that meets a serialization failure in its first `times` attempts."""

    def __init__(self, pool: Pool, times: int) -> None:
        self.pool = pool
        self.times = times
        self.attempts = 0

    async def __call__(self, connection: AsyncConnection) -> str:
        self.attempts += 1
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await connection.execute("SELECT quantity FROM public.stock")
        if self.attempts <= self.times:
            async with self.pool.connection() as other:
                await take(other, 1)
        await take(connection, 1)
        return "done"


async def test_it_commits_and_returns_the_result(stock: Pool) -> None:
    async def work(connection: AsyncConnection) -> str:
        await take(connection, 1)
        return "done"

    assert await run_transaction(stock, work) == "done"
    assert await quantities(stock) == [9, 10]


async def test_an_error_of_the_work_rolls_back_and_is_not_tried_again(stock: Pool) -> None:
    attempts = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal attempts
        attempts += 1
        await take(connection, 1)
        raise LookupError

    with pytest.raises(LookupError):
        await run_transaction(stock, work)
    assert attempts == 1
    assert await quantities(stock) == [10, 10]


async def test_a_serialization_failure_is_tried_again(stock: Pool) -> None:
    work = Collides(stock, times=2)
    assert await run_transaction(stock, work) == "done"
    assert work.attempts == 3
    assert await quantities(stock) == [7, 10]


async def test_the_attempts_are_bounded(stock: Pool) -> None:
    work = Collides(stock, times=100)
    with pytest.raises(TransactionConflictError, match="3 times") as caught:
        await run_transaction(stock, work, attempts=3)
    assert work.attempts == caught.value.attempts == 3
    assert isinstance(caught.value.__cause__, psycopg.errors.SerializationFailure)
    assert await quantities(stock) == [7, 10]


async def test_a_deadlock_is_tried_again(stock: Pool) -> None:
    attempts = 0
    first_lock = [asyncio.Event(), asyncio.Event()]

    async def take_both(me: int) -> None:
        async def work(connection: AsyncConnection) -> None:
            nonlocal attempts
            attempts += 1
            await take(connection, me + 1)
            first_lock[me].set()
            await first_lock[1 - me].wait()
            await take(connection, 2 - me)

        await run_transaction(stock, work)

    await asyncio.gather(take_both(0), take_both(1))
    assert attempts == 3
    assert await quantities(stock) == [8, 8]


async def test_a_lock_timeout_is_not_tried_again(opened: Opened, stock: Pool) -> None:
    attempts = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal attempts
        attempts += 1
        await take(connection, 1)

    async with (
        opened(lock_timeout=0.05) as impatient,
        stock.connection() as holder,
        holder.transaction(),
    ):
        await take(holder, 1)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await run_transaction(impatient, work)
    assert attempts == 1


async def test_an_unknown_outcome_of_commit_is_never_tried_again(stock: Pool) -> None:
    attempts = 0
    await execute(stock, DIE_AT_COMMIT)

    async def work(connection: AsyncConnection) -> None:
        nonlocal attempts
        attempts += 1
        await take(connection, 1)

    with pytest.raises(CommitOutcomeUnknownError):
        await run_transaction(stock, work)
    assert attempts == 1
    assert stock.in_use == 0
    assert await quantities(stock) == [10, 10]


async def test_a_connection_lost_before_commit_is_tried_again(
    stock: Pool, admin: psycopg.Connection
) -> None:
    attempts = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal attempts
        attempts += 1
        await take(connection, 1)
        if attempts == 1:
            admin.execute(
                "SELECT pg_terminate_backend(%(pid)s, 5000)",
                {"pid": connection.info.backend_pid},
            )
        await take(connection, 2)

    await run_transaction(stock, work)
    assert attempts == 2
    assert await quantities(stock) == [9, 9]


async def test_a_connection_lost_each_time_is_said_so(stock: Pool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")

    with pytest.raises(ServerError, match="lost") as caught:
        await run_transaction(stock, work, attempts=2)
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)


async def test_a_swallowed_loss_of_the_connection_is_no_success(stock: Pool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await take(connection, 1)
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")

    with pytest.raises(TransactionError, match="nothing was changed"):
        await run_transaction(stock, work)
    assert await quantities(stock) == [10, 10]


async def test_a_swallowed_failure_is_no_success(stock: Pool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await take(connection, 1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(TransactionError, match="nothing was changed"):
        await run_transaction(stock, work)
    assert await quantities(stock) == [10, 10]


async def test_rolling_back_by_psycopg_is_no_success(stock: Pool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await take(connection, 1)
        raise psycopg.Rollback

    with pytest.raises(TransactionError, match="Rollback"):
        await run_transaction(stock, work)
    assert await quantities(stock) == [10, 10]


async def test_a_constraint_that_fails_at_commit_is_the_domains_error(stock: Pool) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute("UPDATE public.stock SET place = 1")

    with pytest.raises(ConstraintViolatedError, match="stock_place_taken") as caught:
        await run_transaction(stock, work)
    assert caught.value.constraint == "stock_place_taken"


async def test_one_inside_another_is_refused(stock: Pool) -> None:
    async def inner(connection: AsyncConnection) -> None:
        await take(connection, 1)

    async def outer(connection: AsyncConnection) -> None:
        await take(connection, 1)
        await run_transaction(stock, inner)

    with pytest.raises(TransactionError, match="already in a transaction"):
        await run_transaction(stock, outer)
    assert await quantities(stock) == [10, 10]
    await run_transaction(stock, inner)


async def test_a_task_started_inside_may_open_its_own_afterwards(stock: Pool) -> None:
    committed = asyncio.Event()

    async def afterwards() -> None:
        await committed.wait()
        await run_transaction(stock, lambda connection: take(connection, 2))

    async def work(connection: AsyncConnection) -> asyncio.Task[None]:
        await take(connection, 1)
        return asyncio.create_task(afterwards())

    task = await run_transaction(stock, work)
    committed.set()
    await task
    assert await quantities(stock) == [9, 9]


async def test_a_cancelled_transaction_is_rolled_back(stock: Pool) -> None:
    reached = asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await take(connection, 1)
        reached.set()
        await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(run_transaction(stock, work))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stock.in_use == 0
    assert await quantities(stock) == [10, 10]


@pytest.mark.parametrize(
    ("statement", "attempts"),
    [
        ("RAISE 'could not serialize access due to concurrent update'", 2),
        ("RAISE 'deadlock detected'", 2),
        # What Citus does at COMMIT: the node's own SQLSTATE is in a warning.
        ("RAISE WARNING 'on the node' USING ERRCODE = '40001'; RAISE 'failure on connection'", 2),
        ("RAISE WARNING 'on the node' USING ERRCODE = '53200'; RAISE 'failure on connection'", 1),
        ("RAISE 'out of something'", 1),
    ],
)
async def test_citus_wording_is_understood_and_nothing_else(
    stock: Pool, statement: str, attempts: int
) -> None:
    body = statement.replace("RAISE '", "RAISE EXCEPTION SQLSTATE 'XX000' USING MESSAGE = '")
    made = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal made
        made += 1
        await connection.execute(f"DO $$ BEGIN {body}; END $$".encode())

    with pytest.raises((TransactionConflictError, psycopg.errors.InternalError_)):
        await run_transaction(stock, work, attempts=2)
    assert made == attempts
