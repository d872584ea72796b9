"""`shop.carts`: the functions of this package on the shop's pool."""

from __future__ import annotations

from shopflow.carts import coupons, editing, expiry, reading
from shopflow.carts.coupons import CheckCoupon
from shopflow.carts.merging import merge_carts
from shopflow.carts.models import Cart, MergedCart
from shopflow.ids import CartId, CartItemId, ProductId, UserId, VariantId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction


class Carts:
    """The carts of a shop. Each call is committed when it returns; most are one statement."""

    def __init__(self, pool: Pool, check_coupon: CheckCoupon) -> None:
        self._pool = pool
        self._check_coupon = check_coupon

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

    async def clear(self, cart_id: CartId) -> None:
        """Take every line out of a cart; see `editing.clear_cart`."""
        async with self._pool.connection() as connection:
            await editing.clear_cart(connection, cart_id)

    async def refresh_prices(self, cart_id: CartId) -> int:
        """Give every line the price of now; see `editing.refresh_prices`."""
        async with self._pool.connection() as connection:
            return await editing.refresh_prices(connection, cart_id)

    async def apply_coupon(self, cart_id: CartId, code: str) -> None:
        """Put a coupon on a cart, if it applies; see `coupons.apply_coupon`."""
        await run_transaction(
            self._pool,
            lambda connection: coupons.apply_coupon(connection, cart_id, code, self._check_coupon),
        )

    async def remove_coupon(self, cart_id: CartId) -> None:
        """Take the coupon off a cart; see `coupons.remove_coupon`."""
        async with self._pool.connection() as connection:
            await coupons.remove_coupon(connection, cart_id)

    async def merge(self, *, session_id: str, user_id: UserId) -> MergedCart:
        """Merge a guest's cart into the user's at sign-in; see `merging.merge_carts`."""
        return await merge_carts(self._pool, session_id=session_id, user_id=user_id)

    async def expire(self, *, guest_days: int, user_days: int | None = None) -> int:
        """Delete carts that nobody has changed for long; see `expiry.expire_carts`."""
        return await expiry.expire_carts(self._pool, guest_days=guest_days, user_days=user_days)
