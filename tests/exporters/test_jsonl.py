"""JSON Lines hold all of the catalogue: out, into an empty shop, and out again are the same bytes."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shopflow.errors import ShopflowError, TransactionError
from shopflow.exporters import exporting
from shopflow.exporters.exporting import ExportProgress
from shopflow.exporters.jsonl import export_jsonl
from shopflow.importers.jsonl import import_jsonl
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.importers.conftest import Importer

WORDS = (
    "wool",
    "Été",
    "a,b",
    'say "so"',
    "back\\slash",
    "tab\there",
    "two\nlines",
    "日本",
    "{1}",
    "NULL",
)


def made_up(seed: int) -> list[dict[str, Any]]:
    """Products of every shape, the same for the same seed."""
    chance = random.Random(seed)

    def words() -> str:
        return " ".join(chance.choices(WORDS, k=2))

    def price(least: int) -> str:
        return f"{chance.randrange(least, least + 90)}.{chance.randrange(100):02}"

    products = []
    for number in range(30):
        sku = f"S-{number}"
        variants = [
            {
                "name": f"{words()} {place}",
                "sku": f"{sku}-{place}",
                "price": price(10),
                "compare_at_price": chance.choice([None, price(100)]),
                "stock_quantity": chance.randrange(9),
                "option_values": {"Size": place, words(): chance.choice(["x", True, None, 1.5])},
                "sort_order": chance.randrange(-3, 3),
                "is_active": True,
            }
            for place in range(chance.choice([0, 0, 1, 3]))
        ]
        images = [
            {
                "url": f"https://img.example/{chance.randrange(2)}.jpg",
                "alt_text": chance.choice([None, words()]),
                "sort_order": chance.randrange(4),
                "is_primary": False,
                "variant": chance.choice([None, *(each["sku"] for each in variants)]),
            }
            for _ in range(chance.randrange(4))
        ]
        if images and chance.random() < 0.7:
            chance.choice(images)["is_primary"] = True
        products.append(
            {
                "slug": f"product-{number}-{chance.choice(('é', 'ß', 'x'))}",
                "name": words(),
                "sku": sku,
                "description": chance.choice([None, "", words()]),
                "brand": chance.choice([None, "Acme", words()]),
                "category": chance.choice(
                    [None, ["A"], ["A", "B > C"], ["A", "B", "C"], [words()]]
                ),
                "tags": chance.choice([[], ["a"], list(WORDS)]),
                "attributes": chance.choice([{}, {"n": 1.50, "deep": {"a": [None, words()]}}]),
                "price": price(10),
                "compare_at_price": chance.choice([None, price(100)]),
                "stock_quantity": chance.randrange(9),
                "track_inventory": chance.random() < 0.5,
                "is_active": chance.random() < 0.5,
                "is_featured": chance.random() < 0.5,
                "variants": variants,
                "images": images,
            }
        )
    return products


def written(path: Path, products: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in products), encoding="utf-8")
    return path


@pytest.mark.parametrize("seed", range(3))
async def test_out_and_in_and_out_again_is_the_same(importer: Importer, seed: int) -> None:
    first, second = (importer.directory / name for name in ("first.jsonl", "second.jsonl"))
    given = written(importer.directory / "given.jsonl", made_up(seed))
    report = await import_jsonl(importer.connection, [given])
    assert report.changes.products_created == 30
    await export_jsonl(importer.connection, first)
    before = await importer.everything()
    assert (await import_jsonl(importer.connection, [first])).changes.total == 0
    assert await importer.everything() == before
    await importer.connection.execute("DELETE FROM products")
    await import_jsonl(importer.connection, [first])
    await export_jsonl(importer.connection, second)
    assert second.read_bytes() == first.read_bytes()


async def test_what_is_given_is_what_is_written(importer: Importer) -> None:
    given = made_up(7)
    await import_jsonl(importer.connection, [written(importer.directory / "in.jsonl", given)])
    out = importer.directory / "out.jsonl"
    report = await export_jsonl(importer.connection, out)
    assert (report.products, report.rows, report.bytes) == (30, 30, out.stat().st_size)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    for product, wrote in zip(given, found, strict=True):
        for kind in ("variants", "images"):
            product[kind].sort(key=lambda each: each["sort_order"])
        if product["variants"]:
            product["stock_quantity"] = sum(each["stock_quantity"] for each in product["variants"])
        assert wrote == product


async def test_a_snapshot_is_written_whatever_others_do(
    importer: Importer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await import_jsonl(importer.connection, [written(importer.directory / "in.jsonl", made_up(1))])
    monkeypatch.setattr(exporting, "FETCHED", 1)
    out = importer.directory / "out.jsonl"
    with psycopg.connect(conninfo(settings), autocommit=True) as other:

        def delete(progress: ExportProgress) -> None:
            # Neither waits for the other.
            other.execute("UPDATE products SET name = 'changed', deleted_at = now()")
            seen.append(progress)

        seen: list[ExportProgress] = []
        report = await export_jsonl(importer.connection, out, progress=delete)
    assert report.products == 30
    assert seen[-1] == ExportProgress(30, 30)
    assert '"name":"changed"' not in out.read_text()


async def test_a_file_that_cannot_be_written_is_named(importer: Importer) -> None:
    with pytest.raises(ShopflowError, match=r"cannot write /nowhere/out\.jsonl: No such file"):
        await export_jsonl(importer.connection, Path("/nowhere/out.jsonl"))


async def test_an_interrupted_export_leaves_the_old_file(importer: Importer) -> None:
    await import_jsonl(importer.connection, [written(importer.directory / "in.jsonl", made_up(1))])
    out = importer.directory / "out.jsonl"
    out.write_text("old")

    def interrupt(_: ExportProgress) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await export_jsonl(importer.connection, out, progress=interrupt)
    assert out.read_text() == "old"
    assert sorted(path.name for path in importer.directory.iterdir()) == ["in.jsonl", "out.jsonl"]


async def test_a_connection_in_a_transaction_is_refused(importer: Importer) -> None:
    async with importer.connection.transaction():
        with pytest.raises(TransactionError, match="not in a transaction"):
            await export_jsonl(importer.connection, importer.directory / "out.jsonl")
