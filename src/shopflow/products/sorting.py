"""The orders of a listing: their columns, and the place in one after which a page begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Literal, get_args
from uuid import UUID

import msgspec
from psycopg import sql

from shopflow import cursors
from shopflow.errors import InvalidInputError
from shopflow.products.filters import ProductFilters

Sort = Literal["newest", "price_asc", "price_desc", "rating", "best_selling", "name"]
# With a text there is an order of its own.
AnySort = Literal[Sort, "relevance"]
VERSION = 1


class _Newest(msgspec.Struct, frozen=True, array_like=True):
    created_at: datetime
    id: UUID


class Price(msgspec.Struct, frozen=True, array_like=True):
    """The keys of a sort by price."""

    price: Decimal
    created_at: datetime
    id: UUID


class _Rating(msgspec.Struct, frozen=True, array_like=True):
    rating_average: Decimal
    rating_count: int
    id: UUID


class _Sold(msgspec.Struct, frozen=True, array_like=True):
    sold_count: int
    id: UUID


class _Name(msgspec.Struct, frozen=True, array_like=True):
    name: str
    id: UUID


Keys = _Newest | Price | _Rating | _Sold | _Name


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What a cursor of a listing holds: the keys of a row, and what list it is a row of."""

    version: int
    sort: str
    filters: str
    backwards: bool
    keys: msgspec.Raw


@dataclass(frozen=True)
class Order:
    """How a listing is sorted.

    Attributes:
        columns: SQL and whether it falls, by name; the last is the id, so that no two are equal.
        keys: their values, as a cursor holds them.
        of_stats: whether they are of product_stats, as `s`.
        by_category: whether each category and each brand has them in an index.
    """

    columns: Mapping[str, tuple[sql.SQL, bool]]
    keys: type[Keys]
    of_stats: bool = False
    by_category: bool = False


_CREATED = {"created_at": (sql.SQL("p.created_at"), True), "id": (sql.SQL("p.id"), True)}
_PRICE = sql.SQL("p.price")
ORDERS: Mapping[Sort, Order] = {
    "newest": Order(_CREATED, _Newest, by_category=True),
    # Equal prices come newest first in both (§4.1).
    "price_asc": Order({"price": (_PRICE, False)} | _CREATED, Price, by_category=True),
    "price_desc": Order({"price": (_PRICE, True)} | _CREATED, Price, by_category=True),
    "rating": Order(
        {
            "rating_average": (sql.SQL("s.rating_average"), True),
            "rating_count": (sql.SQL("s.rating_count"), True),
            "id": (sql.SQL("s.product_id"), True),
        },
        _Rating,
        of_stats=True,
    ),
    "best_selling": Order(
        {
            "sold_count": (sql.SQL("s.sold_count"), True),
            "id": (sql.SQL("s.product_id"), True),
        },
        _Sold,
        of_stats=True,
    ),
    "name": Order(
        {"name": (sql.SQL("lower(p.name)"), False), "id": (sql.SQL("p.id"), False)}, _Name
    ),
}


def check_sort(sort: Sort) -> Order:
    """Return the order of a sort.

    Raises:
        InvalidInputError: for another than those there are.
    """
    if sort not in ORDERS:
        raise InvalidInputError("sort", sort, f"must be one of {', '.join(get_args(Sort))}")
    return ORDERS[sort]


def order_by(order: Order, *, backwards: bool = False, of: str | None = None) -> sql.Composed:
    """Return the columns of ORDER BY; `of` a subquery that has them under their names."""
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            column if of is None else sql.Identifier(of, name),
            sql.SQL("DESC" if falls != backwards else "ASC"),
        )
        for name, (column, falls) in order.columns.items()
    )


def ranges(order: Order, *, backwards: bool = False) -> tuple[sql.Composed, ...]:
    """Return the rows that come after the keys of a place, which are parameters by their names.

    Each is one range of an index. Equal prices are a range of their own: they may be many, and
    their order goes the other way than that of prices.
    """
    (first, (column, falls)), *rest = order.columns.items()
    if order.keys is not Price:
        return (_compared([*order.columns], order, falls=falls != backwards),)
    key = sql.Placeholder(first)
    equal = sql.SQL("{} = {} AND {}").format(
        column, key, _compared([name for name, _ in rest], order, falls=not backwards)
    )
    beyond = sql.SQL("{} {} {}").format(column, sql.SQL("<" if falls != backwards else ">"), key)
    return equal, beyond


def _compared(names: Sequence[str], order: Order, *, falls: bool) -> sql.Composed:
    return sql.SQL("({}) {} ({})").format(
        sql.SQL(", ").join(order.columns[name][0] for name in names),
        sql.SQL("<" if falls else ">"),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )


def encode(sort: Sort, filters: ProductFilters, keys: msgspec.Raw, *, backwards: bool) -> str:
    """Return the cursor for the page after the row with these keys, or for the one before it."""
    return cursors.encode(Place(VERSION, sort, _digest(filters), backwards, keys))


def decode(cursor: str | None, sort: Sort, filters: ProductFilters) -> tuple[Keys | None, bool]:
    """Return the keys that a cursor stands for, and whether it goes backwards.

    Raises:
        InvalidInputError: for what is no cursor of a listing, of another ShopFlow's, or of another
            sort or other filters.
    """
    place = cursors.decode(cursor, Place)
    if place is None:
        return None, False
    if place.version != VERSION:
        raise InvalidInputError("cursor", cursor, "is of another version: begin at the first page")
    if place.sort != sort:
        raise InvalidInputError("cursor", cursor, f"is of a list sorted by {place.sort}")
    if place.filters != _digest(filters):
        raise InvalidInputError("cursor", cursor, "is of a list with other filters")
    try:
        return msgspec.json.decode(
            place.keys, type=ORDERS[sort].keys, strict=False
        ), place.backwards
    except ValueError as error:
        raise InvalidInputError(
            "cursor", cursor, "must be the cursor that a page of this list came with"
        ) from error


def _digest(filters: ProductFilters) -> str:
    """Return what tells sets of filters apart; the order of values in one says nothing."""
    normal = {
        name: sorted(map(str, value))
        if isinstance(value, Sequence) and not isinstance(value, str)
        else {key: sorted(values) for key, values in sorted(value.items())}
        if isinstance(value, Mapping)
        else value.normalize()
        if isinstance(value, Decimal)
        else value
        for name, value in msgspec.structs.asdict(filters).items()
    }
    return sha256(msgspec.json.encode(normal)).hexdigest()[:16]
