"""Product exports written for a test, and the shop they are imported into."""

import csv
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shopflow.importers.report import ImportRefusedError, ImportReport, Rejected
from shopflow.importers.shopify import import_shopify
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

Row = dict[str, str]
Rows = list[tuple[Any, ...]]


def product(handle: str, **values: str) -> Row:
    """The first row of a product without variants; names as in `SHORT`."""
    given = {
        "Title": handle.title(),
        "Option1 Name": "Title",
        "Option1 Value": "Default Title",
        "Variant Price": "10.00",
    }
    return given | further(handle, **values)


def further(handle: str, **values: str) -> Row:
    """A row of `handle` with nothing but `values`."""
    return {"Handle": handle} | {SHORT.get(name, name): text for name, text in values.items()}


SHORT = {
    "title": "Title",
    "body": "Body (HTML)",
    "vendor": "Vendor",
    "type": "Type",
    "tags": "Tags",
    "published": "Published",
    "name1": "Option1 Name",
    "value1": "Option1 Value",
    "name2": "Option2 Name",
    "value2": "Option2 Value",
    "name3": "Option3 Name",
    "value3": "Option3 Value",
    "sku": "Variant SKU",
    "tracker": "Variant Inventory Tracker",
    "quantity": "Variant Inventory Qty",
    "policy": "Variant Inventory Policy",
    "price": "Variant Price",
    "compare": "Variant Compare At Price",
    "image": "Image Src",
    "position": "Image Position",
    "alt": "Image Alt Text",
    "gift_card": "Gift Card",
    "variant_image": "Variant Image",
    "status": "Status",
}
COLUMNS = ("Handle", *SHORT.values(), "Variant Grams")


class Importer:
    """Writes exports below a directory, imports them, and looks at the shop."""

    def __init__(self, connection: psycopg.AsyncConnection, directory: Path) -> None:
        self.connection = connection
        self.directory = directory

    def file(self, *rows: Row, columns: Sequence[str] = COLUMNS, name: str = "shop.csv") -> Path:
        path = self.directory / name
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return path

    async def take(self, *rows: Row, columns: Sequence[str] = COLUMNS) -> ImportReport:
        return await import_shopify(self.connection, [self.file(*rows, columns=columns)])

    async def refused(self, *rows: Row, columns: Sequence[str] = COLUMNS) -> Rejected:
        """Import rows that must be refused; return what was, after a look that all is as before."""
        before = await self.everything()
        with pytest.raises(ImportRefusedError) as refused:
            await self.take(*rows, columns=columns)
        assert await self.everything() == before
        return refused.value.rejected

    async def rows(self, query: str, *parameters: object) -> Rows:
        cursor = await self.connection.execute(query.encode(), parameters)
        return await cursor.fetchall()

    async def everything(self) -> list[Rows]:
        """Every row of the catalogue with the transaction that wrote it."""
        return [
            await self.rows(f"SELECT xmin::text, ctid::text, t.* FROM {table} AS t ORDER BY id")
            for table in ("products", "product_variants", "product_images", "brands", "categories")
        ]


@pytest.fixture
async def importer(settings: Settings, tmp_path: Path) -> AsyncIterator[Importer]:
    async with await psycopg.AsyncConnection.connect(
        conninfo(settings), autocommit=True
    ) as connection:
        yield Importer(connection, tmp_path)


def problems(rejected: Rejected) -> list[tuple[int, str, str]]:
    return [(found.line, found.column, found.value) for found in rejected.problems]
