"""The orders and returns of a real shop's four months, replayed through the public API."""

import asyncio
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from time import perf_counter

import msgspec
import psycopg

import shopflow
from bench import retail, servers, shops
from bench.frame import Bench, Competitor, Scale
from bench.ours import ADDRESS
from bench.retail import History, Item, Line, Plan, Return, Sale
from shopflow import Shop
from shopflow.ids import PaymentId, ProductId, UserId, VariantId
from shopflow.migrations import runner
from shopflow.orders import Checkout
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from shopflow.users import AccountPolicy, Hashing, Limit, RateLimits

WORKERS = 8
# Invoices; None for all.
INVOICES: Mapping[Scale, int | None] = {"tiny": 300, "default": None}
# In stock beside what is sold.
SPARE = 10
PRODUCTS = """
    INSERT INTO products (name, slug, sku, price, stock_quantity)
    SELECT name, slug, sku, 0, 0
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS given (name, slug, sku)
    RETURNING sku, id
"""
VARIANTS = """
    INSERT INTO product_variants (product_id, name, sku, price, stock_quantity, option_values)
    SELECT product_id, price::text, sku, price, stock, jsonb_build_object('Price', price::text)
    FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::integer[])
        AS given (product_id, sku, price, stock)
    RETURNING sku, id
"""
# All customers come from one address, and what a hash costs is not what is measured.
ACCOUNTS = AccountPolicy(
    hashing=Hashing(time_cost=1, memory_cost=8, parallelism=1),
    limits=RateLimits(register_address=Limit(100_000, timedelta(hours=1))),
)
ORDERED = """
    SELECT o.idempotency_key, o.total_amount, sum(p.captured_amount)
    FROM orders AS o JOIN payments AS p ON p.order_id = o.id
    GROUP BY o.id
"""
REFUNDED = "SELECT reason, sum(amount) FROM refunds WHERE status = 'succeeded' GROUP BY reason"
PIECES = """
    SELECT
        (SELECT coalesce(sum(quantity), 0) FROM order_items),
        (SELECT coalesce(sum(stock_quantity), 0) FROM product_variants)
"""

Good = tuple[ProductId, VariantId]


class Books(msgspec.Struct, frozen=True):
    """What the database holds in the end: amounts by invoice, and pieces."""

    ordered: dict[str, Decimal]
    captured: dict[str, Decimal]
    refunded: dict[str, Decimal]
    sold: int
    in_stock: int


@dataclass
class Replay:
    """One replay into a shop that holds the goods and the customers."""

    shop: Shop
    goods: Mapping[Item, Good]
    users: Mapping[str, UserId]
    payments: dict[str, PaymentId] = field(default_factory=dict)

    async def run(self, histories: Iterable[History]) -> None:
        """Replay the histories, `WORKERS` at a time."""
        waiting = iter(histories)

        async def work() -> None:
            for history in waiting:
                for step in history.steps:
                    await self._do(history.customer, step)

        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())

    async def _do(self, customer: str | None, step: Sale | Return) -> None:
        if isinstance(step, Sale):
            await self._order(customer, step)
        else:
            payment = self.payments[step.sale]
            await _refund(self.shop, payment, step.amount, step.invoice)

    async def _order(self, customer: str | None, sale: Sale) -> None:
        carts, orders = self.shop.carts, self.shop.orders
        if customer is None:
            cart = await carts.open(session_id=sale.invoice)
        else:
            cart = await carts.open(user_id=self.users[customer])
        for item, quantity in sale.pieces.items():
            await carts.add(cart, *self.goods[item], quantity)
        placed = await orders.place(
            Checkout(
                cart_id=cart,
                idempotency_key=sale.invoice,
                shipping_address=msgspec.structs.replace(ADDRESS, country_code=sale.country_code),
                customer_email=None if customer else "guest@example.com",
                currency_code="GBP",
            )
        )
        self.payments[sale.invoice] = await orders.mark_paid(
            placed.id, amount=placed.total_amount, method="card"
        )


async def _refund(shop: Shop, payment: PaymentId, amount: Decimal, invoice: str) -> None:
    """Give money back of a payment; the invoice is the reason, by which the books are checked."""
    await shop.orders.payments.refund(payment, amount=amount, reason=invoice)


async def _write_off(shop: Shop, lines: Iterable[Line], goods: Mapping[Item, Good]) -> None:
    """Take what was lost out of the stock."""
    for line in lines:
        await shop.products.stock.adjust(*goods[line.item], change=line.quantity, notes="lost")


async def _register(shop: Shop, names: Iterable[str]) -> dict[str, UserId]:
    """Make the customers' accounts."""
    found: dict[str, UserId] = {}
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            registered = await shop.users.register(
                email=f"{name}@example.com",
                password="bought before",  # noqa: S106 nobody signs in
                first_name="Customer",
                last_name=name,
                network_address="127.0.0.1",
            )
            found[name] = registered.user.id

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())
    return found


