"""The worker: delivers events to webhooks and Python consumers, and runs the periodic jobs."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from time import monotonic
from uuid import UUID, uuid4

import msgspec
import psycopg

from shopflow.errors import (
    CommitOutcomeUnknownError,
    InvalidInputError,
    PoolTimeoutError,
    ServerError,
)
from shopflow.events.backoff import MOST_ATTEMPTS, pause_after
from shopflow.events.bell import Bell
from shopflow.events.consumers import checked_name, register_consumer, switch
from shopflow.events.deliveries import (
    ActiveConsumer,
    Delivery,
    Outcome,
    active_consumers,
    claim,
    record,
    release,
)
from shopflow.events.jobs import Job, add_jobs, claim_jobs, run_due_jobs, run_job
from shopflow.events.models import Event
from shopflow.events.sending import TIMEOUT, Sender
from shopflow.events.types import EVERYTHING, checked_event_types
from shopflow.postgres.pool import Pool

Handler = Callable[[Event], Awaitable[None]]
# Seconds: between two looks for work and for jobs, and while the server is away.
POLL, JOB_POLL, PAUSE = 1.0, 5.0, 1.0
# While transactions under way have made deliveries that nobody will be notified of.
BUSY_POLL = 0.05
# Longer than an attempt may take, so that only a dead worker loses its lease.
MARGIN = 30.0
# What is under way when the worker is stopped has this long to end.
GRACE = 30.0
CONCURRENCY, TIME_LIMIT = 8, 30.0
AWAY = (psycopg.OperationalError, ServerError, PoolTimeoutError, CommitOutcomeUnknownError)
_log = logging.getLogger(__name__)


class _Python(msgspec.Struct, frozen=True):
    handler: Handler
    event_types: list[str]
    time_limit: float


class Done(msgspec.Struct, frozen=True):
    """What `run_once` did: attempts by how they ended, and the jobs with what they dealt with.

    A job is None when it failed.
    """

    delivered: int
    failed: int
    dead: int
    jobs: dict[str, int | None]


class Worker:
    """Delivers events and runs jobs until it is stopped; several share the work.

    Every event that a consumer wants is delivered at least once: again after a failure, and again
    after this process was killed before it could note that it was taken. Consumers know it again
    by `Event.id`. Of one consumer, the events of one order (one aggregate) come one after the
    other, the next only when the one before was taken or given up; those of different orders come
    in any order and at the same time. Two changes of an order whose transactions ran at the same
    time, neither waiting for the other, have no order. An event that was given up and is retried by
    hand comes late, and after a worker that hung for longer than its lease woke up again one may
    come twice and late: `Event.position` tells which is newer.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        concurrency: int = CONCURRENCY,
        jobs: Iterable[Job] = (),
        webhooks: bool = True,
    ) -> None:
        """Prepare a worker; nothing runs before `run`.

        Args:
            pool: the shop's.
            concurrency: how many deliveries may be under way for each consumer.
            jobs: what to do now and then.
            webhooks: whether to send webhooks; Python consumers are those added to this worker.

        Raises:
            InvalidInputError: for a concurrency below 1.
        """
        if concurrency < 1:
            raise InvalidInputError("concurrency", concurrency, "must be at least 1")
        self._pool = pool
        self._concurrency = concurrency
        self._jobs = tuple(jobs)
        self._webhooks = webhooks
        self._handlers: dict[str, _Python] = {}
        self._bell = Bell(pool.settings)
        self._sender = Sender()
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], str] = {}
        self._counts: Counter[str] = Counter()
        self._consumers: list[ActiveConsumer] = []
        self._read_at = -POLL
        self._jobs_at = -JOB_POLL

    def consumer(
        self,
        name: str,
        event_types: Iterable[str] = (EVERYTHING,),
        *,
        time_limit: float = TIME_LIMIT,
    ) -> Callable[[Handler], Handler]:
        """Have an async function called with every event of these types; for use as a decorator.

        When it returns, the event was taken. When it raises or takes longer than `time_limit`
        seconds it is called again later, up to `backoff.MOST_ATTEMPTS` times. Events are kept for
        it under its name from the first time a worker with it runs, whether one runs or not.

        Raises:
            InvalidInputError: for a name or type that cannot be, or a name that is there already.
        """
        if checked_name(name) in self._handlers:
            raise InvalidInputError("name", name, "is the name of another consumer of this worker")
        wanted = checked_event_types(event_types)

        def add(handler: Handler) -> Handler:
            self._handlers[name] = _Python(handler, wanted, time_limit)
            return handler

        return add

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def stop(self) -> None:
        """Have `run` take nothing more and return once what is under way has ended.

        Raises nothing of its own.
        """
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver and run jobs until `stop`; the server may go away meanwhile and come back.

        What is still under way 30 s after `stop`, or when this is cancelled, is interrupted and
        given back, so that another worker has it at once.

        Raises:
            InvalidInputError: when a consumer has the name of a webhook.
            ServerError, psycopg.Error: when the server cannot be reached in the beginning.
        """
        await self._register()
        async with self._sender:
            try:
                while not self._stopping:
                    await self._once_around()
                await self._finish(GRACE)
            finally:
                await self._give_back()
                await self._bell.close()

    async def run_once(self) -> Done:
        """Deliver what is due now, run the jobs that are, and return; a failure is left for later.

        Raises:
            InvalidInputError: when a consumer has the name of a webhook.
            ServerError, psycopg.Error: when the server cannot be reached, or goes away.
        """
        await self._register()
        self._counts.clear()
        # A consumer that is new to the shop since the last time is to be found.
        self._read_at = -POLL
        async with self._sender:
            try:
                while await self._take() or self._running:
                    await self._finished_one()
                jobs = await run_due_jobs(self._pool, self._jobs)
            finally:
                await self._give_back()
        counted = self._counts
        return Done(counted["delivered"], counted["failed"], counted["dead"], jobs)

    async def _register(self) -> None:
        async with self._pool.connection() as connection:
            for name, python in self._handlers.items():
                await register_consumer(connection, name, python.event_types)
            await add_jobs(connection, self._jobs)

    async def _once_around(self) -> None:
        try:
            self._wake.clear()
            taken = await self._take()
            await self._start_jobs()
            if not taken:
                await self._sleep()
        except AWAY as error:
            _log.warning("the server is away: %s", error)
            await self._bell.close()
            await asyncio.sleep(PAUSE)

    async def _take(self) -> int:
        """Take what is due, as far as there is room, and begin to deliver it; how many."""
        taken = 0
        async with self._pool.connection() as connection:
            if monotonic() - self._read_at >= POLL:
                self._consumers = await active_consumers(connection, list(self._handlers))
                self._read_at = monotonic()
            under_way = Counter(self._running.values())
            for consumer in self._consumers:
                room = self._concurrency - under_way[consumer.name]
                if (
                    self._stopping
                    or room < 1
                    or (consumer.kind == "webhook" and not self._webhooks)
                ):
                    continue
                seconds = self._time_limit(consumer) + MARGIN
                for delivery in await claim(
                    connection, consumer, lease=uuid4(), seconds=seconds, limit=room
                ):
                    self._start(self._deliver(delivery), consumer.name)
                    taken += 1
        return taken

    def _time_limit(self, consumer: ActiveConsumer) -> float:
        return TIMEOUT if consumer.kind == "webhook" else self._handlers[consumer.name].time_limit

    def _start(self, work: Coroutine[None, None, None], whose: str) -> None:
        task = asyncio.create_task(work)
        self._running[task] = whose
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        whose = self._running.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nothing is lost: the lease runs out.
            _log.error("%s: what came of it could not be noted: %s", whose, error)
        self._wake.set()

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcome = await self._attempt(delivery)
            await self._record(delivery, outcome)
        except asyncio.CancelledError:
            async with self._pool.connection() as connection:
                await release(connection, delivery)
            raise

    async def _attempt(self, delivery: Delivery) -> Outcome:
        consumer, event = delivery.consumer, delivery.event
        if event.attempt > MOST_ATTEMPTS:
            # Not tried once more: it may be what kills the workers.
            return Outcome(error="the worker died in the last attempt")
        if consumer.kind == "webhook":
            return await self._sender.send(consumer, event)
        python = self._handlers[consumer.name]
        limit = asyncio.timeout(python.time_limit)
        try:
            async with limit:
                await python.handler(event)
        except Exception as error:  # noqa: BLE001 the handler is anybody's code
            if limit.expired():
                return Outcome(error=f"took longer than {python.time_limit:g} s")
            _log.exception("consumer %s failed with event %s", consumer.name, event.id)
            return Outcome(error=type(error).__name__)
        return Outcome()

    async def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        """Note how an attempt ended; while the server is away, as long as the lease lasts."""
        consumer, event = delivery.consumer, delivery.event
        pause = pause_after(event.attempt, random.random(), outcome.retry_after)  # noqa: S311
        deadline = monotonic() + MARGIN
        while True:
            try:
                async with self._pool.connection() as connection:
                    recorded = await record(connection, delivery, outcome, pause)
                    if outcome.gone:
                        await switch(connection, consumer.name, on=False, reason=outcome.error)
                break
            except AWAY:
                if monotonic() > deadline:
                    raise
                await asyncio.sleep(PAUSE)
        if recorded is None:
            _log.warning("%s: event %s is another worker's by now", consumer.name, event.id)
            return
        self._counts[recorded] += 1
        if outcome.error is not None:
            _log.warning(
                "%s: event %s %s, attempt %d: %s",
                consumer.name,
                event.id,
                recorded,
                event.attempt,
                outcome.error,
            )

    async def _start_jobs(self) -> None:
        if self._stopping or monotonic() - self._jobs_at < JOB_POLL:
            return
        lease = uuid4()
        async with self._pool.connection() as connection:
            due = await claim_jobs(connection, self._jobs, lease)
        self._jobs_at = monotonic()
        for job in due:
            self._start(self._run_job(job, lease), f"job {job.name}")

    async def _run_job(self, job: Job, lease: UUID) -> None:
        await run_job(self._pool, job, lease)

    async def _sleep(self) -> None:
        """Wait for work: a notification, the end of a delivery, or a second."""
        state = await self._bell.take()
        try:
            if await self._take() or self._stopping:
                return
            seconds = BUSY_POLL if state == "busy" else POLL
            waits = {
                asyncio.create_task(self._bell.wait(seconds)),
                asyncio.create_task(self._wake.wait()),
            }
            try:
                done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)
            for wait in done:
                wait.result()
        finally:
            if state == "held":
                await self._bell.let_go()

    async def _finished_one(self) -> None:
        if self._running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self, seconds: float) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _give_back(self) -> None:
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
