"""The rows that an import refused, written beside their file, each with the reason."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from shopflow.errors import ShopflowError
from shopflow.importers.source import Refused, Source
from shopflow.postgres.queries import load

REJECTED_PARTS = load("shopflow.importers")["rejected_parts"]


async def write_rejects(connection: AsyncConnection[Any], source: Source) -> Path | None:
    """Write NAME.rejects.csv (or .jsonl): the refused rows, byte for byte, and their reasons.

    It replaces one that is there. None when no row of the file was refused.

    Raises:
        ShopflowError: when it cannot be written.
    """
    rejected = _rejected(connection, source)
    first = await anext(rejected, None)
    if first is None:
        return None
    suffix = source.path.suffix if source.path.suffix == ".jsonl" else ".csv"
    path = source.path.with_suffix(f".rejects{suffix}")
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as out:
            out.write(source.rejects_header())
            out.writelines(source.rejects(first))
            async for refused in rejected:
                out.writelines(source.rejects(refused))
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ShopflowError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from error
    return path


async def _rejected(connection: AsyncConnection[Any], source: Source) -> AsyncIterator[Refused]:
    """Yield the refused parts of the file, one in memory."""
    cursor = connection.cursor(row_factory=tuple_row)
    async for start, stop, line, problems, first_bad_line in cursor.stream(
        REJECTED_PARTS.sql, {"file": source.number}
    ):
        own = [(int(at), field, reason) for at, field, reason in problems or ()]
        yield Refused(start, stop, line, own, first_bad_line)
