"""A guest's cart becomes part of the user's at sign-in."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.carts.editing import LARGEST_QUANTITY, LONGEST_SESSION_ID, open_cart
from shopflow.carts.errors import REASONS, CartOwnerError
from shopflow.carts.models import MergedCart, Shortened
from shopflow.carts.reading import QUERIES
from shopflow.errors import ConstraintViolatedError
from shopflow.ids import CartId, UserId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.text import check_text

# A product that is deleted or gets variants in the middle is seen the next time.
ATTEMPTS = 3


class _Guest(msgspec.Struct, frozen=True):
    id: CartId


async def merge_carts(pool: Pool, *, session_id: str, user_id: UserId) -> MergedCart:
    """Add what a guest has in the cart to that of the user, and remove the guest's cart.

    Quantities of the same line add up to what can be bought, at the price of now; what the user
    has in the cart already is never made less, and what cannot be bought at all is left out. The
    answer names each line that was not added in full. The user's coupon stays, or else the
    guest's comes along. All in one transaction: a line is never in both carts, and one that is
    added meanwhile to the guest's cart is merged or refused with its cart. Done again it finds no
    guest's cart and changes nothing. Waits for others who change or order one of the two carts.

    Raises:
        InvalidInputError: for a session id that is empty, too long or cannot be stored.
        CartOwnerError: when there is no such user, or it is deleted.
        TransactionConflictError: when others got in the way too often; nothing was changed.
    """
    # Whoever knows it has the cart.
    check_text("session_id", session_id, LONGEST_SESSION_ID, secret=True)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await run_transaction(
                pool, lambda connection: _merge(connection, session_id, user_id)
            )
        except ConstraintViolatedError as error:
            if error.constraint not in REASONS or attempt == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _merge(connection: AsyncConnection[Any], session_id: str, user_id: UserId) -> MergedCart:
    if not await QUERIES["hold_cart_owner"].execute(connection, user_id=user_id):
        raise CartOwnerError
    cart_id = await open_cart(connection, user_id=user_id)
    # The user's first, always: no cart is both, so that two who merge cannot wait for each other.
    while not await QUERIES["hold_users_cart"].execute(connection, cart_id=cart_id):
        # It has expired since it was found.
        cart_id = await open_cart(connection, user_id=user_id)
    guest = await QUERIES["hold_guest_cart"].row(connection, _Guest, session_id=session_id)
    if guest is None:
        return MergedCart(cart_id, ())
    shortened = await QUERIES["merge_guest_cart"].rows(
        connection,
        Shortened,
        cart_id=cart_id,
        guest_cart_id=guest.id,
        largest=LARGEST_QUANTITY,
    )
    return MergedCart(cart_id, tuple(shortened))
