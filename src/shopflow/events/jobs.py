"""Periodic jobs: each has a row that says when it is due and which worker has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from psycopg import AsyncConnection

from shopflow.errors import ShopflowError
from shopflow.events.consumers import QUERIES
from shopflow.postgres.pool import Pool

# Seconds: a worker that dies leaves its job to others after this; it says it lives three times as
# often.
LEASE = 60.0
_log = logging.getLogger(__name__)


class Job(msgspec.Struct, frozen=True):
    """Something that workers do now and then, one of them at a time.

    Attributes:
        name: the key of its row.
        interval: seconds from the end of one run to the next.
        run: does it and returns how many things it dealt with; may be interrupted at any point and
            run again, so it works in transactions of its own.
    """

    name: str
    interval: float
    run: Callable[[Pool], Awaitable[int]]


class _Name(msgspec.Struct, frozen=True):
    name: str


async def add_jobs(connection: AsyncConnection[Any], jobs: Iterable[Job]) -> None:
    """Make the rows of jobs that are new."""
    await QUERIES["add_jobs"].execute(connection, names=[job.name for job in jobs])


async def claim_jobs(
    connection: AsyncConnection[Any], jobs: Iterable[Job], lease: UUID
) -> list[Job]:
    """Take those that are due and that no living worker has."""
    by_name = {job.name: job for job in jobs}
    rows = await QUERIES["claim_jobs"].rows(
        connection, _Name, names=list(by_name), lease=lease, seconds=LEASE
    )
    return [by_name[row.name] for row in rows]


async def run_job(pool: Pool, job: Job, lease: UUID) -> int | None:
    """Run a job that was taken and note how it ended; None when it failed, which is logged.

    It is cancelled when the lease was lost; when this is cancelled the job is given back.
    """
    keeping = asyncio.create_task(_keep(pool, job, lease))
    running = asyncio.ensure_future(job.run(pool))
    count: int | None = None
    error: str | None = None
    try:
        await asyncio.wait({running, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            count = running.result()
        else:
            error = "the lease was lost"
    except asyncio.CancelledError:
        async with pool.connection() as connection:
            await QUERIES["release_job"].execute(connection, name=job.name, lease=lease)
        raise
    except Exception as failure:  # noqa: BLE001 the job is anybody's code
        _log.exception("job %s failed", job.name)
        error = type(failure).__name__
    finally:
        for task in (keeping, running):
            task.cancel()
        await asyncio.gather(keeping, running, return_exceptions=True)
    async with pool.connection() as connection:
        await QUERIES["finish_job"].execute(
            connection,
            name=job.name,
            lease=lease,
            seconds=job.interval,
            count=count,
            error=error,
        )
    return count


async def run_due_jobs(pool: Pool, jobs: Iterable[Job]) -> dict[str, int | None]:
    """Run each job that is due, one after the other; how many things by name, None for failed."""
    lease = uuid4()
    async with pool.connection() as connection:
        due = await claim_jobs(connection, jobs, lease)
    return {job.name: await run_job(pool, job, lease) for job in due}


async def _keep(pool: Pool, job: Job, lease: UUID) -> None:
    """Hold the job's lease; returns when another worker has it."""
    while True:
        await asyncio.sleep(LEASE / 3)
        try:
            async with pool.connection() as connection:
                kept = await QUERIES["keep_job"].execute(
                    connection, name=job.name, lease=lease, seconds=LEASE
                )
        except (psycopg.OperationalError, ShopflowError) as error:
            # It may hold yet: the next time tells.
            _log.warning("job %s: the lease could not be renewed (%s)", job.name, error)
            continue
        if not kept:
            return
