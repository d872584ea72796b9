"""Cancelling an order, with its money: voided and refunded once the cancellation is committed."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.ids import OrderId, PaymentId, PaymentOperationId, UserId
from shopflow.orders.errors import OrderStateError
from shopflow.orders.holding import hold_order, step
from shopflow.orders.payments.executing import execute_all
from shopflow.orders.payments.gateway import Gateways
from shopflow.orders.payments.models import Outcome
from shopflow.orders.returns import LONGEST_REASON
from shopflow.orders.settling import (
    RefundDue,
    Settlement,
    intend_settlement,
    open_give_backs,
    read_settlement,
)
from shopflow.orders.states import may_step
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text


class Cancellation(msgspec.Struct, frozen=True):
    """A cancelled order, what became of its money so far, and what of it is left to do.

    Attributes:
        order_id: the order.
        outcomes: of the voids and refunds that were asked for now. One that is `pending` or
            `unknown` is finished by recovery; one that was `declined` is asked for anew when the
            order is cancelled again.
        to_void: payments to be called off by the caller: all of them without `give_back`, else
            those recorded without a gateway that took nothing yet.
        to_refund: what the caller has to pay back; empty with `give_back`.
    """

    order_id: OrderId
    outcomes: tuple[Outcome, ...] = ()
    to_void: tuple[PaymentId, ...] = ()
    to_refund: tuple[RefundDue, ...] = ()


async def cancel(
    pool: Pool,
    gateways: Gateways,
    order_id: OrderId,
    *,
    reason: str | None = None,
    give_back: bool = True,
    close_order: bool = False,
    actor: UserId | None = None,
) -> Cancellation:
    """Cancel an order that is pending, confirmed or processing, and give its money back.

    In one transaction: the stock of what was not sent and the use of its coupon are given back,
    once, by the database, and what has to be voided and refunded is written down. After its commit
    the gateways are asked; what a crash leaves is finished by `payments.recover`. What a gateway
    is about to authorize or capture is given back when its answer comes. What the customer keeps,
    pieces that were sent and then shipping too, is not refunded. Of `manual` payments, and of
    those recorded without a gateway, a refund is recorded as made: sending the money is up to
    staff.

    Beside a parcel that is being sent, or a payment, whoever comes second is refused. Repeating it
    cancels nothing twice and gives back what is not on its way. Waits for others who are changing
    the order or the stock, and then for the gateways.

    Args:
        pool: where to take connections from.
        gateways: by name; what is with others is left to a recovery that has them.
        order_id: the order.
        reason: why, for the history; up to 1000 characters, or None.
        give_back: False to move no money; the answer says what is to be done then.
        close_order: let the order end as `refunded` once all that was captured is given back.
        actor: who cancels it, for the history; None for the shop itself.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
        OrderStateError: when the order is shipped, delivered or refunded.
        PaymentRefusedError: when goods were sent whose money could yet be captured: a cancelled
            order takes none. Only with `give_back`.
        InvalidInputError: for a reason that cannot be.
        TransactionError: inside of `run_transaction`: gateways are asked after the commit.
    """
    if reason is not None:
        check_text("reason", reason, LONGEST_REASON)

    async def work(
        connection: AsyncConnection[Any],
    ) -> tuple[Settlement, list[PaymentOperationId]]:
        held = await hold_order(connection, order_id, actor=actor, reason=reason)
        if held.status != "cancelled" and not may_step(held.status, "cancelled"):
            raise OrderStateError(f"order {order_id} is {held.status}: it can be returned only")
        if give_back:
            left = await intend_settlement(
                connection, order_id, reason=reason, close_order=close_order
            )
            operations = await open_give_backs(connection, order_id)
        else:
            left, operations = await read_settlement(connection, order_id), []
        if held.status != "cancelled":
            await step(connection, order_id, "cancelled")
        return left, operations

    left, operations = await run_transaction(pool, work)
    outcomes = await execute_all(pool, gateways, operations, actor=actor)
    return Cancellation(order_id, outcomes, left.to_void, left.to_refund)
