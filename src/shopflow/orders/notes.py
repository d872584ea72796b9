"""Notes of the shop about an order, beside its history of steps."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.errors import ConstraintViolatedError, InvalidInputError, NotFoundError
from shopflow.ids import OrderId, OrderNoteId, UserId
from shopflow.orders.reading import QUERIES
from shopflow.text import check_text

LONGEST_NOTE = 10_000


class _Written(msgspec.Struct, frozen=True):
    id: OrderNoteId


async def add_note(
    connection: AsyncConnection[Any], order_id: OrderId, note: str, *, actor: UserId | None = None
) -> OrderNoteId:
    """Note something about an order, which does not change; `get_order` shows it.

    Raises:
        NotFoundError: when there is no such order, or the actor is no such user.
        InvalidInputError: for a note that is blank or longer than 10,000 characters.
    """
    check_text("note", note, LONGEST_NOTE)
    if not note.strip():
        raise InvalidInputError("note", note, "must not be blank")
    try:
        written = await QUERIES["write_note"].row(
            connection, _Written, order_id=order_id, note=note, actor=actor
        )
    except ConstraintViolatedError as error:
        if error.constraint != "order_notes_created_by_fkey":
            raise
        raise NotFoundError("user", actor) from error
    if written is None:
        raise NotFoundError("order", order_id)
    return written.id
