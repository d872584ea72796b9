"""Taking orders as others do it and as we do: spread over the products, and of one product."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import msgspec

from bench import limit, naive, orm, oscar, ours, shops
from bench.frame import Bench, Competitor, Scale, Unit
from bench.load import Load, Place, Run, closed_loop, measures
from bench.shops import Goods, Sold
from shopflow.settings import Settings

CALLERS = (1, 8, 32)
PROCESSES = 4
# Competitors that also run short of stock.
Placing = Callable[[Settings, str], AbstractAsyncContextManager[Place]]


class Size(msgspec.Struct, frozen=True):
    """How much is done: products in the shop, orders a run, its longest time, orders when short.

    A run of oscar's takes seconds to begin: a small scale has only that of the ratio.
    """

    products: int
    orders: int
    within: float
    short: int
    oscar_callers: tuple[int, ...]


SIZES: Mapping[Scale, Size] = {
    "tiny": Size(products=200, orders=96, within=2.0, short=64, oscar_callers=(8,)),
    "default": Size(products=20_000, orders=6_000, within=3.0, short=640, oscar_callers=CALLERS),
}


class Way(Protocol):
    """One way of taking orders, with a database of its own."""

    # The numbers of callers that it is measured with.
    callers: tuple[int, ...]
    runs_short: bool

    def prepare(self, goods: Goods, orders: int) -> None:
        """Fill the carts 0 to `orders` and set the stock."""

    def run(self, load: Load) -> Run:
        """Place the orders."""

    def sold(self) -> Sold:
        """Count what was sold since `prepare`."""


@dataclass
class InShopflow:
    """A way that uses ShopFlow's schema."""

    shop: Settings
    take: Callable[[Settings, Load], Run]
    callers: tuple[int, ...] = CALLERS
    runs_short: bool = True

    def prepare(self, goods: Goods, orders: int) -> None:
        """See `shops.prepare`."""
        shops.prepare(self.shop, goods, orders)

    def run(self, load: Load) -> Run:
        """Place the orders."""
        return self.take(self.shop, load)

    def sold(self) -> Sold:
        """See `shops.sold`."""
        return shops.sold(self.shop)


@dataclass
class Competition:
    """The runs of one way in a benchmark, and what it has oversold in them."""

    name: str
    way: Way
    goods: Goods
    size: Size
    runs: int = 0
    oversold: int = field(default=0)

    def measure(self, callers: int) -> Mapping[str, float]:
        """Place orders of which there is enough."""
        # One caller takes longer for as many.
        orders = self.size.orders if callers > 1 else self.size.orders // 4
        return measures(self._run(callers, orders, self.goods))

    def run_short(self) -> Mapping[str, float]:
        """Ask for twice what there is, and return what was sold of nothing, in all runs."""
        if self.way.runs_short:
            products = min(self.goods.products, self.size.short // 16)
            pieces = self.size.short * self.goods.lines
            short = Goods(products, self.goods.lines, stock=pieces // 2 // products)
            self._run(max(self.way.callers), self.size.short, short)
        oversold, self.oversold = self.oversold, 0
        return {"oversold": oversold}

    def _run(self, callers: int, orders: int, goods: Goods) -> Run:
        self.runs += 1
        self.way.prepare(goods, orders)
        run = self.way.run(Load(callers, orders, self.size.within, f"{self.name}-{self.runs}"))
        sold = self.way.sold()
        self.oversold += sold.oversold
        # Our own bookkeeping: what was answered as placed is in the database.
        if sold.pieces < len(run.seconds) * goods.lines:
            raise RuntimeError(
                f"{self.name} answered {len(run.seconds)} orders of {goods.lines} pieces and sold"
                f" {sold.pieces} pieces"
            )
        if goods.stock is not None and sold.pieces - sold.oversold > goods.pieces:
            raise RuntimeError(f"{self.name} sold {sold.pieces} pieces of {goods.pieces}")
        return run


def _in_process(placing: Placing, shop: Settings, load: Load) -> Run:
    async def take() -> Run:
        async with placing(shop, load.tag) as place:
            await closed_loop(load, range(load.warm_up), place)
            return await closed_loop(load, range(load.warm_up, load.orders), place)

    return asyncio.run(take())


def _ways(server: Settings, size: Size) -> Iterator[tuple[str, Way]]:
    def shop(name: str) -> Settings:
        return shops.clone(server, name)

    yield "shopflow", InShopflow(shop("ours"), partial(_in_process, ours.placing))
    several = partial(ours.from_several, PROCESSES)
    yield "shopflow_x4", InShopflow(shop("ours_x4"), several, callers=(8, 32))
    yield "naive", InShopflow(shop("naive"), partial(_in_process, naive.placing))
    yield "orm", InShopflow(shop("orm"), partial(_in_process, orm.placing))
    # pgbench does not read what it is answered: a shortage would count as an order.
    yield "limit", InShopflow(shop("limit"), limit.run, runs_short=False)
    try:
        yield "oscar", oscar.InOscar(server, size.products, size.orders, size.oscar_callers)
    except oscar.MissingError as missing:
        print(f"oscar is left out: {missing}", file=sys.stderr)


@contextmanager
def _competitors(goods: Goods, scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    size = SIZES[scale]
    sold = Goods(min(goods.products, size.products), goods.lines)
    with shops.filled(size.products, size.orders) as server:
        found = {name: Competition(name, way, sold, size) for name, way in _ways(server, size)}
        # By callers first: what is compared runs one after the other.
        turns: dict[str, Competitor] = {
            f"{name}.c{callers}": partial(each.measure, callers)
            for callers in CALLERS
            for name, each in found.items()
            if callers in each.way.callers
        }
        yield turns | {name: each.run_short for name, each in found.items()}


UNITS: Mapping[str, Unit] = {"rate": "1/s", "p50": "s", "p99": "s", "oversold": "count"}
ROUNDS: Mapping[Scale, int] = {"tiny": 1, "default": 5}
CHECKOUT = Bench(
    name="checkout",
    purpose="orders of three products each, spread over all, in five ways",
    unit=UNITS,
    rounds=ROUNDS,
    ratios={
        "spread_vs_naive_c32": ("shopflow.c32.rate", "naive.c32.rate"),
        "spread_vs_limit_c32": ("shopflow.c32.rate", "limit.c32.rate"),
        "spread_vs_naive_c1": ("shopflow.c1.rate", "naive.c1.rate"),
        "spread_vs_orm_c32": ("shopflow.c32.rate", "orm.c32.rate"),
        "spread_vs_oscar_c8": ("shopflow.c8.rate", "oscar.c8.rate"),
    },
    competitors=partial(_competitors, Goods(products=sys.maxsize, lines=3)),
)
FLASH = Bench(
    name="flash",
    purpose="orders of one and the same product, in five ways",
    unit=UNITS,
    rounds=ROUNDS,
    ratios={
        "hot_vs_naive_c32": ("shopflow.c32.rate", "naive.c32.rate"),
        "hot_p99_vs_naive_c32": ("shopflow.c32.p99", "naive.c32.p99"),
        "hot_vs_limit_c32": ("shopflow.c32.rate", "limit.c32.rate"),
        "hot_vs_orm_c32": ("shopflow.c32.rate", "orm.c32.rate"),
        "hot_vs_oscar_c8": ("shopflow.c8.rate", "oscar.c8.rate"),
    },
    competitors=partial(_competitors, Goods(products=1, lines=1)),
)
