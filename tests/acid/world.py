"""A shop opened by several programs, a real gateway with faults, and everybody who works in it."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

import msgspec
import psycopg
from aiohttp import web

import shopflow
from shopflow import (
    CommitOutcomeUnknownError,
    PoolTimeoutError,
    ServerError,
    Shop,
    TransactionConflictError,
)
from shopflow.ids import (
    CartId,
    OrderId,
    PaymentId,
    ProductId,
    ReviewId,
    ShipmentId,
    ShippingMethodId,
    UserId,
    VariantId,
)
from shopflow.orders.checkout import Checkout
from shopflow.orders.models import PlacedOrder
from shopflow.orders.payments.gateway import Kind
from shopflow.orders.payments.sandbox_server import SandboxServer
from shopflow.orders.payments.sandbox_webhooks import Delivery
from shopflow.settings import Settings
from shopflow.users.tokens import RefreshToken
from tests.catalogue import a_coupon, a_product, a_shipping_method, a_tax_rate, a_variant
from tests.orders.payments.conftest import API_KEY, SECRET, client
from tests.users.conftest import PASSWORD, POLICY

Goods = tuple[ProductId, VariantId | None]
# What a caller gets while the server is gone or comes back.
AWAY = (ServerError, PoolTimeoutError, CommitOutcomeUnknownError, psycopg.OperationalError)
COUPONS = ("LIMITED", "ONCE", "FIRST", "ALWAYS", "SHIPPING")


class Gateway(SandboxServer):
    """A sandbox that can tell when nothing is under way in it any more."""

    def __init__(self) -> None:
        super().__init__(api_key=API_KEY, webhook_secret=SECRET)
        self._at_work = 0
        self._idle = asyncio.Condition()

    async def _call(
        self, request: web.Request, kind: Kind, authorization: str | None
    ) -> web.StreamResponse:
        self._at_work += 1
        try:
            return await super()._call(request, kind, authorization)
        finally:
            async with self._idle:
                self._at_work -= 1
                self._idle.notify_all()

    async def calm(self) -> None:
        """Answer everything, meet no more faults, and deliver every webhook."""
        self._planned.clear()
        while self._at_work or self.webhooks._under_way:
            self.release()
            async with self._idle:
                await self._idle.wait_for(lambda: not self._at_work)
            await self.webhooks.drain()


class World(msgspec.Struct):
    """What the workers share; ids are only ever added.

    Attributes:
        placed: the order that each idempotency key was answered with.
        abandoned: what was asked for by somebody who went away, and then once more: the first may
            have been under way in another program still when the second was refused.
        slowest: how long an operation took at most, in seconds, and which.
        done: how often each operation succeeded, and what it was refused with.
    """

    programs: list[Shop]
    server: Gateway
    goods: list[Goods]
    short_lived: list[ProductId]
    users: list[tuple[UserId, str]]
    method: ShippingMethodId
    carts: list[CartId] = []
    sessions: list[str] = []
    tokens: list[RefreshToken] = []
    orders: list[OrderId] = []
    payments: list[PaymentId] = []
    shipments: list[ShipmentId] = []
    reviews: list[ReviewId] = []
    placed: dict[str, PlacedOrder] = {}
    abandoned: dict[str, Checkout] = {}
    slowest: tuple[float, str] = (0.0, "")
    done: Counter[str] = msgspec.field(default_factory=Counter)
    unexpected: list[BaseException] = []

    @property
    def shop(self) -> Shop:
        """The first program."""
        return self.programs[0]


@asynccontextmanager
async def opened(settings: Settings, programs: int) -> AsyncIterator[World]:
    """Open the shop so often, with a gateway whose webhooks come twice and in the wrong order."""
    server = Gateway()
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        shops = [
            await stack.enter_async_context(
                shopflow.open(settings, accounts=POLICY, gateways={"sandbox": client(server)})
            )
            for _ in range(programs)
        ]
        world = await _furnished(shops, server)
        url = await stack.enter_async_context(_receiver(world))
        server.webhooks.delivery = Delivery(url=url, copies=2, reorder=True, delay=0.02)
        # Before the programs are closed: what is on its way would find nobody.
        stack.push_async_callback(server.calm)
        yield world


async def _furnished(programs: list[Shop], server: Gateway) -> World:
    shop = programs[0]
    goods: list[Goods] = [(await a_product(shop, stock_quantity=15), None)]
    goods += [(await a_product(shop, stock_quantity=60, price="7.35"), None) for _ in range(4)]
    sized = await a_product(shop, price="12.00")
    goods += [(sized, await a_variant(shop, sized, stock_quantity=30)) for _ in range(2)]
    await a_coupon(shop, code="LIMITED", usage_limit=12, discount_value="15")
    await a_coupon(
        shop, code="ONCE", per_user_limit=1, discount_type="fixed_amount", discount_value="3"
    )
    await a_coupon(shop, code="FIRST", first_order_only=True)
    await a_coupon(shop, code="ALWAYS", discount_value="7.5")
    await a_coupon(
        shop, code="SHIPPING", discount_type="free_shipping", discount_value="0", usage_limit=9
    )
    await a_tax_rate(shop, "0.19")
    world = World(
        programs=programs,
        server=server,
        goods=goods,
        short_lived=[await a_product(shop) for _ in range(4)],
        users=[],
        method=await a_shipping_method(shop, free_above=Decimal("80.00")),
    )
    for number in range(10):
        await register(shop, world, f"user{number}@acid.example")
    return world


async def register(shop: Shop, world: World, email: str) -> None:
    """Make an account that everybody knows the password of."""
    made = await shop.users.register(
        email=email,
        password=PASSWORD,
        first_name="Ann",
        last_name="Archer",
        network_address=None,
    )
    world.users.append((made.user.id, email))


@asynccontextmanager
async def _receiver(world: World) -> AsyncIterator[str]:
    """Where the gateway's webhooks go: to any of the programs."""
    chance = random.Random(0)

    async def take(request: web.Request) -> web.Response:
        shop = chance.choice(world.programs)
        try:
            await shop.orders.payments.handle_webhook(
                "sandbox", request.headers, await request.read()
            )
        except (TransactionConflictError, *AWAY):
            # It will come again.
            return web.Response(status=503)
        except Exception as error:  # noqa: BLE001 the test fails with it
            world.unexpected.append(error)
            return web.Response(status=500)
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/hook", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()
