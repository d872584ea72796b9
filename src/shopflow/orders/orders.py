"""`shop.orders`: the functions of this package on the shop's pool."""

from __future__ import annotations

from decimal import Decimal

from shopflow.ids import CartId, OrderId, PaymentId, ShippingMethodId, UserId
from shopflow.orders import payments, reading
from shopflow.orders.checkout import Checkout, place_order
from shopflow.orders.models import Order, PlacedOrder
from shopflow.orders.quotes import Quote, QuoteRequest
from shopflow.orders.quoting import quote
from shopflow.orders.taxes import Taxes
from shopflow.postgres.pool import Pool


class Orders:
    """The orders of a shop."""

    def __init__(self, pool: Pool, taxes: Taxes) -> None:
        self._pool = pool
        self._taxes = taxes

    async def quote(
        self,
        cart_id: CartId,
        *,
        shipping_method_id: ShippingMethodId | None = None,
        country_code: str | None = None,
        state: str | None = None,
    ) -> Quote:
        """Return what a cart comes to, without ordering it; see `quoting.quote_all`."""
        request = QuoteRequest(
            cart_id=cart_id,
            shipping_method_id=shipping_method_id,
            country_code=country_code,
            state=state,
        )
        async with self._pool.connection() as connection:
            return await quote(connection, request, self._taxes)

    async def place(self, checkout: Checkout) -> PlacedOrder:
        """Order what is in a cart, all or nothing; see `checkout.place_order`."""
        return await place_order(self._pool, checkout)

    async def mark_paid(
        self,
        order_id: OrderId,
        *,
        amount: Decimal,
        method: str,
        card_brand: str | None = None,
        card_last_four: str | None = None,
        actor: UserId | None = None,
    ) -> PaymentId:
        """Record that an order was paid in full, and confirm it; see `payments.mark_paid`."""
        return await payments.mark_paid(
            self._pool,
            order_id,
            amount=amount,
            method=method,
            card_brand=card_brand,
            card_last_four=card_last_four,
            actor=actor,
        )

    async def get(self, order_id: OrderId) -> Order:
        """Return an order with all its details (§4.4); see `reading.get_order`."""
        async with self._pool.connection() as connection:
            return await reading.get_order(connection, order_id)

    async def get_by_number(self, order_number: str) -> Order:
        """Return the order with this number; see `reading.get_order_by_number`."""
        async with self._pool.connection() as connection:
            return await reading.get_order_by_number(connection, order_number)
