"""`shop.events`: the functions of this package on the shop's pool."""

from __future__ import annotations

from collections.abc import Iterable

from shopflow.events import consumers, deliveries
from shopflow.events.consumers import CHANGE_OVER
from shopflow.events.jobs import Job
from shopflow.events.models import Consumer, DeadLetter, NewWebhook
from shopflow.events.standard_jobs import standard_jobs
from shopflow.events.types import EVERYTHING
from shopflow.events.worker import CONCURRENCY, Worker
from shopflow.ids import EventId
from shopflow.orders.payments.gateway import Gateways
from shopflow.postgres.pool import Pool


class Events:
    """Who is told what happens in a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool, gateways: Gateways) -> None:
        self._pool = pool
        self._gateways = gateways

    async def add_webhook(
        self, url: str, event_types: Iterable[str] = (EVERYTHING,), *, name: str | None = None
    ) -> NewWebhook:
        """Have events sent to a URL from now on; see `consumers.add_webhook`."""
        async with self._pool.connection() as connection:
            return await consumers.add_webhook(connection, url, event_types, name=name)

    async def consumers(self) -> list[Consumer]:
        """Return webhooks and Python consumers by name; see `consumers.list_consumers`."""
        async with self._pool.connection() as connection:
            return await consumers.list_consumers(connection)

    async def remove(self, name: str) -> None:
        """Forget a consumer and what waits for it; see `consumers.remove_consumer`."""
        async with self._pool.connection() as connection:
            await consumers.remove_consumer(connection, name)

    async def rotate_secret(self, name: str, *, change_over: float = CHANGE_OVER) -> str:
        """Give a webhook a new secret and return it; see `consumers.rotate_secret`."""
        async with self._pool.connection() as connection:
            return await consumers.rotate_secret(connection, name, change_over=change_over)

    async def switch(self, name: str, *, on: bool) -> None:
        """Switch a consumer on or off; see `consumers.switch`."""
        async with self._pool.connection() as connection:
            await consumers.switch(connection, name, on=on)

    async def dead(self, consumer: str | None = None, *, limit: int = 100) -> list[DeadLetter]:
        """Return the latest dead letters; see `deliveries.list_dead`."""
        async with self._pool.connection() as connection:
            return await deliveries.list_dead(connection, consumer, limit=limit)

    async def retry(self, consumer: str | None = None, event_id: EventId | None = None) -> int:
        """Have dead letters tried again; see `deliveries.retry_dead`."""
        async with self._pool.connection() as connection:
            return await deliveries.retry_dead(connection, consumer, event_id)

    def standard_jobs(self) -> tuple[Job, ...]:
        """Return the jobs of every worker, to add others to; see `standard_jobs.standard_jobs`."""
        return standard_jobs(self._pool.settings, self._gateways)

    def worker(
        self,
        *,
        concurrency: int = CONCURRENCY,
        jobs: Iterable[Job] | None = None,
        webhooks: bool = True,
    ) -> Worker:
        """Return a worker, to be given consumers and run; see `worker.Worker`.

        `jobs` None are the standard ones, `()` none at all.
        """
        return Worker(
            self._pool,
            concurrency=concurrency,
            jobs=self.standard_jobs() if jobs is None else jobs,
            webhooks=webhooks,
        )
