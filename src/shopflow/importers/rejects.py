"""The rows that an import refused, written beside their file, each with the reason."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from shopflow.errors import ShopflowError
from shopflow.importers.shopify_file import ShopifyFile
from shopflow.postgres.queries import load

REASON = "Reject Reason"
REJECTED_ROWS = load("shopflow.importers")["rejected_rows"]


async def write_rejects(connection: AsyncConnection[Any], file: ShopifyFile) -> Path | None:
    """Write NAME.rejects.csv: the header and the refused rows, byte for byte, and their reasons.

    It replaces one that is there. None when no row of the file was refused.

    Raises:
        ShopflowError: when it cannot be written.
    """
    rejected = _rejected(connection, file)
    first = await anext(rejected, None)
    if first is None:
        return None
    path = file.path.with_suffix(".rejects.csv")
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as out:
            _write(out, file.header(), REASON)
            _write(out, *first)
            async for record, reason in rejected:
                _write(out, record, reason)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ShopflowError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from error
    return path


async def _rejected(
    connection: AsyncConnection[Any], file: ShopifyFile
) -> AsyncIterator[tuple[bytes, str]]:
    """Yield the refused rows of the file and the reason of each, one row in memory."""
    cursor = connection.cursor(row_factory=tuple_row)
    async for start, stop, problems, first_bad_line in cursor.stream(
        REJECTED_ROWS.sql, {"file": file.number}
    ):
        if problems is None:
            reason = f"refused with its product, see line {first_bad_line}"
        else:
            names = file.columns.names
            reason = "; ".join(f"{names[field]}: {why}" for field, why in problems)
        yield file.record(start, stop), reason


def _write(out: BinaryIO, record: bytes, reason: str) -> None:
    text = record.rstrip(b"\r\n")
    quoted = reason.replace('"', '""')
    out.write(text + f',"{quoted}"'.encode() + (record[len(text) :] or b"\n"))
