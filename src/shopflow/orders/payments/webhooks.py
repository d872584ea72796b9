"""Webhooks of gateways: checked, stored, then applied once, in whatever order they come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec.structs import asdict

from shopflow.orders.payments import waiting_events
from shopflow.orders.payments.executing import execute
from shopflow.orders.payments.gateway import Gateways, gateway_named
from shopflow.orders.payments.intents import QUERIES
from shopflow.orders.payments.waiting_events import StoredEvent
from shopflow.postgres.pool import Pool


class Receipt(msgspec.Struct, frozen=True):
    """What was done with a webhook; whatever it is, the gateway gets a 200 for it.

    `applied`: it is in effect. `duplicate`: it was before. `waiting`: it is stored, and applied
    once what it refers to is there, by the next event or by recovery.
    """

    event_id: str
    what: Literal["applied", "duplicate", "waiting"]


class _Applied(msgspec.Struct, frozen=True):
    applied: bool


async def handle_webhook(
    pool: Pool,
    gateways: Gateways,
    gateway: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime | None = None,
) -> Receipt:
    """Take in a webhook: every event has its effect once, in any order, however often it comes.

    It is stored and committed before it is applied, so one that was answered is never lost; what
    cannot be applied yet waits. What follows from it, such as the refund of a payment for a
    cancelled order, is asked of the gateway before this returns.

    Args:
        pool: the shop.
        gateways: by name.
        gateway: the name of the one that is said to have sent it.
        headers: of the request; names in any case.
        body: of the request, exactly as it came.
        now: for the age of the signature; None for the clock's.

    Raises:
        NotFoundError: when there is no such gateway.
        WebhookRefusedError: when it is not signed by the gateway, too old, or no event: answer
            with a 400.
        PaymentRefusedError: when what follows from it came to something that cannot be; the event
            is stored, and `recover` names the operation.
    """
    sender = gateway_named(gateways, gateway)
    event = sender.read_event(headers, body, now or datetime.now(UTC))
    new = await waiting_events.store(pool, gateway, event)
    if not new and await _is_applied(pool, gateway, event.event_id):
        return Receipt(event.event_id, "duplicate")
    done = await waiting_events.apply_event(pool, StoredEvent(gateway=gateway, **asdict(event)))
    if done is not None:
        later = await waiting_events.apply_all(pool, gateway, event.authorization_reference)
        for each in [*done, *later]:
            await execute(pool, gateways, each)
    applied = await _is_applied(pool, gateway, event.event_id)
    return Receipt(event.event_id, "applied" if applied else "waiting")


async def _is_applied(pool: Pool, gateway: str, event_id: str) -> bool:
    async with pool.connection() as connection:
        found = await QUERIES["is_event_applied"].row(
            connection, _Applied, gateway=gateway, event_id=event_id
        )
    return found is not None and found.applied
