"""The one statement that counts every facet, composed for the filters in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import replace
from psycopg import sql

from shopflow.postgres.queries import Query
from shopflow.products import facet_counts
from shopflow.products.conditions import STATEMENTS, conditions, variant_condition
from shopflow.products.facet_sets import SIZE, rows, share, with_set
from shopflow.products.filters import ProductFilters

_STATEMENT = sql.SQL(
    """
    WITH RECURSIVE {sets},
    -- The categories that are shown, each with all below it.
    branches AS (
        SELECT c.id AS child, c.id FROM categories AS c WHERE {children}
        UNION ALL
        SELECT b.child, c.id FROM branches AS b JOIN categories AS c ON c.parent_id = b.id
    )
    SELECT json_build_object(
        'brands', ({brands}),
        'categories', ({categories}),
        'prices', ({prices}),
        'ratings', ({ratings}),
        'in_stock', ({in_stock}),
        'attributes', ({attributes}),
        'options', ({options}),
        'matched', (
            -- So many were found, however many are expected.
            SELECT greatest(
                least(n, 4 * %(limit)s::int),
                CASE WHEN percent > 0 THEN round((SELECT count(*) FROM {matched_rows}) * weight) END
            )::int
            FROM {matched_share}
        ),
        'approximate', array_remove(ARRAY[{approximate}, (
            SELECT CASE WHEN n > 4 * %(limit)s::int THEN 'matched' END FROM {matched_share}
        )], NULL)
    )
    """
)
_COUNTS = {
    "brands": facet_counts.BRANDS,
    "categories": facet_counts.CATEGORIES,
    "prices": facet_counts.PRICES,
    "ratings": facet_counts.RATINGS,
    "in_stock": facet_counts.IN_STOCK,
}
_CHILDREN = {True: sql.SQL("c.parent_id = %(category_id)s"), False: sql.SQL("c.parent_id IS NULL")}
# The products that match all filters. A facet whose own filter is in use has a set of its own,
# which is without it; but for the category's, whose children are in it anyway.
_MAIN = "main"
_KINDS = ("attributes", "options")
_COMMA = sql.SQL(", ")


class FacetQuery(NamedTuple):
    """A statement and the parameters of its filters; it reads `limit` and `edges` besides."""

    query: Query
    params: Mapping[str, object]


def facet_query(filters: ProductFilters) -> FacetQuery:
    """Return the statement that counts every facet under these filters."""
    matched = conditions(filters)
    without_own = {facet: names for facet, names in _without_own(filters) if names != matched.names}
    sets = {_MAIN: matched.names} | without_own
    chosen = {kind: sorted(getattr(filters, kind)) for kind in _KINDS}
    return FacetQuery(
        _composed(tuple(sets.items())),
        {**matched.params, **{f"chosen_{kind}": names for kind, names in chosen.items()}},
    )


def _without_own(filters: ProductFilters) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of the filters in use but for a facet's own."""
    yield "brands", conditions(filters, without="brand_ids").names
    yield "prices", conditions(replace(filters, price_min=None, price_max=None)).names
    yield "ratings", conditions(filters, without="rating_min").names
    yield "in_stock", conditions(filters, without="in_stock").names
    for kind in _KINDS:
        for place, name in enumerate(sorted(getattr(filters, kind)), start=1):
            yield f"{kind}_{place}", conditions(filters, without=f"{kind}.{name}").names


@lru_cache(STATEMENTS)
def _composed(sets: tuple[tuple[str, tuple[str, ...]], ...]) -> Query:
    """The statement for the filters in use in each set."""
    by_facet = dict(sets)
    ctes: list[sql.Composable] = [SIZE]
    for facet, names in sets:
        ctes.append(with_set(facet, names))
        if facet == _MAIN or facet.startswith("options_"):
            ctes.append(
                facet_counts.VARIANTS.format(
                    variants=_variants(facet), rows=rows(facet), fitting=variant_condition(names)
                )
            )
    owners = {facet: facet if facet in by_facet else _MAIN for facet in _COUNTS}
    statement = _STATEMENT.format(
        sets=_COMMA.join(ctes),
        children=_CHILDREN["category_id" in by_facet[_MAIN]],
        matched_rows=rows(_MAIN),
        matched_share=share(_MAIN),
        approximate=_approximate(owners, by_facet),
        **{kind: _named(kind, by_facet) for kind in _KINDS},
        **{
            facet: count.format(rows=rows(owners[facet]), share=share(owners[facet]))
            for facet, count in _COUNTS.items()
        },
    )
    return Query(
        "count_facets",
        "Counts of what a listing could be narrowed to.",
        statement.as_bytes(None),
        custom_plan=True,
    )


def _named(kind: str, sets: Mapping[str, tuple[str, ...]]) -> sql.Composed:
    """The values of each name that is filtered by, over its own set, and of the others."""
    chosen = sql.Placeholder(f"chosen_{kind}")
    others = facet_counts.NAMES.format(chosen=chosen, documents=_documents(kind, _MAIN))
    counted = [_values(kind, _MAIN, others)]
    for facet in sets:
        if facet.startswith(f"{kind}_"):
            place = sql.Literal(int(facet.removeprefix(f"{kind}_")))
            name = facet_counts.CHOSEN.format(chosen=chosen, place=place)
            counted.append(_values(kind, facet, name))
    return facet_counts.NAMED.format(values=sql.SQL(" UNION ALL ").join(counted))


def _values(kind: str, facet: str, names: sql.Composed) -> sql.Composed:
    return facet_counts.VALUES.format(
        names=names,
        documents=_documents(kind, facet),
        share=share(facet),
        # A product has several variants, and is counted once.
        distinct=sql.SQL("DISTINCT d.id," if kind == "options" else ""),
    )


def _documents(kind: str, facet: str) -> sql.Composable:
    if kind == "options":
        return _variants(facet)
    return sql.SQL("(SELECT attributes AS document FROM {})").format(rows(facet))


def _variants(facet: str) -> sql.Identifier:
    return sql.Identifier(f"{facet}_variants")


def _approximate(owners: Mapping[str, str], sets: Mapping[str, tuple[str, ...]]) -> sql.Composed:
    """The fields with a set whose rows stand for more than one product each."""
    used = {facet: [owner] for facet, owner in owners.items()}
    for kind in _KINDS:
        used[kind] = [_MAIN, *(facet for facet in sets if facet.startswith(f"{kind}_"))]
    return _COMMA.join(
        sql.SQL("CASE WHEN {} THEN {} END").format(
            sql.SQL(" OR ").join(
                sql.SQL("(SELECT weight FROM {}) > 1").format(share(facet)) for facet in facets
            ),
            sql.Literal(field),
        )
        for field, facets in used.items()
    )
