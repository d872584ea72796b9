"""The staging tables of an import, and how products come into them as they are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection

from shopflow.importers.products import GivenProduct, GivenVariant
from shopflow.importers.report import Notes, Progress, ShowProgress
from shopflow.importers.source import Source
from shopflow.postgres.queries import load
from shopflow.slugs import slug

QUERIES = load("shopflow.importers")
NO_ROWS = "no rows: nothing follows the header"
# Products are sent together, so that four tables cost few round trips; and not by more bytes of
# their files than that, for a description may be long.
MOST_PRODUCTS, MOST_BYTES = 500, 2**20

_TABLES = ("fields", "parts", "forms", "pictures", "problems", "changes")


class Staging:
    """Takes products into the staging tables, which last as long as the transaction."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._fields: dict[frozenset[str], int] = {}
        self._waiting: list[GivenProduct] = []

    async def run(self, *names: str) -> list[int]:
        """Run queries by name; return how many rows each touched."""
        return [await QUERIES[name].execute(self._connection) for name in names]

    async def take(self, sources: Sequence[Source], notes: Notes, progress: ShowProgress) -> int:
        """Wait for other imports, then take all products; return how many rows they have."""
        await self.run("import_session", "import_lock", "import_lock_timeout")
        await self.run(*(f"create_import_{table}" for table in _TABLES))
        total, before, rows = sum(source.size for source in sources), 0, 0
        n = 0
        for source in sources:
            name = source.path.name

            def note(line: int, message: str, name: str = name) -> None:
                notes.add(message, name, line)

            first, begun = n + 1, 0
            for product in source.products(first, note):
                n = product.last
                rows += product.rows
                self._waiting.append(product)
                if len(self._waiting) >= MOST_PRODUCTS or product.stop - begun > MOST_BYTES:
                    begun = product.stop
                    await self._send()
                    progress(Progress("reading", before + product.stop, total, rows))
            await self._send()
            if n < first:
                note(1, NO_ROWS)
            before += source.size
        progress(Progress("checking", total, total, rows))
        return rows

    async def _send(self) -> None:
        products, self._waiting = self._waiting, []
        parts = [_part(product, await self._number(product.fields)) for product in products]
        await self._copy("copy_parts", parts)
        await self._copy("copy_forms", [_form(row) for each in products for row in each.variants])
        await self._copy("copy_pictures", [row for each in products for row in each.images])
        await self._copy("copy_problems", [row for each in products for row in each.problems])

    async def _number(self, fields: frozenset[str]) -> int:
        """Return the number of a set of fields, which most products share."""
        number = self._fields.get(fields)
        if number is None:
            number = self._fields[fields] = len(self._fields)
            await QUERIES["add_import_fields"].execute(
                self._connection, id=number, fields=list(fields)
            )
        return number

    async def _copy(self, query: str, rows: Sequence[Sequence[object]]) -> None:
        if not rows:
            return
        async with self._connection.cursor().copy(QUERIES[query].sql) as copy:
            for row in rows:
                await copy.write_row(row)


def _part(product: GivenProduct, fields: int) -> tuple[object, ...]:
    """Return the row of import_parts, in its order."""
    brand, category = product.brand, product.category
    return (
        product.n,
        product.file,
        product.line,
        product.start,
        product.stop,
        product.rows,
        fields,
        product.handle,
        product.title,
        product.description,
        brand,
        _slug(brand) if brand else None,
        _array(category) if category else None,
        _slugs(category) if category else None,
        _array(product.tags) if product.tags else None,
        product.attributes,
        product.is_active,
        product.is_featured,
        product.is_tracked,
        product.is_whole,
        product.sku,
        product.price,
        product.compare_at_price,
        product.option_names and _array(product.option_names),
        product.refs and _array(product.refs),
        product.parent,
    )


def _form(given: GivenVariant) -> tuple[object, ...]:
    """Return the row of import_forms."""
    names, options = given.option_names, given.options
    if names is None and options is None:
        return given
    return (*given[:3], names and _array(names), options and _array(options), *given[5:])


def _array(values: Sequence[str | None]) -> str:
    """Return an array as PostgreSQL reads it; psycopg's own way takes ten times as long."""
    joined = ",".join("NULL" if value is None else f'"{value}"' for value in values)
    if "\\" in joined or joined.count('"') != 2 * sum(value is not None for value in values):
        joined = ",".join("NULL" if value is None else _quoted(value) for value in values)
    return f"{{{joined}}}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(maxsize=10_000)
def _slugs(names: tuple[str, ...]) -> str:
    return _array([_slug(name) for name in names])


@lru_cache(maxsize=10_000)
def _slug(name: str) -> str:
    return slug(name)
