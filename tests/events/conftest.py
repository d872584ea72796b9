"""Orders to tell of, and a receiver of webhooks that can be told what to answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import web

from shopflow import Shop
from shopflow.ids import OrderId
from tests.catalogue import run

_numbers = count(1)
# Tells for a request which status to answer; the number of the request for this event from 1.
Answer = Callable[[dict[str, Any], int], int]


async def an_order(shop: Shop) -> OrderId:
    """As a program that writes SQL would place it."""
    ((order_id,),) = await run(
        shop,
        "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
        " VALUES ('EUR', 20, 20, %(email)s) RETURNING id",
        email=f"secret-person-{next(_numbers)}@example.com",
    )
    return OrderId(order_id)


async def change(shop: Shop, order_id: UUID, *statuses: str) -> None:
    for status in statuses:
        await run(
            shop, "UPDATE orders SET status = %(to)s WHERE id = %(id)s", to=status, id=order_id
        )


async def events(shop: Shop) -> list[str]:
    rows = await run(shop, "SELECT event_type FROM outbox_events ORDER BY position")
    return [event_type for (event_type,) in rows]


async def states(shop: Shop) -> list[tuple[str, int]]:
    return await run(shop, "SELECT state, attempts FROM event_deliveries ORDER BY position")


class Received(msgspec.Struct):
    """One request, as it came."""

    headers: dict[str, str]
    body: bytes
    document: dict[str, Any]
    status: int


class Receiver:
    """An HTTP server on loopback; answers 200 unless told otherwise."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Received] = []
        self.answer: Answer = lambda _document, _number: 200
        self.hold: asyncio.Event | None = None
        self.headers: dict[str, str] = {}
        self.under_way: set[str] = set()
        self.overlaps: list[str] = []
        self.arrived = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        document = msgspec.json.decode(body)
        lane = document["aggregate_id"]
        if lane in self.under_way:
            self.overlaps.append(lane)
        self.under_way.add(lane)
        try:
            number = 1 + sum(r.document["id"] == document["id"] for r in self.requests)
            status = self.answer(document, number)
            headers = {key.lower(): value for key, value in request.headers.items()}
            self.requests.append(Received(headers, body, document, status))
            async with self.arrived:
                self.arrived.notify_all()
            if self.hold is not None:
                await self.hold.wait()
        finally:
            self.under_way.discard(lane)
        return web.Response(status=status, headers=self.headers)

    @property
    def taken(self) -> list[dict[str, Any]]:
        """What was answered with 2xx, in the order in which it came."""
        return [r.document for r in self.requests if r.status < 300]

    async def until(self, condition: Callable[[], bool], within: float = 30) -> None:
        """Wait for requests until the condition holds."""
        async with asyncio.timeout(within), self.arrived:
            await self.arrived.wait_for(condition)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    application = web.Application()
    application.router.add_post("/{path:.*}", found.handle)
    runner = web.AppRunner(application, handler_cancellation=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    found.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield found
    finally:
        if found.hold is not None:
            found.hold.set()
        await runner.cleanup()
