"""An export of any format: one snapshot of the catalogue, streamed to a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from shopflow.errors import ShopflowError
from shopflow.importers.loading import in_transaction
from shopflow.importers.report import Note, Notes
from shopflow.postgres.pool import Pool
from shopflow.postgres.queries import load

QUERIES = load("shopflow.exporters")
# So many products are in memory.
FETCHED = 500


class ExportProgress(msgspec.Struct, frozen=True):
    """How far an export is: so many of all products."""

    products: int
    total: int


class ExportReport(msgspec.Struct, frozen=True):
    """What an export wrote.

    Attributes:
        rows: lines of JSON, or rows of CSV without the header.
        bytes: of the file.
        notes: what is otherwise in the file than in the shop; its `line` is where, or would be.
    """

    file: Path
    products: int
    rows: int
    bytes: int
    notes: tuple[Note, ...]
    seconds: float
    products_per_second: float


ShowExport = Callable[[ExportProgress], None]
# Takes a product as a JSON object; returns the rows of it, as they go into the file.
Format = Callable[[str], Iterable[str]]


class _Counted(msgspec.Struct, frozen=True):
    products: int


async def export_products(
    source: Pool | AsyncConnection[Any],
    file: Path,
    form: Format,
    *,
    header: str = "",
    notes: Notes | None = None,
    progress: ShowExport | None = None,
) -> ExportReport:
    """Write all products that are not deleted, in the order in which they were made.

    One snapshot is read, and nobody waits for it. The file is replaced once it is whole; until
    then it is beside its place as NAME.part.

    Raises:
        ShopflowError: when the file cannot be written.
        TransactionError: for a connection that is in a transaction.
    """
    began = perf_counter()
    unfinished = file.with_name(f"{file.name}.part")

    async def work(connection: AsyncConnection[Any]) -> tuple[int, int]:
        with unfinished.open("w", encoding="utf-8", newline="") as out:
            out.write(header)
            return await _written(connection, out.writelines, form, progress)

    try:
        products, rows = await in_transaction(source, work)
        size = unfinished.stat().st_size
        unfinished.replace(file)
    except OSError as error:
        raise ShopflowError(f"cannot write {file}: {os.strerror(error.errno or 0)}") from error
    finally:
        # Where it could not even be made there is nothing to take away.
        with suppress(OSError):
            unfinished.unlink()
    seconds = perf_counter() - began
    return ExportReport(
        file=file,
        products=products,
        rows=rows,
        bytes=size,
        notes=() if notes is None else notes.all(),
        seconds=round(seconds, 3),
        products_per_second=round(products / seconds, 1),
    )


async def _written(
    connection: AsyncConnection[Any],
    write: Callable[[Iterable[str]], None],
    form: Format,
    progress: ShowExport | None,
) -> tuple[int, int]:
    await QUERIES["export_session"].execute(connection)
    await QUERIES["export_without_timeout"].execute(connection)
    counted = await QUERIES["count_products_to_export"].row(connection, _Counted)
    total = counted.products if counted else 0
    products = rows = 0
    async with connection.cursor("shopflow_export", row_factory=tuple_row) as cursor:
        await cursor.execute(QUERIES["export_products"].sql)
        while found := await cursor.fetchmany(FETCHED):
            for (product,) in found:
                lines = list(form(product))
                write(lines)
                rows += len(lines)
            products += len(found)
            if progress is not None:
                progress(ExportProgress(products, total))
    return products, rows
