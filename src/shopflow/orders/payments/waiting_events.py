"""Applies the stored events of a gateway, each once, in whatever order they came."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import asdict
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError
from shopflow.ids import PaymentId, PaymentOperationId
from shopflow.orders.payments.errors import PaymentRefusedError
from shopflow.orders.payments.gateway import Declined, GatewayEvent, Succeeded
from shopflow.orders.payments.intents import (
    QUERIES,
    intend_refund,
    lock_payment,
    write_operation,
)
from shopflow.orders.payments.models import Call
from shopflow.orders.payments.recording import record
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction

NO_PAYMENT = "it is of no payment that is known here, so far"
OTHER_AMOUNT = "its amount is not that of the operation"
AT_THE_GATEWAY = "refunded at the gateway"


class StoredEvent(GatewayEvent, frozen=True, kw_only=True):
    """An event, whose it is, and what was in the way when it was last tried."""

    gateway: str
    problem: str | None = None


class _Target(msgspec.Struct, frozen=True):
    payment_id: PaymentId
    operation_id: PaymentOperationId | None


class _WaitsError(PaymentRefusedError):
    """What an event refers to is not there yet."""


async def apply_all(
    pool: Pool, gateway: str, authorization_reference: str
) -> list[PaymentOperationId]:
    """Apply what waits of an authorization, again and again while one makes way for another.

    Returns:
        The operations that have to be executed in consequence.
    """
    following: list[PaymentOperationId] = []
    progress = True
    while progress:
        progress = False
        for event in await list_waiting(pool, [gateway], authorization_reference):
            done = await apply_event(pool, event)
            if done is not None:
                progress = True
                following += done
    return following


async def list_waiting(
    pool: Pool, gateways: list[str], authorization_reference: str | None = None
) -> list[StoredEvent]:
    """Return the events of these gateways that were not applied yet, the oldest first."""
    async with pool.connection() as connection:
        return await QUERIES["list_waiting_events"].rows(
            connection,
            StoredEvent,
            gateways=gateways,
            authorization_reference=authorization_reference,
        )


async def apply_event(pool: Pool, event: StoredEvent) -> tuple[PaymentOperationId, ...] | None:
    """Apply one event in a transaction of its own.

    Returns:
        The operations that have to be executed in consequence; None when it has to wait, with
        the reason in `gateway_events.problem`.
    """
    try:
        return await run_transaction(pool, lambda connection: _apply(connection, event))
    except (PaymentRefusedError, ConstraintViolatedError) as error:
        async with pool.connection() as connection:
            await QUERIES["note_event_problem"].execute(
                connection, gateway=event.gateway, event_id=event.event_id, problem=str(error)
            )
        return None


async def _apply(
    connection: AsyncConnection[Any], event: StoredEvent
) -> tuple[PaymentOperationId, ...]:
    target = await _find(connection, event)
    if target is None:
        raise _WaitsError(NO_PAYMENT)
    # Then look again: of two that bring the same event, the second finds what the first made.
    await lock_payment(connection, target.payment_id)
    target = await _find(connection, event) or target
    operation_id = target.operation_id
    if operation_id is None and event.status == "succeeded":
        operation_id = await _made_at_the_gateway(connection, event, target.payment_id)
    following: tuple[PaymentOperationId, ...] = ()
    if operation_id is not None:
        call = await QUERIES["get_call"].row(connection, Call, operation_id=operation_id)
        if call is None or (call.kind, call.amount) != (event.kind, event.amount):
            raise _WaitsError(OTHER_AMOUNT)
        following = await record(connection, operation_id, _result(event))
    await QUERIES["finish_event"].execute(
        connection, gateway=event.gateway, event_id=event.event_id
    )
    return following


async def _find(connection: AsyncConnection[Any], event: StoredEvent) -> _Target | None:
    found = await QUERIES["find_target"].rows(
        connection,
        _Target,
        gateway=event.gateway,
        operation_kind=event.kind,
        idempotency_key=event.idempotency_key,
        gateway_reference=event.gateway_reference,
        authorization_reference=event.authorization_reference,
    )
    if len(found) > 1:
        raise _WaitsError("its operation is of one payment, and its authorization of another")
    return found[0] if found else None


async def _made_at_the_gateway(
    connection: AsyncConnection[Any], event: StoredEvent, payment_id: PaymentId
) -> PaymentOperationId:
    key = event.idempotency_key or f"{event.gateway}:{event.gateway_reference}"
    if event.kind == "refund":
        return await intend_refund(
            connection,
            payment_id,
            amount=event.amount,
            reason=AT_THE_GATEWAY,
            idempotency_key=key,
        )
    return await write_operation(connection, payment_id, event.kind, event.amount, key)


def _result(event: StoredEvent) -> Succeeded | Declined:
    if event.status == "declined":
        return Declined(event.error_code or "declined")
    return Succeeded(
        reference=event.gateway_reference,
        card_brand=event.card_brand,
        card_last_four=event.card_last_four,
    )


async def store(pool: Pool, gateway: str, event: GatewayEvent) -> bool:
    """Write an event down and commit it; return whether it is new."""
    async with pool.connection() as connection:
        stored = await QUERIES["store_event"].execute(connection, gateway=gateway, **asdict(event))
    return stored == 1
