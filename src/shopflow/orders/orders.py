"""`shop.orders`: the functions of this package on the shop's pool."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from shopflow.ids import (
    CartId,
    OrderId,
    OrderNoteId,
    PaymentId,
    ShipmentId,
    ShippingMethodId,
    UserId,
)
from shopflow.orders import (
    cancelling,
    expiring,
    listing,
    notes,
    reading,
    returns,
    shipments,
    steps,
    tracking,
)
from shopflow.orders.cancelling import Cancellation
from shopflow.orders.checkout import Checkout, check_checkout
from shopflow.orders.grouping import GroupCheckout
from shopflow.orders.listing import OrderPage
from shopflow.orders.models import Order, PlacedOrder
from shopflow.orders.payments.gateway import Gateways
from shopflow.orders.payments.marking import mark_paid
from shopflow.orders.payments.payments import Payments
from shopflow.orders.quotes import Quote, QuoteRequest
from shopflow.orders.quoting import quote
from shopflow.orders.returns import Returned, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.orders.states import Status
from shopflow.orders.taxes import Taxes
from shopflow.orders.tracking import Tracking
from shopflow.postgres.pool import Pool


class Orders:
    """The orders of a shop.

    Attributes:
        payments: paying orders through gateways, and giving back.
    """

    def __init__(self, pool: Pool, taxes: Taxes, gateways: Gateways) -> None:
        self._pool = pool
        self._checkouts = GroupCheckout(pool, taxes)
        self.payments = Payments(pool, gateways)
        self._taxes = taxes

    async def quote(
        self,
        cart_id: CartId,
        *,
        shipping_method_id: ShippingMethodId | None = None,
        country_code: str | None = None,
        state: str | None = None,
    ) -> Quote:
        """Return what a cart comes to at the prices of now, without ordering it, in one round trip.

        Nothing is locked, written or kept: what the customer has seen is held by giving its total
        to `place` as `expected_total`. The quote names every line of which there is less in stock,
        and every price that is another one than when the line was put into the cart.

        Args:
            cart_id: the cart.
            shipping_method_id: one of those that `shop.shipping.quotes` offers; None leaves
                shipping out of the total.
            country_code: where it goes to, two capitals; None leaves out shipping and tax.
            state: of that country, None where it has none.

        Raises:
            NotFoundError: when there is no such cart, or the method is not offered there.
            EmptyCartError: when there is nothing in the cart.
            CouponRefusedError: when the coupon on the cart does not apply now, with the reason.
            InvalidInputError: for a country or state that cannot be, a method without country, and
                a total that the database could not hold.
        """
        request = QuoteRequest(
            cart_id=cart_id,
            shipping_method_id=shipping_method_id,
            country_code=country_code,
            state=state,
        )
        async with self._pool.connection() as connection:
            return await quote(connection, request, self._taxes)

    async def place(self, checkout: Checkout) -> PlacedOrder:
        """Order what is in a cart at the prices of now, in one transaction.

        Stock and a use of the coupon are taken, names, prices, images and addresses are copied
        into the order, and the cart is emptied; or nothing happens. Stock never goes below zero,
        a coupon never above its limits; a cart is ordered once however many check it out, and an
        order placed once for each idempotency key: repeating the same checkout returns that
        order, also when the first answer was lost.

        Callers that arrive while others are being served go together in the next transaction (see
        `grouping`), first come first served, each with its own order or its own error. Waits for
        others who are ordering the same products.

        Raises:
            IdempotencyKeyTakenError: when another checkout was done with this key.
            EmptyCartError: when there is nothing in the cart.
            OutOfStockError: with every line that cannot be filled.
            PriceChangedError: when it does not come to `expected_total`.
            CouponRefusedError: when the coupon on the cart does not apply, with the reason.
            NotFoundError: when there is no such cart, or the shipping method is not offered for
                the shipping address.
            InvalidInputError: for an address, key, e-mail address, total or currency that cannot
                be.
            TransactionError: inside of `run_transaction`: it takes a connection of its own.
            PoolTimeoutError: when no connection came free.
            TransactionConflictError: when others got in the way too often, or held what it needs
                for longer than `lock_timeout`; nothing was ordered.
            ServerError: when the server could not be reached; nothing was ordered.
            CommitOutcomeUnknownError: when the connection was lost in the end and the server did
                not come back: repeat it with the same key.
        """
        settings = self._pool.settings
        return await self._checkouts.place(check_checkout(checkout, settings.currency_code))

    async def close(self) -> None:
        """Return when every checkout under way has its answer, and close the gateways.

        The shop does it when it is closed. Raises nothing of its own.
        """
        await self._checkouts.close()
        await self.payments.close()

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
        """Record that it was paid in full, and confirm it; see `payments.marking.mark_paid`."""
        return await mark_paid(
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

    async def list(
        self,
        *,
        user_id: UserId | None = None,
        status: Status | None = None,
        after: str | None = None,
        limit: int = 20,
    ) -> OrderPage:
        """Return a page of orders, the newest first; see `listing.list_orders`."""
        async with self._pool.connection() as connection:
            return await listing.list_orders(
                connection, user_id=user_id, status=status, after=after, limit=limit
            )

    async def confirm(
        self, order_id: OrderId, *, reason: str | None = None, actor: UserId | None = None
    ) -> None:
        """Accept a pending order that is paid later; see `steps.take_step`."""
        await steps.take_step(self._pool, order_id, "confirmed", reason=reason, actor=actor)

    async def start_processing(
        self, order_id: OrderId, *, reason: str | None = None, actor: UserId | None = None
    ) -> None:
        """Begin to work on a confirmed order; see `steps.take_step`."""
        await steps.take_step(self._pool, order_id, "processing", reason=reason, actor=actor)

    async def ship(self, parcel: Parcel, *, actor: UserId | None = None) -> ShipmentId:
        """Send a parcel with lines of an order, or all that is left; see `shipments.ship`."""
        return await shipments.ship(self._pool, parcel, actor=actor)

    async def update_tracking(
        self, shipment_id: ShipmentId, update: Tracking, *, actor: UserId | None = None
    ) -> None:
        """Change what is known of a parcel's way; see `tracking.update_tracking`."""
        await tracking.update_tracking(self._pool, shipment_id, update, actor=actor)

    async def mark_delivered(
        self, shipment_id: ShipmentId, *, at: datetime | None = None, actor: UserId | None = None
    ) -> None:
        """Say that a parcel was delivered; see `tracking.end_shipment`."""
        await tracking.end_shipment(self._pool, shipment_id, "delivered", at=at, actor=actor)

    async def mark_lost(self, shipment_id: ShipmentId, *, actor: UserId | None = None) -> None:
        """Say that a parcel was lost; see `tracking.end_shipment`."""
        await tracking.end_shipment(self._pool, shipment_id, "lost", actor=actor)

    async def mark_returned(self, shipment_id: ShipmentId, *, actor: UserId | None = None) -> None:
        """Say that a parcel came back undelivered; see `tracking.end_shipment`."""
        await tracking.end_shipment(self._pool, shipment_id, "returned", actor=actor)

    async def return_items(
        self, request: ReturnRequest, *, actor: UserId | None = None
    ) -> Returned:
        """Take goods back and refund what they are worth; see `returns.return_items`."""
        return await returns.return_items(self._pool, self.payments.gateways, request, actor=actor)

    async def cancel(
        self,
        order_id: OrderId,
        *,
        reason: str | None = None,
        give_back: bool = True,
        close_order: bool = False,
        actor: UserId | None = None,
    ) -> Cancellation:
        """Cancel an order and give its money back; see `cancelling.cancel`."""
        return await cancelling.cancel(
            self._pool,
            self.payments.gateways,
            order_id,
            reason=reason,
            give_back=give_back,
            close_order=close_order,
            actor=actor,
        )

    async def expire_unpaid(self, older_than: timedelta) -> int:
        """Cancel what was not paid in time; see `expiring.expire_unpaid_orders`."""
        return await expiring.expire_unpaid_orders(self._pool, older_than)

    async def add_note(
        self, order_id: OrderId, note: str, *, actor: UserId | None = None
    ) -> OrderNoteId:
        """Note something about an order; see `notes.add_note`."""
        async with self._pool.connection() as connection:
            return await notes.add_note(connection, order_id, note, actor=actor)
