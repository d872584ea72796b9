"""The shop, as a program holds it: its settings, its pool and its domains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shopflow import settings as settings_module
from shopflow.carts.carts import Carts
from shopflow.events.events import Events
from shopflow.orders.orders import Orders
from shopflow.orders.payments.gateway import Gateways, check_names
from shopflow.orders.quoting import check_coupon, quote_shipping
from shopflow.orders.tax_rates import TaxRates
from shopflow.orders.taxes import TableTaxes, Taxes
from shopflow.postgres.embedded import Server
from shopflow.postgres.pool import Pool
from shopflow.products.products import Products
from shopflow.promotions.promotions import Promotions
from shopflow.settings import Settings
from shopflow.shipping.shipping import Shipping
from shopflow.users.policy import AccountPolicy
from shopflow.users.users import Users


class Shop:
    """An open shop.

    Attributes:
        settings: what is in force.
        pool: connections to the shop's database, for SQL of your own.
        users: accounts, sessions and addresses.
        products: the catalogue, its stock and reviews, read and written.
        carts: carts of users and guests.
        promotions: coupons.
        shipping: zones and methods, and what is offered for a cart.
        tax_rates: what orders are taxed by.
        orders: pricing, placing, paying, sending and reading orders; `orders.payments` for
            gateways.
        events: who is told what happens: webhooks, Python consumers, the worker.
    """

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        *,
        accounts: AccountPolicy | None = None,
        taxes: Taxes | None = None,
        gateways: Gateways | None = None,
    ) -> None:
        self.settings = settings
        self.pool = pool
        self.users = Users(pool, accounts)
        self.products = Products(pool)
        self.carts = Carts(pool, check_coupon)
        self.promotions = Promotions(pool)
        self.shipping = Shipping(pool, quote_shipping)
        self.tax_rates = TaxRates(pool)
        self.orders = Orders(pool, taxes or TableTaxes(), gateways or {})
        self.events = Events(pool, self.orders.payments.gateways)


@asynccontextmanager
async def open_shop(
    settings: Settings | None = None,
    *,
    accounts: AccountPolicy | None = None,
    taxes: Taxes | None = None,
    gateways: Gateways | None = None,
    **overrides: object,
) -> AsyncIterator[Shop]:
    """Open the shop for the length of an `async with` block.

    Without a database URL or PG* variables the embedded server is started, or used when it
    runs already; it goes on running after the block. The schema is not touched: that is
    `shopflow up` or `shopflow migrate up`.

    Args:
        settings: None loads them from the environment and the file.
        accounts: how long tokens live, how often a sign-in may be tried, what a password's hash
            costs; None for the defaults.
        taxes: how orders are taxed; None for the rates in the table tax_rates.
        gateways: payment gateways by name, which are closed with the shop; `manual` is there
            without being given.
        overrides: single settings that win over those, such as `database_url=…`; only without
            `settings`.

    Raises:
        ConfigurationError: for a setting that cannot work, such as too many connections, and for
            a gateway's name that cannot be.
        ServerError: when the server cannot be started or reached, or is older than 18.
        TypeError: when both `settings` and overrides are given.
    """
    if settings is not None and overrides:
        raise TypeError("give either settings or single settings, not both")
    settings = settings or settings_module.load(None, file=None, **overrides)
    check_names(gateways or {})
    if settings.embedded:
        await asyncio.to_thread(Server(settings).start)
    pool = Pool(settings)
    await pool.open()
    shop = Shop(settings, pool, accounts=accounts, taxes=taxes, gateways=gateways)
    try:
        yield shop
    finally:
        await shop.orders.close()
        shop.users.close()
        await pool.close()
