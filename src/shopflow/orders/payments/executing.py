"""Asks a gateway for what was written down, outside of any transaction, and records the answer."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import assert_never

import msgspec

from shopflow.errors import ConstraintViolatedError, NotFoundError
from shopflow.ids import PaymentOperationId, UserId
from shopflow.orders.payments import waiting_events
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.gateway import (
    Gateway,
    Gateways,
    Result,
    Unknown,
    gateway_named,
)
from shopflow.orders.payments.intents import QUERIES
from shopflow.orders.payments.models import Call, Outcome
from shopflow.orders.payments.recording import NeverHappened, record
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction


class _Id(msgspec.Struct, frozen=True):
    id: PaymentOperationId


async def execute(
    pool: Pool,
    gateways: Gateways,
    operation_id: PaymentOperationId,
    *,
    token: str | None = None,
    actor: UserId | None = None,
) -> Outcome:
    """Have an operation's gateway do it, unless that is done, and record what came of it.

    Called again, also by several at once, it has one effect: the gateway is asked with the same
    key. What follows from it (see `recording.record`) is executed too. A caller who is cancelled
    leaves the rest to recovery.

    Args:
        pool: the shop.
        gateways: by name.
        operation_id: of an intent that is committed.
        token: the gateway's for the means of payment; only an authorization needs it.
        actor: who says so, for the history; None for the shop itself.

    Raises:
        NotFoundError: when there is no such operation, gateway or actor.
    """
    call = await get_call(pool, operation_id)
    gateway = gateway_named(gateways, call.gateway)
    if await _claim(pool, operation_id):
        result = await ask(gateway, call, token)
        await settle(pool, gateways, call, result, actor=actor)
    return await get_outcome(pool, operation_id)


async def execute_all(
    pool: Pool,
    gateways: Gateways,
    operation_ids: Iterable[PaymentOperationId],
    *,
    actor: UserId | None = None,
) -> tuple[Outcome, ...]:
    """Execute what was written with something that is done already; none keeps another from it.

    What is with a gateway that is not here, or whose answer cannot be, is left to recovery, which
    says why; its outcome is that of before.
    """
    outcomes: list[Outcome] = []
    for each in operation_ids:
        if (await get_call(pool, each)).gateway in gateways:
            with suppress(PaymentRefusedError, ConstraintViolatedError):
                await execute(pool, gateways, each, actor=actor)
        outcomes.append(await get_outcome(pool, each))
    return tuple(outcomes)


async def settle(
    pool: Pool,
    gateways: Gateways,
    call: Call,
    result: Result | NeverHappened,
    *,
    actor: UserId | None = None,
) -> None:
    """Record a result in a transaction of its own, then do what follows from it."""
    following = await run_transaction(
        pool, lambda connection: record(connection, call.id, result, actor=actor)
    )
    for each in following:
        await execute(pool, gateways, each, actor=actor)
    # What waited for this: its events came before the answer.
    now = await get_call(pool, call.id)
    if now.authorization:
        for each in await waiting_events.apply_all(pool, now.gateway, now.authorization):
            await execute(pool, gateways, each)


async def ask(gateway: Gateway, call: Call, token: str | None) -> Result:
    """Call the gateway; an authorization without its token cannot be asked for again."""
    key, amount, currency = call.idempotency_key, call.amount, call.currency_code
    match call.kind:
        case "authorize":
            if token is None:
                return Unknown("no_token")
            return await gateway.authorize(key, amount=amount, currency_code=currency, token=token)
        case "capture":
            return await gateway.capture(
                key, authorization=call.authorization, amount=amount, currency_code=currency
            )
        case "void":
            return await gateway.void(
                key, authorization=call.authorization, amount=amount, currency_code=currency
            )
        case "refund":
            return await gateway.refund(
                key, authorization=call.authorization, amount=amount, currency_code=currency
            )
        case _:
            assert_never(call.kind)


async def get_call(pool: Pool, operation_id: PaymentOperationId) -> Call:
    """Return an operation as its gateway is asked for it.

    Raises:
        NotFoundError: when there is none.
    """
    async with pool.connection() as connection:
        call = await QUERIES["get_call"].row(connection, Call, operation_id=operation_id)
    if call is None:
        raise NotFoundError("payment operation", operation_id)
    return call


async def get_outcome(pool: Pool, operation_id: PaymentOperationId) -> Outcome:
    """Return what became of an operation so far.

    Raises:
        NotFoundError: when there is none.
    """
    async with pool.connection() as connection:
        outcome = await QUERIES["get_outcome"].row(connection, Outcome, operation_id=operation_id)
    if outcome is None:
        raise NotFoundError("payment operation", operation_id)
    return outcome


async def find_operation(pool: Pool, idempotency_key: str) -> PaymentOperationId | None:
    """Return the operation with this key, None when there is none."""
    async with pool.connection() as connection:
        found = await QUERIES["find_operation"].row(
            connection, _Id, idempotency_key=idempotency_key
        )
    return found.id if found else None


async def _claim(pool: Pool, operation_id: PaymentOperationId) -> bool:
    async with pool.connection() as connection:
        return bool(
            await QUERIES["claim_operation"].row(connection, _Id, operation_id=operation_id)
        )
