"""`shop.orders.payments`: the functions of this package on the shop's pool and gateways."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from shopflow.ids import OrderId, PaymentId, UserId
from shopflow.orders.payments import manual, recovery, taking, webhooks
from shopflow.orders.payments.gateway import Gateways
from shopflow.orders.payments.models import Outcome
from shopflow.orders.payments.recovery import OLDER_THAN, Recovery
from shopflow.orders.payments.webhooks import Receipt
from shopflow.postgres.pool import Pool


class Payments:
    """Paying orders through gateways, and giving back.

    No call holds a database transaction while a gateway is asked; what a crash leaves is finished
    by `recover`.

    Attributes:
        gateways: by name, `manual` among them.
    """

    def __init__(self, pool: Pool, gateways: Gateways) -> None:
        self._pool = pool
        self.gateways: Gateways = {manual.NAME: manual.Manual(), **gateways}

    async def pay(
        self,
        order_id: OrderId,
        *,
        gateway: str,
        token: str,
        amount: Decimal | None = None,
        method: str = "card",
        idempotency_key: str | None = None,
        actor: UserId | None = None,
    ) -> Outcome:
        """Authorize and capture at once; see `taking.pay`."""
        return await taking.pay(
            self._pool,
            self.gateways,
            order_id,
            gateway=gateway,
            token=token,
            amount=amount,
            method=method,
            idempotency_key=idempotency_key,
            actor=actor,
        )

    async def authorize(
        self,
        order_id: OrderId,
        *,
        gateway: str,
        token: str = "",
        amount: Decimal | None = None,
        method: str = "card",
        idempotency_key: str | None = None,
        actor: UserId | None = None,
    ) -> Outcome:
        """Reserve an amount for an order; see `taking.authorize`."""
        return await taking.authorize(
            self._pool,
            self.gateways,
            order_id,
            gateway=gateway,
            token=token,
            amount=amount,
            method=method,
            idempotency_key=idempotency_key,
            actor=actor,
        )

    async def capture(
        self,
        payment_id: PaymentId,
        *,
        amount: Decimal | None = None,
        idempotency_key: str | None = None,
        actor: UserId | None = None,
    ) -> Outcome:
        """Take a part of what is authorized, or all that is left; see `taking.capture`."""
        return await taking.capture(
            self._pool,
            self.gateways,
            payment_id,
            amount=amount,
            idempotency_key=idempotency_key,
            actor=actor,
        )

    async def void(self, payment_id: PaymentId, *, idempotency_key: str | None = None) -> Outcome:
        """Give up what is left of an authorization; see `taking.void`."""
        return await taking.void(
            self._pool, self.gateways, payment_id, idempotency_key=idempotency_key
        )

    async def refund(
        self,
        payment_id: PaymentId,
        *,
        amount: Decimal | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
        close_order: bool = False,
        actor: UserId | None = None,
    ) -> Outcome:
        """Give back a part of what was captured, or all that is left; see `taking.refund`."""
        return await taking.refund(
            self._pool,
            self.gateways,
            payment_id,
            amount=amount,
            reason=reason,
            idempotency_key=idempotency_key,
            close_order=close_order,
            actor=actor,
        )

    async def refund_order(
        self,
        order_id: OrderId,
        *,
        amount: Decimal | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
        close_order: bool = False,
        actor: UserId | None = None,
    ) -> tuple[Outcome, ...]:
        """Give back of an order, whichever payments it was; see `taking.refund_order`."""
        return await taking.refund_order(
            self._pool,
            self.gateways,
            order_id,
            amount=amount,
            reason=reason,
            idempotency_key=idempotency_key,
            close_order=close_order,
            actor=actor,
        )

    async def handle_webhook(
        self, gateway: str, headers: Mapping[str, str], body: bytes
    ) -> Receipt:
        """Take in what a gateway sent, once; see `webhooks.handle_webhook`."""
        return await webhooks.handle_webhook(self._pool, self.gateways, gateway, headers, body)

    async def recover(self, *, older_than: float = OLDER_THAN, dry_run: bool = False) -> Recovery:
        """Finish what was left open; see `recovery.recover`."""
        return await recovery.recover(
            self._pool, self.gateways, older_than=older_than, dry_run=dry_run
        )

    async def expire_authorizations(self) -> int:
        """Void what has ended at its gateway; see `taking.expire_authorizations`."""
        return await taking.expire_authorizations(self._pool, self.gateways)

    async def close(self) -> None:
        """Close the gateways; the shop does it when it is closed.

        Raises nothing of its own.
        """
        for gateway in self.gateways.values():
            await gateway.close()
