"""Steps of an order that nothing else comes with: confirming it, and beginning to work on it."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from shopflow.ids import OrderId, UserId
from shopflow.orders.errors import OrderStateError
from shopflow.orders.holding import hold_order, step
from shopflow.orders.returns import LONGEST_REASON
from shopflow.orders.states import Status, may_step
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text


async def take_step(
    pool: Pool,
    order_id: OrderId,
    status: Status,
    *,
    reason: str | None = None,
    actor: UserId | None = None,
) -> None:
    """Take an order to `status`; nothing happens when it is there already.

    Waits for others who are changing the order. `confirmed` is how an order is accepted that is
    paid later, such as on invoice: one that is pending for long is cancelled.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
        OrderStateError: when no step leads there from where it is.
        InvalidInputError: for a reason that is empty or longer than 1000 characters.
    """
    if reason is not None:
        check_text("reason", reason, LONGEST_REASON)

    async def work(connection: AsyncConnection[Any]) -> None:
        held = await hold_order(connection, order_id, actor=actor, reason=reason)
        if held.status != status and not may_step(held.status, status):
            raise OrderStateError(f"order {order_id} is {held.status}, and cannot become {status}")
        await step(connection, order_id, status)

    await run_transaction(pool, work)
