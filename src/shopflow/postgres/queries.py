"""Named queries: read from a package's `queries.sql`, run typed, timed under their name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import takewhile
from time import perf_counter
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.errors import UndefinedColumn, UndefinedFunction, UndefinedTable
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row
from psycopg.sql import SQL, Composed

from shopflow.errors import (
    CommitOutcomeUnknownError,
    MigrationError,
    ServerError,
    ShopflowError,
)
from shopflow.postgres.failures import translate, wrong_id
from shopflow.postgres.timings import Histogram, histogram, timings

__all__ = ["Queries", "Query", "load", "parse", "timings"]

T = TypeVar("T")
_NAME = re.compile(r"^-- name: *(.*?) *$", re.MULTILINE)
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9_]*")
_NOT_COMMENT = re.compile(r"^\s*(?!--)\S", re.MULTILINE)
_WRITES = re.compile(rb"\b(?:INSERT|DELETE|MERGE|(?<!FOR )(?<!FOR NO KEY )UPDATE)\b")
_CUSTOM_PLAN = "plan: custom"


@dataclass(frozen=True, slots=True)
class Query:
    """One statement with psycopg's named parameters (`%(name)s`; a plain `%` is written `%%`).

    A broken constraint comes out as the domain's error (see `failures`), a parameter that should
    be a UUID and is none as InvalidInputError. Outside of a transaction a connection that is lost
    is a ServerError, or CommitOutcomeUnknownError where the statement writes. Everything else
    comes out as psycopg's.

    Attributes:
        name: what it is timed under.
        purpose: one sentence.
        sql: the statement.
        custom_plan: planned anew for its parameters each time: for two independent filters a
            generic plan was 75-385 ms against 1-2 ms.
    """

    name: str
    purpose: str
    sql: bytes
    custom_plan: bool = False
    _histogram: Histogram = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_histogram", histogram(self.name))

    @classmethod
    def composed(cls, name: str, purpose: str, statement: SQL | Composed) -> Query:
        """Make a query from composed SQL; all that share `name` are timed together."""
        return cls(name, purpose, statement.as_bytes(None))

    async def document(
        self, connection: AsyncConnection[Any], kind: type[T], **params: object
    ) -> T | None:
        """Return the one JSON document of the result as `kind`, None without row or when NULL.

        Raises:
            ValueError: when there is more than one row or column, or it does not fit `kind`.
        """
        document = await self.raw(connection, **params)
        return None if document is None else msgspec.json.decode(document, type=kind)

    async def raw(self, connection: AsyncConnection[Any], **params: object) -> bytes | None:
        """Return the bytes of the one JSON document, None without row or when it is NULL.

        Raises:
            ValueError: when there is more than one row or column.
        """
        result = (await self._executed(connection, params)).pgresult
        if result is None or result.nfields != 1 or result.ntuples > 1:
            raise ValueError(f"query {self.name} must return one column and at most one row")
        return result.get_value(0, 0) if result.ntuples else None

    async def rows(
        self, connection: AsyncConnection[Any], kind: type[T], **params: object
    ) -> list[T]:
        """Return every row as `kind`, a msgspec Struct or a dataclass.

        JSON columns are bytes, to be declared as `bytes`.

        Raises:
            ValueError: when columns and fields are not the same, or a value does not fit.
        """
        cursor = await self._executed(connection, params)
        make = self._row_maker(cursor, kind)
        return [make(row) for row in await cursor.fetchall()]

    async def row(
        self, connection: AsyncConnection[Any], kind: type[T], **params: object
    ) -> T | None:
        """Return the only row as `kind`, None when there is none; otherwise as `rows`.

        Raises:
            ValueError: also when there is more than one row.
        """
        found = await self.rows(connection, kind, **params)
        if len(found) > 1:
            raise ValueError(f"query {self.name} returned {len(found)} rows instead of one")
        return found[0] if found else None

    async def execute(self, connection: AsyncConnection[Any], **params: object) -> int:
        """Run it and return how many rows it touched."""
        return (await self._executed(connection, params)).rowcount

    async def _executed(
        self, connection: AsyncConnection[Any], params: Mapping[str, object]
    ) -> AsyncCursor[TupleRow]:
        cursor = connection.cursor(row_factory=tuple_row)
        alone = connection.info.transaction_status is TransactionStatus.IDLE
        start = perf_counter()
        try:
            return await cursor.execute(
                self.sql, params, prepare=False if self.custom_plan else None
            )
        except psycopg.IntegrityError as error:
            raise translate(error) from error
        except psycopg.OperationalError as error:
            if alone and connection.closed:
                raise self._lost() from error
            raise
        except (psycopg.ProgrammingError, psycopg.DataError) as error:
            if wrong := wrong_id(error, params):
                raise wrong from error
            if isinstance(error, (UndefinedTable, UndefinedColumn, UndefinedFunction)):
                raise MigrationError(
                    f"{error.diag.message_primary}: the schema is not this ShopFlow's,"
                    " shopflow migrate up brings it up"
                ) from error
            raise
        finally:
            self._histogram.add(perf_counter() - start)

    def _lost(self) -> ShopflowError:
        if _WRITES.search(self.sql):
            return CommitOutcomeUnknownError("the connection was lost: see whether it took effect")
        return ServerError("the connection was lost")

    def _row_maker(self, cursor: AsyncCursor[TupleRow], kind: type[T]) -> Callable[[TupleRow], T]:
        columns = [column.name for column in cursor.description or ()]
        fields = _fields(kind)
        if sorted(columns) != fields:
            raise ValueError(
                f"query {self.name} returns {', '.join(columns) or 'nothing'},"
                f" and {kind.__name__} has {', '.join(fields)}"
            )
        return lambda row: msgspec.convert(dict(zip(columns, row, strict=True)), kind)


Queries = Mapping[str, Query]
_packages: dict[str, str] = {}


@cache
def load(package: str) -> Queries:
    """Read `queries.sql` of `package`; a query is asked for when a module is imported.

    Raises:
        ValueError: as `parse`, and for a name that another package has: times are by name.
    """
    text = resources.files(package).joinpath("queries.sql").read_text(encoding="utf-8")
    found = parse(text, source=f"{package}/queries.sql")
    for name in found:
        if _packages.setdefault(name, package) != package:
            raise ValueError(f"{package}/queries.sql: query {name} is in {_packages[name]} too")
    return found


def parse(text: str, *, source: str) -> Queries:
    """Read queries: each `-- name: …`, one or more `-- ` lines of purpose, then the statement.

    A line `-- plan: custom` among those of the purpose has it planned for its parameters.

    Raises:
        ValueError: for a name that is not snake_case or not the only one of its kind, and for
            a query without purpose or statement; naming `source` and the query.
    """
    preamble, *blocks = _NAME.split(text)
    if _NOT_COMMENT.search(preamble):
        raise ValueError(f"{source}: there is SQL before the first `-- name:`")
    found: dict[str, Query] = {}
    for name, body in zip(blocks[::2], blocks[1::2], strict=True):
        where = f"{source}: query {name}"
        if not _SNAKE_CASE.fullmatch(name):
            raise ValueError(f"{where}: the name must be in snake_case")
        if name in found:
            raise ValueError(f"{where}: the name is there twice")
        found[name] = _parsed(name, body, where)
    return MappingProxyType(found)


def _parsed(name: str, body: str, where: str) -> Query:
    lines = body.strip().splitlines()
    header = [line[3:].strip() for line in takewhile(lambda line: line.startswith("-- "), lines)]
    statement = "\n".join(lines[len(header) :]).strip()
    purpose = " ".join(line for line in header if line != _CUSTOM_PLAN)
    if not purpose:
        raise ValueError(f"{where}: a `-- ` line that says what it is for must follow the name")
    if not _NOT_COMMENT.search(statement):
        raise ValueError(f"{where}: the statement is missing")
    return Query(name, purpose, statement.encode(), custom_plan=_CUSTOM_PLAN in header)


def _fields(kind: type) -> list[str]:
    if issubclass(kind, msgspec.Struct):
        return sorted(kind.__struct_encode_fields__)
    if dataclasses.is_dataclass(kind):
        return sorted(each.name for each in dataclasses.fields(kind))
    raise TypeError(f"{kind.__name__} is neither a msgspec Struct nor a dataclass")
