"""Sends the sandbox's webhooks: signed, and if wanted twice, late and in the wrong order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime

import aiohttp
import msgspec

from shopflow.orders.payments.gateway import GatewayEvent
from shopflow.orders.payments.sandbox import SIGNATURE
from shopflow.orders.payments.signatures import sign

LOG = logging.getLogger(__name__)
# Seconds that a receiver may take, and the pauses before it is tried again.
TIMEOUT = 10.0
PAUSES = (0.2, 1.0, 5.0)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How events are delivered.

    Attributes:
        url: where to; None keeps them in `Webhooks.events` alone.
        copies: how often each is sent.
        delay: seconds before an event is sent.
        reorder: hold every event back until the next one was sent, the last for `delay`.
    """

    url: str | None = None
    copies: int = 1
    delay: float = 0.0
    reorder: bool = False


class Webhooks:
    """The events that happened, and those on their way."""

    def __init__(self, secret: str, delivery: Delivery) -> None:
        self._secret = secret.encode()
        self.delivery = delivery
        self.events: list[GatewayEvent] = []
        self._held: GatewayEvent | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def signed(self, event: GatewayEvent) -> tuple[dict[str, str], bytes]:
        """Return headers and body as they are sent now."""
        body = msgspec.json.encode(event)
        return {SIGNATURE: sign(self._secret, body, datetime.now(UTC))}, body

    def tell(self, event: GatewayEvent) -> None:
        """Have an event delivered, as `delivery` says."""
        self.events.append(event)
        if self.delivery.url is None:
            return
        if self.delivery.reorder and self._held is None:
            self._held = event
            self._start(self._let_go(event))
            return
        self._send(event)
        if self._held is not None:
            held, self._held = self._held, None
            self._send(held)

    async def drain(self) -> None:
        """Wait until everything that is on its way has arrived, or was given up."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self) -> None:
        """Stop what is on its way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _let_go(self, event: GatewayEvent) -> None:
        await asyncio.sleep(self.delivery.delay)
        if self._held is event:
            self._held = None
            self._send(event)

    def _send(self, event: GatewayEvent) -> None:
        for _ in range(self.delivery.copies):
            self._start(self._deliver(event))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, event: GatewayEvent) -> None:
        if not self.delivery.reorder:
            await asyncio.sleep(self.delivery.delay)
        for pause in (*PAUSES, None):
            if await self._arrives(event):
                return
            if pause is not None:
                await asyncio.sleep(pause)
        LOG.warning("webhook %s was given up", event.event_id)

    async def _arrives(self, event: GatewayEvent) -> bool:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))
        headers, body = self.signed(event)
        try:
            async with self._session.post(
                self.delivery.url or "", data=body, headers=headers
            ) as response:
                return response.ok
        except (TimeoutError, aiohttp.ClientError):
            return False