def _make_goods(
    connection: psycopg.Connection, lines: Iterable[Line], stock: Mapping[Item, int]
) -> dict[Item, Good]:
    """Make a product of each stock code, and a variant of each of its prices."""
    names = {line.item.code: line.name for line in lines}
    codes = sorted(names)
    slugs = [code.lower().replace(" ", "-") for code in codes]
    products: dict[str, ProductId] = dict(
        connection.execute(PRODUCTS, ([names[code] for code in codes], slugs, codes)).fetchall()
    )
    skus = {f"{item.code} at {item.price}": item for item in stock}
    rows = [(products[item.code], sku, item.price, stock[item]) for sku, item in skus.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    variants = connection.execute(VARIANTS, columns).fetchall()
    return {skus[sku]: (products[skus[sku].code], variant) for sku, variant in variants}


def _stock(plan: Plan) -> dict[Item, int]:
    """Return how much there has to be of each item."""
    found: dict[Item, int] = defaultdict(lambda: SPARE)
    for step in plan.steps():
        if isinstance(step, Sale):
            for item, quantity in step.pieces.items():
                found[item] += quantity
    for line in plan.write_offs:
        found[line.item] -= line.quantity
    return found


def _replay(server: Settings, lines: list[Line], numbers: Iterator[int]) -> Mapping[str, float]:
    settings = shops.create(server, f"replay_{next(numbers)}")
    runner.up(settings)
    plan = retail.plan(lines)
    stock = _stock(plan)
    with psycopg.connect(conninfo(settings)) as connection:
        goods = _make_goods(connection, lines, stock)
    seconds = asyncio.run(_run(settings, plan, goods))
    books = _books(settings)
    check(lines, plan, books)
    if books.in_stock != sum(stock.values()) - books.sold + sum(
        line.quantity for line in plan.write_offs
    ):
        raise RuntimeError(f"{books.in_stock} pieces are in stock, which is not what was not sold")
    _tell(lines, plan, books, seconds)
    return {"orders": len(books.ordered) / seconds, "lines": len(lines) / seconds}


async def _run(settings: Settings, plan: Plan, goods: Mapping[Item, Good]) -> float:
    pooled = msgspec.structs.replace(settings, pool_max_size=WORKERS, pool_timeout=30.0)
    customers = sorted({each.customer for each in plan.histories if each.customer})
    async with shopflow.open(pooled, accounts=ACCOUNTS) as shop:
        begun = perf_counter()
        users = await _register(shop, customers)
        await Replay(shop, goods, users).run(plan.histories)
        await _write_off(shop, plan.write_offs, goods)
        return perf_counter() - begun


def _books(settings: Settings) -> Books:
    with psycopg.connect(conninfo(settings)) as connection:
        orders = connection.execute(ORDERED).fetchall()
        refunds = connection.execute(REFUNDED).fetchall()
        sold, in_stock = connection.execute(PIECES).fetchone() or (0, 0)
    return Books(
        ordered={invoice: total for invoice, total, _ in orders},
        captured={invoice: captured for invoice, _, captured in orders},
        refunded=dict(refunds),
        sold=sold,
        in_stock=in_stock,
    )


def check(lines: list[Line], plan: Plan, books: Books) -> None:
    """Refuse books that are not the file's to the cent, invoice by invoice.

    The file's amounts are added up from its lines, not from the plan. No price has a fraction of
    a cent, so nothing is rounded on either side.

    Raises:
        RuntimeError: naming what differs.
    """
    wanted = retail.amounts(lines)
    openings = {each.invoice for each in plan.steps() if isinstance(each, Sale) and each.opening}
    sales = {invoice: total for invoice, total in books.ordered.items() if invoice not in openings}
    _check_same("orders", {i: w for i, w in wanted.items() if not i.startswith("C")}, sales)
    _check_same("refunds", {i: w for i, w in wanted.items() if i.startswith("C")}, books.refunded)
    _check_same("payments", books.ordered, books.captured)
    if openings - books.ordered.keys():
        raise RuntimeError("an order for what was bought before the file begins is missing")


def _check_same(what: str, wanted: Mapping[str, Decimal], found: Mapping[str, Decimal]) -> None:
    both = sorted(wanted.keys() | found.keys())
    differing = [each for each in both if wanted.get(each) != found.get(each)]
    if differing:
        first = differing[0]
        raise RuntimeError(
            f"{what}: {len(differing)} differ from the file, the first is {first}:"
            f" {found.get(first)} instead of {wanted.get(first)}"
        )


def _tell(lines: list[Line], plan: Plan, books: Books, seconds: float) -> None:
    returned = sum(books.refunded.values(), Decimal())
    opening = [each for each in plan.steps() if isinstance(each, Sale) and each.opening]
    before = sum((books.ordered[each.invoice] for each in opening), Decimal())
    sold = sum(books.ordered.values(), Decimal()) - before
    print(
        f"replay: {len(lines):,} lines in {seconds:.1f} s. As the file has it, to the cent:"
        f" {len(books.ordered) - len(opening):,} orders of {sold:,} and {len(books.refunded):,}"
        f" invoices of returns of {returned:,}, net {sold - returned:,}. Beside these"
        f" {len(opening):,} orders of {before:,} for returns of what the file does not sell, and"
        f" {len(plan.write_offs):,} write-offs."
    )


@contextmanager
def _competitors(scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    if not retail.FILE.is_file():
        print(f"replay is left out: there is no {retail.FILE}", file=sys.stderr)
        yield {}
        return
    lines = retail.read(retail.FILE, INVOICES[scale])
    with servers.running() as server:
        yield {"shopflow": partial(_replay, server, lines, itertools.count(1))}


BENCH = Bench(
    name="replay",
    purpose=f"orders, payments and refunds of a real shop, by {WORKERS} workers",
    unit={"orders": "1/s", "lines": "1/s"},
    rounds={"tiny": 1, "default": 1},
    ratios={},
    competitors=_competitors,
)
