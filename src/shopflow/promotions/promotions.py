"""`shop.promotions`: the functions of this package on the shop's pool."""

from __future__ import annotations

from shopflow.ids import CouponId, OrderId
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.promotions import coupons
from shopflow.promotions.models import Coupon, CouponChanges, CouponTerms, CouponUse, Scope


class Promotions:
    """The coupons of a shop. Each call is committed when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, terms: CouponTerms, scope: Scope | None = None) -> CouponId:
        """Make a coupon, for a scope if need be; see `coupons.create_coupon`."""
        return await run_transaction(
            self._pool, lambda connection: coupons.create_coupon(connection, terms, scope)
        )

    async def update(self, coupon_id: CouponId, changes: CouponChanges) -> None:
        """Change some terms of a coupon; see `coupons.update_coupon`."""
        async with self._pool.connection() as connection:
            await coupons.update_coupon(connection, coupon_id, changes)

    async def deactivate(self, coupon_id: CouponId) -> None:
        """Let nobody use a coupon from now on; orders that used it keep their discount.

        Again has no effect.

        Raises:
            NotFoundError: when there is no such coupon.
        """
        await self.update(coupon_id, CouponChanges(is_active=False))

    async def restrict(self, coupon_id: CouponId, scope: Scope | None) -> None:
        """Say what a coupon is for, None for everything; see `coupons.restrict_coupon`."""
        await run_transaction(
            self._pool, lambda connection: coupons.restrict_coupon(connection, coupon_id, scope)
        )

    async def get(self, key: CouponId | str) -> Coupon:
        """Return a coupon by id or code; see `coupons.get_coupon`."""
        async with self._pool.connection() as connection:
            return await coupons.get_coupon(connection, key)

    async def uses(
        self, coupon_id: CouponId, *, limit: int = 50, before: OrderId | None = None
    ) -> list[CouponUse]:
        """Return the orders that used a coupon; see `coupons.list_coupon_uses`."""
        async with self._pool.connection() as connection:
            return await coupons.list_coupon_uses(connection, coupon_id, limit=limit, before=before)

    async def list(
        self, *, active_only: bool = False, limit: int = 50, before: CouponId | None = None
    ) -> list[Coupon]:
        """Return a page of coupons, the newest first; see `coupons.list_coupons`."""
        async with self._pool.connection() as connection:
            return await coupons.list_coupons(
                connection, active_only=active_only, limit=limit, before=before
            )
