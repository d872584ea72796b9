"""Finishes what a crash or a lost answer left open, in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shopflow.errors import ConstraintViolatedError, InvalidInputError
from shopflow.ids import PaymentOperationId
from shopflow.orders.payments import waiting_events
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.executing import ask, execute, get_call, get_outcome, settle
from shopflow.orders.payments.gateway import Declined, Gateway, Gateways, Kind, Succeeded, Unknown
from shopflow.orders.payments.intents import PAYABLE, QUERIES
from shopflow.orders.payments.models import Call, OperationStatus
from shopflow.orders.payments.recording import NeverHappened
from shopflow.postgres.pool import Pool

# Seconds: longer than any call of a gateway may take, so that a call under way is left alone.
OLDER_THAN = 60.0
LONGEST_AGE = 10 * 365 * 86400.0

Action = Literal[
    "recorded", "asked again", "given up", "still unknown", "refused", "no such gateway here"
]


class Recovered(msgspec.Struct, frozen=True):
    """An operation that was open, what was done about it and what became of it.

    `action`: the gateway's answer of then was `recorded`; it knew of none and was `asked again`,
    or the operation was `given up`; it did not answer and it is `still unknown`; or what it says
    cannot be so and was `refused`, with the reason in `problem`, which is for people to look at.
    """

    operation_id: PaymentOperationId
    gateway: str
    kind: Kind
    amount: Decimal
    before: OperationStatus
    action: Action
    after: OperationStatus
    problem: str | None = None


class WaitingEvent(msgspec.Struct, frozen=True):
    """An event of a gateway that could not be applied yet; `problem` None when it was not tried."""

    event_id: str
    gateway: str
    kind: Kind
    amount: Decimal
    authorization_reference: str
    problem: str | None


class Recovery(msgspec.Struct, frozen=True):
    """What recovery did, or would do.

    `events_applied` of those that waited; `events_waiting` still do, which `waiting` names, with
    what was in the way when each was last tried.
    """

    dry_run: bool
    operations: tuple[Recovered, ...]
    events_applied: int
    events_waiting: int
    waiting: tuple[WaitingEvent, ...] = ()

    @property
    def open(self) -> int:
        """How many operations are without an outcome still."""
        return sum(each.after in {"pending", "unknown"} for each in self.operations)


class _Cutoff(msgspec.Struct, frozen=True):
    before: datetime


class _Claimed(msgspec.Struct, frozen=True):
    id: PaymentOperationId


async def recover(
    pool: Pool, gateways: Gateways, *, older_than: float = OLDER_THAN, dry_run: bool = False
) -> Recovery:
    """Ask the gateways what became of the operations left open, and finish them.

    What has happened is recorded. What has not: a capture, void or refund is asked for again
    with the same key, but no capture for a cancelled order; an authorization is given up, as it
    needs the customer. Then the events that wait are tried again. May run several times at once
    and beside calls and webhooks: each operation is taken by one, and has one effect.

    Args:
        pool: the shop.
        gateways: by name; operations of others are left as they are.
        older_than: seconds since an operation's gateway was last asked; what is younger may be
            under way.
        dry_run: ask the gateways, and change nothing.

    Raises:
        InvalidInputError: when `older_than` is negative or no number.
    """
    if not 0 <= older_than <= LONGEST_AGE:
        raise InvalidInputError("older_than", older_than, "must be a number of seconds from 0")
    async with pool.connection() as connection:
        (cutoff,) = await QUERIES["get_recovery_cutoff"].rows(
            connection, _Cutoff, older_than=older_than
        )
    if dry_run:
        return await _look(pool, gateways, cutoff.before)
    done = [
        await _finish(pool, gateways, call) async for call in _claim(pool, gateways, cutoff.before)
    ]
    foreign = [
        _left(call)
        for call in await _list_open(pool, cutoff.before)
        if call.gateway not in gateways
    ]
    applied = await _apply_events(pool, gateways)
    waiting = await waiting_events.list_waiting(pool, list(gateways))
    return Recovery(
        dry_run=False,
        operations=(*done, *foreign),
        events_applied=applied,
        events_waiting=len(waiting),
        waiting=_named(waiting),
    )


async def _claim(pool: Pool, gateways: Gateways, before: datetime) -> AsyncIterator[Call]:
    """Take one open operation after the other, each for as long as `older_than`."""
    while True:
        async with pool.connection() as connection:
            claimed = await QUERIES["claim_open_operation"].row(
                connection, _Claimed, before=before, gateways=list(gateways)
            )
        if claimed is None:
            return
        yield await get_call(pool, claimed.id)


async def _finish(pool: Pool, gateways: Gateways, call: Call) -> Recovered:
    gateway = gateways[call.gateway]
    action, result = await _decide(gateway, call)
    if action == "asked again":
        result = await ask(gateway, call, None)
    problem = None
    if result is not None:
        try:
            await settle(pool, gateways, call, result)
        except (PaymentRefusedError, ConstraintViolatedError) as error:
            # One that cannot be must not keep the others from being finished.
            action, problem = "refused", str(error)
    after = (await get_outcome(pool, call.id)).status
    return _recovered(call, action, after, problem)


async def _decide(
    gateway: Gateway, call: Call
) -> tuple[Action, Succeeded | Declined | Unknown | NeverHappened | None]:
    """Return what to do, and what is to be recorded; None for what the gateway will say."""
    found = await gateway.find(call.idempotency_key)
    if isinstance(found, Unknown):
        return "still unknown", found
    if found is not None:
        return "recorded", found
    if call.kind == "authorize":
        return "given up", NeverHappened("not_executed")
    if call.kind == "capture" and call.order_status not in PAYABLE:
        return "given up", NeverHappened("order_cancelled")
    return "asked again", None


async def _look(pool: Pool, gateways: Gateways, before: datetime) -> Recovery:
    seen = []
    for call in await _list_open(pool, before):
        if call.gateway not in gateways:
            seen.append(_left(call))
            continue
        action, result = await _decide(gateways[call.gateway], call)
        seen.append(_recovered(call, action, _status_after(call, result)))
    waiting = await waiting_events.list_waiting(pool, list(gateways))
    return Recovery(
        dry_run=True,
        operations=tuple(seen),
        events_applied=0,
        events_waiting=len(waiting),
        waiting=_named(waiting),
    )


def _named(waiting: Iterable[waiting_events.StoredEvent]) -> tuple[WaitingEvent, ...]:
    return tuple(
        WaitingEvent(
            event_id=each.event_id,
            gateway=each.gateway,
            kind=each.kind,
            amount=each.amount,
            authorization_reference=each.authorization_reference,
            problem=each.problem,
        )
        for each in waiting
    )


def _status_after(
    call: Call, result: Succeeded | Declined | Unknown | NeverHappened | None
) -> OperationStatus:
    match result:
        case Succeeded():
            return "succeeded"
        case Declined():
            return "declined"
        case NeverHappened():
            return "failed"
        case _:
            return call.status


async def _list_open(pool: Pool, before: datetime) -> list[Call]:
    async with pool.connection() as connection:
        return await QUERIES["list_open_calls"].rows(connection, Call, before=before)


async def _apply_events(pool: Pool, gateways: Gateways) -> int:
    """Try every waiting event again, as long as one makes way for another; return how many went."""
    applied = 0
    progress = True
    while progress:
        progress = False
        for event in await waiting_events.list_waiting(pool, list(gateways)):
            following = await waiting_events.apply_event(pool, event)
            if following is not None:
                progress = True
                applied += 1
                for each in following:
                    await execute(pool, gateways, each)
    return applied


def _recovered(
    call: Call, action: Action, after: OperationStatus, problem: str | None = None
) -> Recovered:
    return Recovered(
        call.id, call.gateway, call.kind, call.amount, call.status, action, after, problem
    )


def _left(call: Call) -> Recovered:
    return _recovered(call, "no such gateway here", call.status)
