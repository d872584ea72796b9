"""The filters of a listing as conditions of SQL, which listings, counts and facets share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from psycopg import sql

from shopflow.products.filters import ProductFilters, check_filters
from shopflow.products.search.parsing import as_document, parse

# The predicate of the partial indexes.
LISTED = sql.SQL("p.is_active = TRUE AND p.deleted_at IS NULL")
SUBTREE = sql.SQL(
    "p.category_id IN ("
    "SELECT cp.descendant_id FROM category_paths AS cp WHERE cp.ancestor_id = %(category_id)s)"
)
_FIXED: Mapping[str, sql.SQL] = {
    "category_id": SUBTREE,
    "brand_ids": sql.SQL("p.brand_id = ANY (%(brand_ids)s)"),
    # Of one the index has the order, which it has not of an array, be it of one.
    "brand_ids.0": sql.SQL("p.brand_id = %(brand_ids_0)s"),
    "price_min": sql.SQL("p.price >= %(price_min)s"),
    "price_max": sql.SQL("p.price <= %(price_max)s"),
    "in_stock": sql.SQL("(p.stock_quantity > 0 OR NOT p.track_inventory)"),
    "featured": sql.SQL("p.is_featured = TRUE"),
    "tags": sql.SQL("p.tags @> %(tags)s::text[]"),
    "rating_min": sql.SQL(
        "EXISTS (SELECT FROM product_stats AS rs"
        " WHERE rs.product_id = p.id AND rs.rating_average >= %(rating_min)s)"
    ),
    "text": sql.SQL(
        "p.id IN (SELECT ts.product_id FROM product_search AS ts"
        " WHERE ts.document @@ search_query(%(text)s::jsonb))"
    ),
}
_ATTRIBUTE = sql.SQL("p.attributes @> ANY ({}::jsonb[])")
_OPTION = sql.SQL("v.option_values @> ANY ({}::jsonb[])")
_VARIANT = sql.SQL("EXISTS (SELECT FROM product_variants AS v WHERE v.product_id = p.id AND {})")
_VARIANT_IN_STOCK = sql.SQL("(v.stock_quantity > 0 OR NOT p.track_inventory)")
# Composed statements that are kept: whoever chooses the filters chooses among them.
STATEMENTS = 1024


@dataclass(frozen=True)
class Conditions:
    """What is filtered by, for a statement with `products AS p`.

    Attributes:
        names: of the filters in use, in a fixed order: what the statement's text depends on. An
            attribute or an option is `attributes.0`, `attributes.1`, … by its place.
        params: their values.
    """

    names: tuple[str, ...]
    params: Mapping[str, object] = field(compare=False)


def conditions(filters: ProductFilters, *, without: str | None = None) -> Conditions:
    """Return the conditions of filters, all but one where `without` names it.

    Args:
        filters: what to narrow to.
        without: a field such as `brand_ids`, or one key of a mapping such as `attributes.color`:
            a facet ignores its own filter.

    Raises:
        InvalidInputError: as `check_filters`.
    """
    check_filters(filters)
    params = dict(_values(filters, without))
    return Conditions(tuple(params), {_param(name): value for name, value in params.items()})


def condition(names: Sequence[str]) -> sql.Composed:
    """Return that a product is listed and that the filters of these names hold."""
    parts: list[sql.SQL | sql.Composed] = [LISTED]
    for name in names:
        if name in _FIXED:
            parts.append(_FIXED[name])
        elif name.startswith("attributes."):
            parts.append(_ATTRIBUTE.format(_placeholder(name)))
    if any(name.startswith("options.") for name in names):
        parts.append(_VARIANT.format(variant_condition(names)))
    return sql.SQL(" AND ").join(parts)


def variant_condition(names: Sequence[str]) -> sql.Composed:
    """Return that a variant `v` of the product has what the filters of these names ask of one."""
    parts = [sql.SQL("v.is_active").format()]
    parts += [_OPTION.format(_placeholder(name)) for name in names if name.startswith("options.")]
    if "in_stock" in names:
        parts.append(_VARIANT_IN_STOCK.format())
    return sql.SQL(" AND ").join(parts)


def in_stock_condition(names: Sequence[str]) -> sql.Composed:
    """Return what `in_stock` asks of a product for which the filters of these names hold."""
    if any(name.startswith("options.") for name in names):
        return _VARIANT.format(variant_condition([*names, "in_stock"]))
    return _FIXED["in_stock"].format()


def _values(filters: ProductFilters, without: str | None) -> Iterator[tuple[str, object]]:
    for name in ProductFilters.__struct_fields__:
        value: object = getattr(filters, name)
        if name in {without, "attributes", "options"} or value is None or value is False:
            continue
        if isinstance(value, str):
            yield name, as_document(parse(value))
        elif not isinstance(value, Sequence):
            yield name, value
        elif value:
            # A brand given twice would be listed twice.
            once = list(dict.fromkeys(value))
            one = name == "brand_ids" and len(once) == 1
            yield (f"{name}.0", once[0]) if one else (name, once)
    for kind in ("attributes", "options"):
        wanted: Mapping[str, Sequence[str]] = getattr(filters, kind)
        for n, (key, values) in enumerate(sorted(wanted.items())):
            if without not in {kind, f"{kind}.{key}"}:
                yield f"{kind}.{n}", _documents(key, values)


def _documents(key: str, values: Sequence[str]) -> list[str]:
    """Return what a document may contain that has one of the values: it, or a list with it."""
    found: list[str] = []
    for value in values:
        for each in (value, *_as_json(value)):
            found += [
                msgspec.json.encode({key: each}).decode(),
                msgspec.json.encode({key: [each]}).decode(),
            ]
    return found


def _as_json(value: str) -> Iterator[object]:
    """Yield the number or truth value that a text also stands for."""
    try:
        meant = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return
    if isinstance(meant, int | float):
        yield meant


def _param(name: str) -> str:
    return name.replace(".", "_")


def _placeholder(name: str) -> sql.Placeholder:
    return sql.Placeholder(_param(name))
