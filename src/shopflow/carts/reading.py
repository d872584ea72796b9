"""A cart with its lines, names, prices and stock (§4.3)."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from shopflow.carts.models import Cart
from shopflow.errors import NotFoundError
from shopflow.ids import CartId, UserId
from shopflow.postgres import queries
from shopflow.text import storable

QUERIES = queries.load(__package__)


async def get_cart(
    connection: AsyncConnection[Any],
    *,
    cart_id: CartId | None = None,
    user_id: UserId | None = None,
    session_id: str | None = None,
) -> Cart:
    """Return one cart in one round trip: the one with this id, else the user's, else the session's.

    Whoever names an existing cart by id gets it, whosever it is: whether the caller may see it is
    for the caller to check, on `user_id` and `session_id` of the answer.

    Raises:
        NotFoundError: when there is none of the three.
    """
    if session_id is not None and not storable(session_id):
        session_id = None
    cart = await QUERIES["get_cart"].document(
        connection, Cart, cart_id=cart_id, user_id=user_id, session_id=session_id
    )
    if cart is None:
        # Whoever knows a session id has its cart, so it is not shown.
        raise NotFoundError("cart", cart_id or user_id or "…")
    return cart
