r"""Bringing in a catalogue: our importers against psql's \copy of the finished rows."""

import asyncio
import itertools
import json
import random
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import psycopg
from psycopg import sql

from bench import servers, shops
from bench.frame import Bench, Competitor, Scale
from shopflow.exporters.shopify import export_shopify
from shopflow.importers.jsonl import import_jsonl
from shopflow.importers.shopify import import_shopify
from shopflow.migrations import runner
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

PRODUCTS: Mapping[Scale, int] = {"tiny": 200, "default": 50_000}
# What \copy needs: rows as they shall be, with their keys. A product with variants comes without
# stock, which the trigger on its variants sums up.
TABLES = {
    "categories": "id, parent_id, name, slug",
    "brands": "id, name, slug",
    "products": "id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,"
    " track_inventory, attributes, tags, is_active, is_featured, stock_quantity",
    "product_variants": "id, product_id, name, sku, price, compare_at_price, stock_quantity,"
    " option_values, sort_order, is_active",
    "product_images": "id, product_id, variant_id, url, alt_text, sort_order, is_primary",
}
Take = Callable[[Settings], object]
_numbers = itertools.count(1)


@contextmanager
def _competitors(scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    products = PRODUCTS[scale]
    with servers.running() as server, servers.directory() as scratch:
        runner.up(shops.create(server, shops.TEMPLATE))
        lines, rows = scratch / "shop.jsonl", scratch / "shop.csv"
        _write(lines, products)
        with _shop(server) as source:
            asyncio.run(_import_jsonl(source, lines))
            asyncio.run(_export_shopify(source, rows))
            script = _tables(source, scratch)
        ways: Mapping[str, Take] = {
            "jsonl": lambda shop: asyncio.run(_import_jsonl(shop, lines)),
            "shopify": lambda shop: asyncio.run(_import_shopify(shop, rows)),
            "copy": lambda shop: _copy(shop, script),
        }
        yield {name: partial(_rate, server, take, products) for name, take in ways.items()}


BENCH = Bench(
    name="import",
    purpose="products a second with variants and images, all ANALYZEd, against psql's \\copy",
    unit="1/s",
    rounds={"tiny": 1, "default": 3},
    ratios={"import_vs_copy": ("jsonl", "copy"), "shopify_vs_copy": ("shopify", "copy")},
    competitors=_competitors,
)


def _rate(server: Settings, take: Take, products: int) -> float:
    with _shop(server) as shop:
        shops.checkpoint(server)
        begun = perf_counter()
        take(shop)
        seconds = perf_counter() - begun
        with psycopg.connect(conninfo(shop)) as connection:
            found = connection.execute("SELECT count(*) FROM products").fetchone()
        if found != (products,):
            raise RuntimeError(f"{found} products instead of {products}")
        return products / seconds


@contextmanager
def _shop(server: Settings) -> Iterator[Settings]:
    name = f"bench_{next(_numbers)}"
    try:
        yield shops.clone(server, name)
    finally:
        with psycopg.connect(Server(server).superuser_conninfo(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def _import_jsonl(shop: Settings, file: Path) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(shop), autocommit=True) as connection:
        await import_jsonl(connection, [file])


async def _import_shopify(shop: Settings, file: Path) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(shop), autocommit=True) as connection:
        await import_shopify(connection, [file])


async def _export_shopify(shop: Settings, file: Path) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(shop), autocommit=True) as connection:
        await export_shopify(connection, file)


def _tables(shop: Settings, directory: Path) -> Path:
    """Write the tables of a shop as files, and the script that copies them into another."""
    script = directory / "copy.sql"
    commands = ["SET statement_timeout = 0;"]
    with psycopg.connect(conninfo(shop)) as connection:
        for table, names in TABLES.items():
            path = directory / f"{table}.csv"
            what = names.replace(
                "stock_quantity", "CASE WHEN has_variants THEN 0 ELSE stock_quantity END"
            )
            query = f"COPY (SELECT {what if table == 'products' else names} FROM {table} ORDER BY id) TO STDOUT (FORMAT csv)"  # noqa: E501, S608 our own names
            with path.open("wb") as out, connection.cursor().copy(query.encode()) as copy:
                out.writelines(copy)
            commands.append(f"\\copy {table} ({names}) FROM '{path}' (FORMAT csv)")
    # As our imports do.
    commands.append(f"ANALYZE {', '.join(TABLES)};")
    script.write_text("\n".join(commands), encoding="utf-8")
    return script


def _copy(shop: Settings, script: Path) -> None:
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    program = Server(shop).binary("psql")
    subprocess.run(
        [program, *options, f"--file={script}", conninfo(shop)],
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _write(path: Path, products: int) -> None:
    """Write a catalogue, the same each time: every third product has three variants."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=5)) for _ in range(3000)]
    # Some words are in many products, most in few.
    weights = [1 / place for place in range(1, len(words) + 1)]
    with path.open("w", encoding="utf-8") as out:
        for number in range(products):
            some = chance.choices(words, weights, k=90)
            out.write(json.dumps(_product(number, some, chance)) + "\n")


def _product(number: int, words: list[str], chance: random.Random) -> dict[str, object]:
    price = f"{5 + number % 90}.50"
    sizes = ("S", "M", "L") if number % 3 == 0 else ()
    return {
        "slug": f"{'-'.join(words[:4])}-{number}",
        "name": f"{' '.join(words[:4])} {number}",
        "sku": f"{words[0]}-{number}".upper(),
        "description": f"<p>{' '.join(words[10:])}</p>",
        "brand": f"Brand {chance.randrange(200)}",
        "category": [f"Group {number % 10}", f"Kind {chance.randrange(40)}"],
        "tags": sorted(set(words[4:7])),
        "price": price,
        "stock_quantity": chance.randrange(50),
        "is_active": number % 20 != 0,
        "variants": [
            {
                "sku": f"V-{number}-{size}",
                "price": price,
                "stock_quantity": chance.randrange(50),
                "option_values": {"Size": size},
            }
            for size in sizes
        ],
        "images": [{"url": f"https://img.example/{number}-{place}.jpg"} for place in range(2)],
    }
