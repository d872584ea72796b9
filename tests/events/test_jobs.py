"""Periodic jobs: one worker at a time, taken over when it dies; and what the standing ones delete."""

import asyncio
from uuid import uuid4

import pytest
from psycopg import errors

from shopflow import Shop
from shopflow.events import cleaning, jobs
from shopflow.events.jobs import Job
from shopflow.postgres.pool import Pool
from tests.catalogue import a_user, run
from tests.events.conftest import an_order, events


class Work:
    """A job that can be held up, and knows how often it runs and ran."""

    def __init__(self, *, held: bool = False) -> None:
        self.runs = 0
        self.at_once = 0
        self.most_at_once = 0
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        if not held:
            self.may_end.set()

    async def __call__(self, _pool: Pool) -> int:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        try:
            await self.may_end.wait()
        finally:
            self.at_once -= 1
        return 7


async def row(shop: Shop) -> tuple[object, ...]:
    ((*found,),) = await run(shop, "SELECT last_count, last_error, lease IS NULL FROM worker_jobs")
    return tuple(found)


async def due(shop: Shop, job: Job) -> list[Job]:
    async with shop.pool.connection() as connection:
        await jobs.add_jobs(connection, [job])
        return await jobs.claim_jobs(connection, [job], uuid4())


async def test_a_job_runs_when_it_is_due_and_not_before(shop: Shop) -> None:
    work = Work()
    job = Job("tidy", 3600, work)
    worker = shop.events.worker(jobs=[job])
    assert (await worker.run_once()).jobs == {"tidy": 7}
    assert (await worker.run_once()).jobs == {}
    await run(shop, "UPDATE worker_jobs SET next_run_at = now()")
    assert (await worker.run_once()).jobs == {"tidy": 7}
    assert work.runs == 2
    assert await row(shop) == (7, None, True)


async def test_of_many_workers_one_runs_it(shop: Shop) -> None:
    work = Work(held=True)
    job = Job("tidy", 3600, work)
    workers = [shop.events.worker(jobs=[job]) for _ in range(4)]
    running = [asyncio.create_task(each.run_once()) for each in workers]
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    await work.begun.wait()
    work.may_end.set()
    await asyncio.gather(*running)
    assert (work.runs, work.most_at_once) == (1, 1)


async def test_a_job_of_a_dead_worker_is_taken_over(shop: Shop) -> None:
    job = Job("tidy", 3600, Work())
    assert await due(shop, job) == [job]
    # That worker is killed here.
    assert await due(shop, job) == []
    await run(shop, "UPDATE worker_jobs SET leased_until = now() - interval '1 second'")
    assert (await shop.events.worker(jobs=[job]).run_once()).jobs == {"tidy": 7}


