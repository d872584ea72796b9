"""Taking deliveries and noting what came of them: one statement each, the clock is the server's."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import InvalidInputError
from shopflow.events.consumers import QUERIES, require_consumer
from shopflow.events.models import ConsumerKind, DeadLetter, Event
from shopflow.ids import ConsumerId, EventId

MOST_DEAD = 1000


class ActiveConsumer(msgspec.Struct, frozen=True):
    """A consumer as the worker needs it."""

    id: ConsumerId
    name: str
    kind: ConsumerKind
    url: str | None
    secret: str | None
    previous_secret: str | None

    @property
    def secrets(self) -> list[str]:
        """The secrets in force, the newest first."""
        return [each for each in (self.secret, self.previous_secret) if each is not None]

    def __repr__(self) -> str:
        """Show it without URL and secrets."""
        return f"ActiveConsumer(name={self.name!r})"


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended.

    Attributes:
        status: the HTTP status, None without an answer.
        error: what went wrong in our words, None when it was taken.
        retry_after: seconds that the receiver asked for.
        gone: whether it wants no more events, ever (410).
    """

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    gone: bool = False


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to a consumer, ours until the lease runs out."""

    consumer: ActiveConsumer
    event: Event
    lease: UUID


Recorded = Literal["delivered", "failed", "dead"]


async def active_consumers(
    connection: AsyncConnection[Any], names: list[str]
) -> list[ActiveConsumer]:
    """Return all webhooks that are on, and of the Python consumers those of these names."""
    return await QUERIES["get_active_consumers"].rows(connection, ActiveConsumer, names=names)


async def claim(
    connection: AsyncConnection[Any],
    consumer: ActiveConsumer,
    *,
    lease: UUID,
    seconds: float,
    limit: int,
) -> list[Delivery]:
    """Take up to `limit` deliveries that are due for a consumer, for `seconds`.

    Of each aggregate only the first that is not yet over, so at most one. Nobody else gets them
    until then; afterwards another worker does, this one having died.
    """
    rows = await QUERIES["claim_deliveries"].rows(
        connection, Event, consumer_id=consumer.id, lease=lease, seconds=seconds, limit=limit
    )
    return [Delivery(consumer, event, lease) for event in sorted(rows, key=_position)]


async def record(
    connection: AsyncConnection[Any], delivery: Delivery, outcome: Outcome, pause: float | None
) -> Recorded | None:
    """Note how an attempt ended; None when the lease had run out and it is another's now.

    Args:
        connection: where to write it.
        delivery: what was tried.
        outcome: how it ended.
        pause: seconds until it is tried again after a failure; None makes it a dead letter.
    """
    keys = _keys(delivery) | {"status": outcome.status}
    if outcome.error is None:
        done = await QUERIES["record_delivered"].execute(connection, **keys)
        return "delivered" if done else None
    if pause is None:
        dead = await QUERIES["record_dead"].execute(connection, **keys, error=outcome.error)
        return "dead" if dead else None
    await QUERIES["record_failed"].execute(connection, **keys, error=outcome.error, delay=pause)
    return "failed"


async def release(connection: AsyncConnection[Any], delivery: Delivery) -> None:
    """Give back what was not tried to the end."""
    await QUERIES["release_delivery"].execute(connection, **_keys(delivery))


async def list_dead(
    connection: AsyncConnection[Any], consumer: str | None = None, *, limit: int = 100
) -> list[DeadLetter]:
    """Return the latest dead letters, of one consumer or of all.

    Args:
        connection: where to ask.
        consumer: whose; None for all.
        limit: how many at most, 1 to 1000.

    Raises:
        InvalidInputError: for another limit.
        NotFoundError: when there is no consumer of this name.
    """
    if not 1 <= limit <= MOST_DEAD:
        raise InvalidInputError("limit", limit, f"must be from 1 to {MOST_DEAD}")
    found = await QUERIES["list_dead"].rows(connection, DeadLetter, consumer=consumer, limit=limit)
    if not found:
        await require_consumer(connection, consumer)
    return found


async def retry_dead(
    connection: AsyncConnection[Any],
    consumer: str | None = None,
    event_id: EventId | None = None,
) -> int:
    """Have dead letters tried again from the beginning; return how many.

    They come late: later events of the same aggregate may have arrived before.

    Args:
        connection: where to write it.
        consumer: whose; None for all.
        event_id: which; None for all.

    Raises:
        NotFoundError: when there is no consumer of this name.
    """
    retried = await QUERIES["retry_dead"].execute(connection, consumer=consumer, event_id=event_id)
    if not retried:
        await require_consumer(connection, consumer)
    return retried


def _keys(delivery: Delivery) -> dict[str, object]:
    return {
        "consumer_id": delivery.consumer.id,
        "event_id": delivery.event.id,
        "lease": delivery.lease,
    }


def _position(event: Event) -> int:
    return event.position
