"""Group checkout: callers that arrive while orders are being placed go together in the next group.

Whoever comes alone goes at once. What bounds the sales of one product is a row lock that is held to
the end of each commit; a group holds it once for all of its orders.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg
from psycopg.errors import LockNotAvailable

from shopflow.errors import (
    CommitOutcomeUnknownError,
    ConstraintViolatedError,
    PoolTimeoutError,
    ServerError,
    ShopflowError,
    TransactionConflictError,
)
from shopflow.orders.checkout import Checkout
from shopflow.orders.errors import KEY_TAKEN
from shopflow.orders.models import PlacedOrder
from shopflow.orders.placing import Again, Answer, place_together
from shopflow.orders.taxes import Taxes
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import is_conflict, pause_before, refuse_inside_transaction

# Measured: larger groups gain little and make everybody in them wait.
LARGEST_GROUP = 32
# One is on its way to the disk while the next one is priced.
GROUPS_UNDER_WAY = 2
ATTEMPTS = 5


@dataclass(eq=False)
class _Caller:
    """Somebody who waits for an order: what is to be ordered, and where the answer goes.

    `unknown` is why it is not known whether the order was placed, None while it is.
    """

    checkout: Checkout
    answer: asyncio.Future[PlacedOrder] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    unknown: CommitOutcomeUnknownError | None = None

    @property
    def claims(self) -> tuple[object, object]:
        """What only one can be placed with at a time: the cart, a UUID, and the key, a text."""
        return self.checkout.cart_id, self.checkout.idempotency_key

    def give(self, answer: PlacedOrder | Exception) -> None:
        # Who was cancelled meanwhile does not wait any more.
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class GroupCheckout:
    """The one way to an order, for all callers in this process."""

    def __init__(self, pool: Pool, taxes: Taxes) -> None:
        self._pool = pool
        self._taxes = taxes
        self._waiting: deque[_Caller] = deque()
        # The carts and keys of those who are being served.
        self._taken: set[object] = set()
        self._groups: set[asyncio.Task[None]] = set()
        self._singles: set[asyncio.Task[None]] = set()
        # By patience. Who waits for locks leaves connections to everybody else.
        size = pool.settings.pool_max_size
        self._room = {
            False: asyncio.Semaphore(max(1, size // 2)),
            True: asyncio.Semaphore(max(1, size // 4)),
        }

    async def place(self, checkout: Checkout) -> PlacedOrder:
        """Place one order, which `check_checkout` has let through; raises as `Orders.place`.

        A caller that is cancelled before its group has left orders nothing. After that the order is
        placed without it, and the same checkout finds it later.
        """
        refuse_inside_transaction()
        caller = _Caller(checkout)
        self._waiting.append(caller)
        self._wake()
        return await caller.answer

    async def close(self) -> None:
        """Return when everybody who waits has an answer."""
        while under_way := self._groups | self._singles:
            await asyncio.wait(under_way)

    def _wake(self) -> None:
        if self._waiting and len(self._groups) < GROUPS_UNDER_WAY:
            _start(self._groups, self._place_groups())

    async def _place_groups(self) -> None:
        interrupted = True
        try:
            await self._while_somebody_waits()
            interrupted = False
        finally:
            # Now, not when the task's callbacks run: who came in between would wake nobody.
            self._groups.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            if interrupted and not all(caller.answer.done() for caller in self._waiting):
                self._wake()

    async def _while_somebody_waits(self) -> None:
        while group := self._next_group():
            answers: list[Answer] = [_interrupted() for _ in group]
            try:
                answers = await self._attempt(group, patient=False)
            except PoolTimeoutError as error:
                answers = [
                    PoolTimeoutError(error.timeout, error.in_use, error.max_size) for _ in group
                ]
            except CommitOutcomeUnknownError as error:
                for caller in group:
                    caller.unknown = error
                answers = [Again()] * len(group)
            except Exception:  # noqa: BLE001 whose it is shows when they are tried one by one
                answers = [Again()] * len(group)
            finally:
                # Also when the program is being ended: nobody is left waiting.
                self._settle(group, answers)

    def _next_group(self) -> list[_Caller]:
        """Take those who wait, in their order; who has a cart or key of one ahead stays."""
        group: list[_Caller] = []
        stay: list[_Caller] = []
        while self._waiting and len(group) < LARGEST_GROUP:
            caller = self._waiting.popleft()
            if caller.answer.done():
                continue
            if self._taken.isdisjoint(caller.claims):
                self._taken.update(caller.claims)
                group.append(caller)
            else:
                stay.append(caller)
        self._waiting.extendleft(reversed(stay))
        return group

    def _settle(self, group: Sequence[_Caller], answers: Sequence[Answer]) -> None:
        again: list[_Caller] = []
        for caller, answer in zip(group, answers, strict=True):
            if not isinstance(answer, Again):
                caller.give(answer)
            elif answer.in_turn:
                again.append(caller)
            else:
                _start(self._singles, self._place_single(caller))
                continue
            self._taken.difference_update(caller.claims)
        self._waiting.extendleft(reversed(again))

    async def _place_single(self, caller: _Caller) -> None:
        answer: PlacedOrder | Exception = _interrupted()
        try:
            answer = await self._until_answered(caller)
        except Exception as error:  # noqa: BLE001 it is the caller's
            answer = error
        finally:
            caller.give(answer)
            self._taken.difference_update(caller.claims)
            self._wake()

    async def _until_answered(self, caller: _Caller) -> PlacedOrder | Exception:
        """Try until there is an answer; also after a lost connection, for its key keeps it one.

        Not for long at first: what somebody holds up is left to those who want it.
        """
        failure: Exception = caller.unknown or TransactionConflictError(ATTEMPTS)
        for attempt in range(ATTEMPTS):
            patient = attempt > 0
            if patient:
                await asyncio.sleep(pause_before(attempt))
            try:
                async with self._room[patient]:
                    (answer,) = await self._attempt([caller], patient=patient)
            except LockNotAvailable as error:
                if patient:
                    return _worse(failure, TransactionConflictError(attempt + 1), error)
            except Exception as error:  # noqa: BLE001 it is the caller's, or is tried again
                if not _passes(error):
                    return _worse(failure, error)
                if isinstance(error, ShopflowError):
                    failure = _worse(failure, error)
            else:
                if not isinstance(answer, Again):
                    return answer
        return failure

    async def _attempt(self, callers: Sequence[_Caller], *, patient: bool) -> list[Answer]:
        checkouts = [caller.checkout for caller in callers]
        async with self._pool.connection() as connection:
            try:
                return await place_together(connection, checkouts, self._taxes, patient=patient)
            except psycopg.Error as error:
                if connection.closed:
                    raise ServerError("the connection was lost; nothing was changed") from error
                raise


def _worse(before: Exception, error: Exception, cause: Exception | None = None) -> Exception:
    """Return `error`, but once it is not known whether the order was placed, still that."""
    if isinstance(before, CommitOutcomeUnknownError):
        return before
    if cause is not None:
        error.__cause__ = cause
    return error


def _interrupted() -> CommitOutcomeUnknownError:
    return CommitOutcomeUnknownError(
        "the checkout was interrupted: repeat it with the same key to see whether it took effect"
    )


def _passes(error: Exception) -> bool:
    """Return whether the same attempt may go well after this one."""
    if isinstance(error, ConstraintViolatedError):
        # Somebody else has just placed it: next time it is found.
        return error.constraint == KEY_TAKEN
    if isinstance(error, psycopg.Error):
        return is_conflict(error)
    return isinstance(error, (ServerError, CommitOutcomeUnknownError))


def _start(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    # It works for many callers, so it takes over nothing from the one who happened to start it.
    task = asyncio.create_task(work, context=Context())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
