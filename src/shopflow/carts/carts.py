"""`shop.carts`: the functions of this package on the shop's pool."""

from __future__ import annotations

from shopflow.carts import editing, reading
from shopflow.carts.models import Cart
from shopflow.ids import CartId, CartItemId, ProductId, UserId, VariantId
from shopflow.postgres.pool import Pool


class Carts:
    """The carts of a shop. Each call is one statement, committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(self, *, user_id: UserId | None = None, session_id: str | None = None) -> CartId:
        """Return a user's or session's cart, made if need be; see `editing.open_cart`."""
        async with self._pool.connection() as connection:
            return await editing.open_cart(connection, user_id=user_id, session_id=session_id)

    async def get(
        self,
        *,
        cart_id: CartId | None = None,
        user_id: UserId | None = None,
        session_id: str | None = None,
    ) -> Cart:
        """Return one cart with its lines (§4.3); see `reading.get_cart`."""
        async with self._pool.connection() as connection:
            return await reading.get_cart(
                connection, cart_id=cart_id, user_id=user_id, session_id=session_id
            )

    async def add(
        self,
        cart_id: CartId,
        product_id: ProductId,
        variant_id: VariantId | None = None,
        quantity: int = 1,
    ) -> CartItemId:
        """Put a product into a cart and return the line; see `editing.add_item`."""
        async with self._pool.connection() as connection:
            return await editing.add_item(connection, cart_id, product_id, variant_id, quantity)

    async def set_quantity(self, cart_id: CartId, item_id: CartItemId, quantity: int) -> None:
        """Change how many a line is for; see `editing.set_quantity`."""
        async with self._pool.connection() as connection:
            await editing.set_quantity(connection, cart_id, item_id, quantity)

    async def remove(self, cart_id: CartId, item_id: CartItemId) -> None:
        """Take a line out of a cart; see `editing.remove_item`."""
        async with self._pool.connection() as connection:
            await editing.remove_item(connection, cart_id, item_id)
