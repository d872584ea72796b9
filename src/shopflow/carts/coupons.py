"""A coupon on a cart, and off it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection

from shopflow.carts.reading import QUERIES
from shopflow.errors import NotFoundError
from shopflow.ids import CartId
from shopflow.text import storable

# Prices the cart with the coupon that is on it, and raises when that does not apply: given from
# above, as a cart knows nothing of discounts.
CheckCoupon = Callable[[AsyncConnection[Any], CartId], Awaitable[object]]


async def apply_coupon(
    connection: AsyncConnection[Any], cart_id: CartId, code: str, check: CheckCoupon
) -> None:
    """Put a coupon on a cart, in place of one that is on it, in the caller's transaction.

    The code is taken in capitals or not, and with spaces around it. It applies to the cart as it is
    now; whether it still does is looked at again whenever the cart is priced, and at the order.

    Raises:
        NotFoundError: when there is no such cart or coupon.
        CouponRefusedError: when it does not apply, with the reason; nothing may be committed then.
        EmptyCartError: when there is nothing in the cart to try it on.
    """
    if not await QUERIES["hold_cart"].execute(connection, cart_id=cart_id):
        raise NotFoundError("cart", cart_id)
    wanted = code.strip()
    if not storable(wanted):
        raise NotFoundError("coupon", repr(wanted))
    if not await QUERIES["put_coupon"].execute(connection, cart_id=cart_id, code=wanted):
        raise NotFoundError("coupon", wanted)
    await check(connection, cart_id)


async def remove_coupon(connection: AsyncConnection[Any], cart_id: CartId) -> None:
    """Leave a cart without coupon; one that has none stays as it is.

    Raises:
        NotFoundError: when there is no such cart.
    """
    if not await QUERIES["take_coupon_off"].execute(connection, cart_id=cart_id):
        raise NotFoundError("cart", cart_id)
