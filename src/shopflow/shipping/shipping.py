"""`shop.shipping`: the functions of this package on the shop's pool, and quotes for a cart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection

from shopflow.ids import CartId, ShippingMethodId, ShippingZoneId
from shopflow.postgres.pool import Pool
from shopflow.shipping import editing
from shopflow.shipping.models import (
    MethodChanges,
    MethodTerms,
    ShippingOption,
    Zone,
    ZoneChanges,
    ZoneTerms,
)

# Given from above, as shipping knows nothing of carts and discounts.
QuoteShipping = Callable[
    [AsyncConnection[Any], CartId, str, str | None], Awaitable[list[ShippingOption]]
]


class Shipping:
    """The shipping of a shop. Each call is committed when it returns."""

    def __init__(self, pool: Pool, quote_shipping: QuoteShipping) -> None:
        self._pool = pool
        self._quote_shipping = quote_shipping

    async def quotes(
        self, cart_id: CartId, *, country_code: str, state: str | None = None
    ) -> list[ShippingOption]:
        """Return the methods offered for a cart and an address, the cheapest first.

        Those are the active ones of the one zone that the address is in (that of the highest
        priority); none where nothing is shipped to. Prices are those of an order placed now:
        `free_above` and a coupon of free shipping are taken into account. One round trip.

        Raises:
            NotFoundError: when there is no such cart.
            EmptyCartError: when there is nothing in the cart.
            CouponRefusedError: when the coupon on the cart does not apply now, with the reason.
            InvalidInputError: for a country or state that cannot be.
        """
        async with self._pool.connection() as connection:
            return await self._quote_shipping(connection, cart_id, country_code, state)

    async def zones(self) -> list[Zone]:
        """Return every zone with its methods; see `editing.list_zones`."""
        async with self._pool.connection() as connection:
            return await editing.list_zones(connection)

    async def create_zone(self, terms: ZoneTerms) -> ShippingZoneId:
        """Make a zone; see `editing.create_zone`."""
        async with self._pool.connection() as connection:
            return await editing.create_zone(connection, terms)

    async def update_zone(self, zone_id: ShippingZoneId, changes: ZoneChanges) -> None:
        """Change a zone; see `editing.update_zone`."""
        async with self._pool.connection() as connection:
            await editing.update_zone(connection, zone_id, changes)

    async def delete_zone(self, zone_id: ShippingZoneId) -> None:
        """Delete a zone with its methods; see `editing.delete_zone`."""
        async with self._pool.connection() as connection:
            await editing.delete_zone(connection, zone_id)

    async def create_method(self, zone_id: ShippingZoneId, terms: MethodTerms) -> ShippingMethodId:
        """Offer a method within a zone; see `editing.create_method`."""
        async with self._pool.connection() as connection:
            return await editing.create_method(connection, zone_id, terms)

    async def update_method(self, method_id: ShippingMethodId, changes: MethodChanges) -> None:
        """Change a method; see `editing.update_method`."""
        async with self._pool.connection() as connection:
            await editing.update_method(connection, method_id, changes)

    async def delete_method(self, method_id: ShippingMethodId) -> None:
        """Delete a method; see `editing.delete_method`."""
        async with self._pool.connection() as connection:
            await editing.delete_method(connection, method_id)