async def test_a_long_job_keeps_its_lease_and_ends_when_it_is_lost(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", 0.3)
    work = Work(held=True)
    job = Job("tidy", 3600, work)
    running = asyncio.create_task(shop.events.worker(jobs=[job]).run_once())
    await work.begun.wait()
    before = await run(shop, "SELECT leased_until FROM worker_jobs")
    async with asyncio.timeout(10):
        while await run(shop, "SELECT leased_until FROM worker_jobs") <= before:
            await asyncio.sleep(0.01)
    await run(shop, "UPDATE worker_jobs SET lease = uuidv7(), last_count = 1")
    assert (await running).jobs == {"tidy": None}
    assert work.at_once == 0
    # What the other worker notes is not overwritten.
    assert await row(shop) == (1, None, False)


async def test_a_job_that_fails_is_noted_and_tried_the_next_time(shop: Shop) -> None:
    async def fail(_pool: Pool) -> int:
        raise LookupError("with a secret")

    assert (await shop.events.worker(jobs=[Job("bad", 3600, fail)]).run_once()).jobs == {
        "bad": None
    }
    assert await row(shop) == (None, "LookupError", True)


async def test_a_running_worker_runs_jobs_and_gives_back_an_interrupted_one(shop: Shop) -> None:
    work = Work(held=True)
    running = asyncio.create_task(shop.events.worker(jobs=[Job("tidy", 3600, work)]).run())
    await work.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.at_once == 0
    assert await run(shop, "SELECT next_run_at <= now(), lease FROM worker_jobs") == [(True, None)]


OLD = (
    "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type)"
    " VALUES (uuidv7('-%s days'), 'order', uuidv7(), 'order.placed')"
)


async def test_old_events_go_unless_somebody_waits_for_them(shop: Shop) -> None:
    await run(shop, OLD % 31)
    await run(shop, OLD % 29)
    await an_order(shop)
    assert await cleaning.expire_events(shop.pool) == 1
    await run(shop, "INSERT INTO event_consumers (name, kind) VALUES ('test', 'python')")
    await run(shop, OLD % 40)
    assert await cleaning.expire_events(shop.pool) == 0
    await run(
        shop, "UPDATE event_deliveries SET state = 'dead', finished_at = now() - interval '29 days'"
    )
    assert await cleaning.expire_events(shop.pool) == 0
    await run(shop, "UPDATE event_deliveries SET finished_at = now() - interval '31 days'")
    assert await cleaning.expire_events(shop.pool) == 1
    assert len(await events(shop)) == 2


async def test_what_waits_for_a_consumer_that_is_off_goes_with_its_event(shop: Shop) -> None:
    await run(shop, "INSERT INTO event_consumers (name, kind) VALUES ('test', 'python')")
    await run(shop, OLD % 40)
    await run(shop, "UPDATE event_consumers SET is_active = false")
    assert await cleaning.expire_events(shop.pool) == 1
    assert await run(shop, "SELECT count(*) FROM event_deliveries") == [(0,)]


async def test_that_something_was_delivered_is_forgotten_after_a_week(shop: Shop) -> None:
    await run(shop, "INSERT INTO event_consumers (name, kind) VALUES ('test', 'python')")
    await an_order(shop)
    await an_order(shop)
    await run(
        shop,
        "UPDATE event_deliveries SET state = 'delivered', finished_at = now() - CASE"
        " WHEN position = (SELECT min(position) FROM outbox_events) THEN interval '8 days'"
        " ELSE interval '6 days' END",
    )
    assert await cleaning.expire_events(shop.pool) == 1
    assert await run(shop, "SELECT count(*) FROM event_deliveries") == [(1,)]
    assert len(await events(shop)) == 2


async def test_nobody_has_todays_events_deleted(shop: Shop) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="a day at least"):
        await cleaning.expire_events(shop.pool, keep=0)


async def test_expired_sessions_and_tokens_go(shop: Shop) -> None:
    user_id = await a_user(shop)
    await run(
        shop,
        "INSERT INTO user_sessions (user_id, refresh_token_hash, created_at, expires_at)"
        " SELECT %(user_id)s, sha256(n::text::bytea), now() - interval '2 days',"
        " now() + (n - 5) * interval '1 hour' FROM generate_series(0, 9) AS n",
        user_id=user_id,
    )
    for table in ("password_resets", "email_verifications"):
        columns = "user_id, token_hash, created_at, expires_at"
        values = "%(user_id)s, sha256('x'), now() - interval '2 days', now() - interval '1 day'"
        if table == "email_verifications":
            columns, values = f"{columns}, email", f"{values}, 'a@example.com'"
        await run(shop, f"INSERT INTO {table} ({columns}) VALUES ({values})", user_id=user_id)
    assert await cleaning.clean_accounts(shop.pool) == 8
    left = await run(shop, "SELECT count(*) FILTER (WHERE expires_at > now()) FROM user_sessions")
    assert left == [(4,)]


async def test_a_worker_that_ended_holds_no_bell(shop: Shop) -> None:
    """A worker that ended holds no advisory lock: shop transactions would notify for nobody."""
    worker = shop.events.worker(jobs=())
    running = asyncio.create_task(worker.run())
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
    async with asyncio.timeout(10):
        while not await run(shop, held):
            await asyncio.sleep(0.01)
    worker.stop()
    await running
    async with asyncio.timeout(10):
        while await run(shop, held):
            await asyncio.sleep(0.01)
