"""The shop, as a program holds it: its settings, its pool and its domains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shopflow import settings as settings_module
from shopflow.carts.carts import Carts
from shopflow.events.events import Events
from shopflow.orders.orders import Orders
from shopflow.postgres.embedded import Server
from shopflow.postgres.pool import Pool
from shopflow.products.products import Products
from shopflow.settings import Settings


class Shop:
    """An open shop.

    Attributes:
        settings: what is in force.
        pool: connections to the shop's database, for SQL of your own.
        products: listings and product pages.
        carts: carts of users and guests.
        orders: placing, paying and reading orders.
        events: who is told what happens: webhooks, Python consumers, the worker.
    """

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.settings = settings
        self.pool = pool
        self.products = Products(pool)
        self.carts = Carts(pool)
        self.orders = Orders(pool)
        self.events = Events(pool)


@asynccontextmanager
async def open_shop(settings: Settings | None = None, **overrides: object) -> AsyncIterator[Shop]:
    """Open the shop for the length of an `async with` block.

    Without a database URL or PG* variables the embedded server is started, or used when it
    runs already; it goes on running after the block. The schema is not touched: that is
    `shopflow up` or `shopflow migrate up`.

    Args:
        settings: None loads them from the environment and the file.
        overrides: single settings that win over those, such as `database_url=…`; only without
            `settings`.

    Raises:
        ConfigurationError: for a setting that cannot work, such as too many connections.
        ServerError: when the server cannot be started or reached, or is older than 18.
        TypeError: when both `settings` and overrides are given.
    """
    if settings is not None and overrides:
        raise TypeError("give either settings or single settings, not both")
    settings = settings or settings_module.load(None, file=None, **overrides)
    if settings.embedded:
        await asyncio.to_thread(Server(settings).start)
    pool = Pool(settings)
    await pool.open()
    try:
        yield Shop(settings, pool)
    finally:
        await pool.close()
