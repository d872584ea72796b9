"""Opening a cart and changing its lines, or all of them; one statement each.

Each change locks the cart's row first, as the checkout does, so that no line is changed while it
is being ordered.
"""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.carts.errors import REASONS, NotForSaleError
from shopflow.carts.reading import QUERIES
from shopflow.errors import ConstraintViolatedError, InvalidInputError, NotFoundError
from shopflow.ids import CartId, CartItemId, ProductId, UserId, VariantId
from shopflow.text import check_text

# Above every order in our sample of real ones, and far below where amounts overflow.
LARGEST_QUANTITY = 100_000
LONGEST_SESSION_ID = 255


class _Opened(msgspec.Struct, frozen=True):
    id: CartId


class _Added(msgspec.Struct, frozen=True):
    cart_id: CartId | None
    for_sale: bool | None
    item_id: CartItemId | None


class _Refreshed(msgspec.Struct, frozen=True):
    lines: int


async def open_cart(
    connection: AsyncConnection[Any],
    *,
    user_id: UserId | None = None,
    session_id: str | None = None,
) -> CartId:
    """Return the cart of a user or of a guest session, made when there is none.

    There is one cart a user and one a session, however many callers open it at once.

    Raises:
        InvalidInputError: unless exactly one of the two is given, or for a session id that is
            empty, too long or cannot be stored.
        CartOwnerError: when there is no such user, or it is deleted.
    """
    if (user_id is None) == (session_id is None):
        raise InvalidInputError("user_id", user_id, "give it or session_id, and not both")
    if session_id is None:
        rows = await QUERIES["open_user_cart"].rows(connection, _Opened, user_id=user_id)
    else:
        # Whoever knows it has the cart.
        check_text("session_id", session_id, LONGEST_SESSION_ID, secret=True)
        rows = await QUERIES["open_session_cart"].rows(connection, _Opened, session_id=session_id)
    return rows[0].id


async def add_item(
    connection: AsyncConnection[Any],
    cart_id: CartId,
    product_id: ProductId,
    variant_id: VariantId | None = None,
    quantity: int = 1,
) -> CartItemId:
    """Put a product into a cart at its price of now, and return the line.

    What is in the cart already is one line with it: quantities add up, the price is that of now.
    Stock is not looked at: the cart shows it, and the checkout takes it.

    Raises:
        InvalidInputError: unless the quantity, with what is in the cart, is 1 to 100,000.
        NotForSaleError: for a product or variant that is deleted or not active, for a variant
            that it does not have, and without variant where one has to be chosen.
        NotFoundError: when there is no such cart or product.
    """
    _check_quantity(quantity)
    try:
        (added,) = await QUERIES["add_item"].rows(
            connection,
            _Added,
            cart_id=cart_id,
            product_id=product_id,
            variant_id=variant_id,
            quantity=quantity,
            largest=LARGEST_QUANTITY,
        )
    except ConstraintViolatedError as error:
        if error.constraint not in REASONS:
            raise
        raise NotForSaleError(product_id, variant_id, REASONS[error.constraint]) from error
    if added.cart_id is None:
        raise NotFoundError("cart", cart_id)
    if added.for_sale is None:
        raise NotFoundError("product", product_id)
    if not added.for_sale:
        raise NotForSaleError(product_id, variant_id, "not for sale")
    if added.item_id is None:
        raise InvalidInputError(
            "quantity", quantity, f"with what is in the cart it is above {LARGEST_QUANTITY}"
        )
    return added.item_id


async def set_quantity(
    connection: AsyncConnection[Any], cart_id: CartId, item_id: CartItemId, quantity: int
) -> None:
    """Change how many a line is for, and its price to that of now.

    Raises:
        InvalidInputError: unless the quantity is 1 to 100,000.
        NotFoundError: when the cart has no such line.
    """
    _check_quantity(quantity)
    params = {"cart_id": cart_id, "item_id": item_id, "quantity": quantity}
    if not await QUERIES["set_quantity"].execute(connection, **params):
        raise NotFoundError("cart line", item_id)


async def remove_item(
    connection: AsyncConnection[Any], cart_id: CartId, item_id: CartItemId
) -> None:
    """Take a line out of a cart.

    Raises:
        NotFoundError: when the cart has no such line.
    """
    if not await QUERIES["remove_item"].execute(connection, cart_id=cart_id, item_id=item_id):
        raise NotFoundError("cart line", item_id)


async def clear_cart(connection: AsyncConnection[Any], cart_id: CartId) -> None:
    """Take every line out of a cart; its coupon stays on it.

    Raises:
        NotFoundError: when there is no such cart.
    """
    if not await QUERIES["clear_cart"].execute(connection, cart_id=cart_id):
        raise NotFoundError("cart", cart_id)


async def refresh_prices(connection: AsyncConnection[Any], cart_id: CartId) -> int:
    """Give every line the price of now, as a customer has seen it; return how many had another.

    Raises:
        NotFoundError: when there is no such cart.
    """
    refreshed = await QUERIES["refresh_prices"].row(connection, _Refreshed, cart_id=cart_id)
    if refreshed is None:
        raise NotFoundError("cart", cart_id)
    return refreshed.lines


def _check_quantity(quantity: object) -> None:
    # Neither 1.5 nor True, which Python takes for numbers as well.
    if type(quantity) is not int or not 1 <= quantity <= LARGEST_QUANTITY:
        raise InvalidInputError(
            "quantity", quantity, f"must be a whole number from 1 to {LARGEST_QUANTITY}"
        )
