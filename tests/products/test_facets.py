"""Facets: each count is that of the listing with that value, which Python finds by itself."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

import shopflow
from shopflow import InvalidInputError, Shop
from shopflow.products import Facets, ProductFilters
from shopflow.products.facets import PRICE_EDGES
from shopflow.settings import Settings
from tests.catalogue import a_product, a_variant, inserted, run
from tests.products.reference import Reference, Thing, read

RANDOM_SHOP = (Path(__file__).parent / "random_shop.sql").read_text(encoding="utf-8")
EDGES = (Decimal(3), Decimal("6.25"), Decimal(10))


def counted(facets: Facets) -> dict[str, object]:
    """The counts by what they are of, without names and order."""
    return {
        "brands": {each.id: each.count for each in facets.brands},
        "categories": {each.id: each.count for each in facets.categories},
        "prices": {(each.price_min, each.price_max): each.count for each in facets.prices},
        "ratings": {int(each.rating_min): each.count for each in facets.ratings},
        "in_stock": facets.in_stock,
        **{
            kind: {
                facet.name: {each.value: each.count for each in facet.values}
                for facet in getattr(facets, kind)
            }
            for kind in ("attributes", "options")
        },
        "matched": facets.matched,
    }


def expected(reference: Reference, filters: ProductFilters) -> dict[str, object]:
    """The same, by listing everything again for each value that there is anywhere."""

    def count(**own: object) -> int:
        wanted = replace(filters, **own)
        return sum(each.listed and reference.fits(each, wanted) for each in reference.things)

    def counts(field: str, values: Mapping[Any, object]) -> dict[Any, int]:
        found = {key: count(**{field: value}) for key, value in values.items()}
        return {key: number for key, number in found.items() if number}

    def named(kind: str, values: Mapping[str, set[str]]) -> dict[str, dict[str, int]]:
        given = getattr(filters, kind)
        found = {
            name: counts(kind, {value: {**given, name: (value,)} for value in texts})
            for name, texts in values.items()
        }
        return {name: each for name, each in found.items() if each}

    buckets = [(Decimal(0), EDGES[0]), *zip(EDGES, (*EDGES[1:], None), strict=True)]
    bounds = [(low, None if high is None else high - Decimal("0.01")) for low, high in buckets]
    prices = {(low, high): count(price_min=low, price_max=high) for low, high in bounds}
    children = [key for key, above in reference.parents.items() if above == filters.category_id]
    brands = {each.brand_id for each in reference.things if each.brand_id}
    return {
        "brands": counts("brand_ids", {brand: (brand,) for brand in brands}),
        "categories": counts("category_id", {child: child for child in children}),
        "prices": {bucket: number for bucket, number in prices.items() if number},
        "ratings": {stars: count(rating_min=Decimal(stars)) for stars in (4, 3, 2, 1)},
        "in_stock": count(in_stock=True),
        "attributes": named(
            "attributes", _texts(json.loads(each.attributes) for each in reference.things)
        ),
        "options": named("options", _texts(o for each in reference.things for o in _options(each))),
        "matched": count(),
    }


def _texts(documents: Iterator[Mapping[str, object]]) -> dict[str, set[str]]:
    """The values of each name, as filters take them."""
    found: dict[str, set[str]] = {}
    for document in documents:
        for name, held in document.items():
            each = held if isinstance(held, list) else [held]
            texts = {value if isinstance(value, str) else json.dumps(value) for value in each}
            found.setdefault(name, set()).update(texts)
    return found


def _options(thing: Thing) -> Iterator[Mapping[str, object]]:
    yield from (options for options, _ in thing.variants)


class Asked:
    """A shop that a test without a loop of its own asks."""

    def __init__(self, runner: asyncio.Runner, shop: Shop) -> None:
        self._runner = runner
        self._shop = shop
        self.reference = runner.run(read(shop))
        keys = "SELECT id FROM {} ORDER BY slug"
        self.categories = self._ids(keys.format("categories"))
        self.brands = self._ids(keys.format("brands"))

    def facets(self, filters: ProductFilters, **how: Any) -> Facets:
        return self._runner.run(self._shop.products.facets(filters, **how))

    def _ids(self, statement: str) -> list[UUID]:
        return [key for (key,) in self._runner.run(run(self._shop, statement))]


async def filled(shop: Shop) -> None:
    for statement in RANDOM_SHOP.split(";"):
        await run(shop, statement)


@pytest.fixture
def random_shop(settings: Settings) -> Iterator[Asked]:
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        shop = runner.run(opened.enter_async_context(shopflow.open(settings)))
        try:
            runner.run(filled(shop))
            yield Asked(runner, shop)
        finally:
            runner.run(opened.aclose())


def some_of(*values: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


def any_filters(asked: Asked) -> st.SearchStrategy[ProductFilters]:
    prices = st.none() | st.sampled_from([Decimal(0), Decimal("3.75"), Decimal("8.75")])
    attributes = {
        "color": some_of("red", "blue", "none"),
        "size": some_of("5", "M"),
        "eco": some_of("true", "false"),
    }
    options = {"Size": some_of("S", "M", "L"), "Colour": some_of("red", "blue")}
    return st.builds(
        ProductFilters,
        category_id=st.none() | st.sampled_from([*asked.categories, UUID(int=0)]),
        brand_ids=st.just(()) | some_of(*asked.brands),
        price_min=prices,
        price_max=prices,
        in_stock=st.booleans(),
        featured=st.sampled_from([False, False, True]),
        tags=st.sampled_from([(), (), ("new",), ("new", "sale")]),
        attributes=st.just({}) | st.fixed_dictionaries({}, optional=attributes),
        rating_min=st.sampled_from([None, None, Decimal("2.5"), Decimal(4)]),
        options=st.just({}) | st.fixed_dictionaries({}, optional=options),
    )


def test_every_facet_under_any_filters_counts_what_python_finds(random_shop: Asked) -> None:
    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(any_filters(random_shop))
    def holds(filters: ProductFilters) -> None:
        facets = random_shop.facets(filters, price_edges=EDGES)
        assert counted(facets) == expected(random_shop.reference, filters)
        assert facets.approximate == frozenset()

    holds()


async def test_facets_are_in_the_order_of_a_sidebar(shop: Shop) -> None:
    for name, products in (("Few", 1), ("Also few", 1), ("Many", 3)):
        brand = await inserted(shop, "brands", {"name": name, "slug": name.replace(" ", "-")})
        place = {"sort_order": products, "name": name, "slug": name.replace(" ", "-")}
        category = await inserted(shop, "categories", place)
        for _ in range(products):
            columns = {"brand_id": brand, "category_id": category, "price": 10 * products}
            await a_product(shop, attributes=f'{{"of": "{name}"}}', **columns)
    facets = await shop.products.facets()
    assert [each.name for each in facets.brands] == ["Many", "Also few", "Few"]
    assert [each.name for each in facets.categories] == ["Also few", "Few", "Many"]
    assert [each.slug for each in facets.categories] == ["Also-few", "Few", "Many"]
    bounds = [(each.price_min, each.price_max) for each in facets.prices]
    assert bounds == [(Decimal(10), Decimal("19.99")), (Decimal(20), Decimal("49.99"))]
    assert [each.rating_min for each in facets.ratings] == [4, 3, 2, 1]
    assert [each.value for each in facets.attributes[0].values] == ["Many", "Also few", "Few"]


async def test_the_bounds_of_a_price_facet_are_those_of_the_filter(shop: Shop) -> None:
    for price in ("0.00", "4.99", "5.00", "9.99", "10000.00", "9999999999.99"):
        await a_product(shop, price=price)
    facets = await shop.products.facets()
    assert [(each.price_min, each.price_max, each.count) for each in facets.prices] == [
        (Decimal(0), Decimal("4.99"), 2),
        (Decimal(5), Decimal("9.99"), 2),
        (PRICE_EDGES[-1], None, 2),
    ]
    for each in facets.prices:
        chosen = ProductFilters(price_min=each.price_min, price_max=each.price_max)
        assert len((await shop.products.list(chosen)).items) == each.count


async def test_an_option_counts_the_variants_that_fit_the_others(shop: Shop) -> None:
    shirt = await a_product(shop)
    for size, colour, stock in (("S", "red", 1), ("M", "blue", 1), ("L", "red", 0)):
        options = f'{{"Size": "{size}", "Colour": "{colour}"}}'
        await a_variant(shop, shirt, option_values=options, stock_quantity=stock)

    async def sizes(**filters: Any) -> set[str]:
        facets = await shop.products.facets(ProductFilters(**filters))
        (found,) = [facet for facet in facets.options if facet.name == "Size"]
        assert {each.count for each in found.values} == {1}
        return {each.value for each in found.values}

    assert await sizes() == {"S", "M", "L"}
    assert await sizes(options={"Colour": ("red",)}) == {"S", "L"}
    assert await sizes(options={"Colour": ("red",), "Size": ("S",)}) == {"S", "L"}
    assert await sizes(options={"Colour": ("red",)}, in_stock=True) == {"S"}


async def test_values_and_names_have_bounds(shop: Shop) -> None:
    await run(
        shop,
        "INSERT INTO products (name, slug, sku, price, attributes)"
        " SELECT 'P', 'p' || n, 's' || n, 1,"
        "  jsonb_build_object('number', n, 'key-' || mod(n, 25), n, 'much', 'x', 'nothing', NULL,"
        "   'within', '{}'::jsonb)"
        " FROM generate_series(1, 60) AS n",
    )
    await run(shop, "INSERT INTO brands (name, slug) SELECT n, n FROM generate_series(1, 60) AS n")
    await run(
        shop, "UPDATE products SET brand_id = (SELECT id FROM brands WHERE 's' || slug = sku)"
    )
    facets = await shop.products.facets()
    assert len(facets.brands) == 50
    values = {facet.name: len(facet.values) for facet in facets.attributes}
    # Of the names that most have, the last two have nothing that can be asked for.
    assert len(values) == 18
    assert (values["number"], values["much"]) == (50, 1)


# Products of one brand after those of another, as imports write them: what comes first in the
# table or in an index is of one brand.
MANY = """
INSERT INTO brands (name, slug) SELECT 'B' || n, 'b' || n FROM generate_series(0, 1) AS n;
INSERT INTO products (name, slug, sku, price, stock_quantity, brand_id, attributes)
SELECT 'Thing', 'p' || n, 's' || n, 1 + mod(n, 10), mod(n, 4), b.id,
    jsonb_build_object('parity', CASE mod(n, 2) WHEN 0 THEN 'even' ELSE 'odd' END)
FROM generate_series(1, %(products)s) AS n JOIN brands AS b ON b.slug = 'b' || (n * 2 > %(products)s)::int
ORDER BY n
"""
ALL_BUT_MATCHED = frozenset(
    {"brands", "categories", "prices", "ratings", "in_stock", "attributes", "options"}
)


async def many(shop: Shop, products: int) -> None:
    for statement in MANY.split(";"):
        await run(shop, statement, products=products)


def near(count: int, truth: int) -> bool:
    return 0.6 * truth < count < 1.6 * truth


async def test_more_matches_than_the_limit_are_estimated_and_said_to_be(shop: Shop) -> None:
    await many(shop, 400)
    facets = await shop.products.facets(limit=100)
    assert facets.approximate == ALL_BUT_MATCHED
    assert facets.matched == 400
    assert all(near(each.count, 200) for each in facets.brands)
    assert near(facets.in_stock, 300)
    assert all(near(each.count, 200) for each in facets.attributes[0].values)
    exact = await shop.products.facets(limit=400)
    assert exact.approximate == frozenset()
    assert {each.count for each in exact.brands} == {200}


@pytest.mark.parametrize("analysed", [True, False])
async def test_many_more_are_estimated_by_pages_of_the_table(shop: Shop, *, analysed: bool) -> None:
    await many(shop, 20_000)
    if analysed:
        await run(shop, "ANALYZE products")
    facets = await shop.products.facets(limit=1000)
    assert facets.approximate == ALL_BUT_MATCHED | {"matched"}
    assert near(facets.matched, 20_000)
    assert len(facets.brands) == 2
    assert all(near(each.count, 10_000) for each in facets.brands)
    assert near(facets.in_stock, 15_000)
    assert sum(each.count for each in facets.prices) == pytest.approx(facets.matched, abs=20)
    assert await shop.products.facets(limit=1000) == facets


async def test_a_facet_is_exact_where_its_own_products_are_few(shop: Shop) -> None:
    await many(shop, 400)
    ((brand,),) = await run(shop, "SELECT id FROM brands WHERE slug = 'b0'")
    await run(
        shop,
        "UPDATE products SET is_featured = mod(n, 5) = 0 FROM (SELECT id, row_number()"
        " OVER () AS n FROM products) AS each WHERE each.id = products.id",
    )
    chosen = ProductFilters(brand_ids=(brand,), featured=True, attributes={"parity": ("odd",)})
    facets = await shop.products.facets(chosen, limit=100)
    assert facets.approximate == frozenset()
    facets = await shop.products.facets(replace(chosen, featured=False), limit=100)
    assert facets.approximate == {"brands", "attributes"}
    assert facets.matched == facets.in_stock == 100
    assert all(near(each.count, 100) for each in facets.brands)


async def test_of_a_text_no_more_matches_are_looked_for(shop: Shop) -> None:
    await many(shop, 500)
    facets = await shop.products.facets(ProductFilters(text="thing"), limit=100)
    assert facets.matched == 400
    assert facets.approximate == ALL_BUT_MATCHED | {"matched"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", 99),
        ("limit", 1_000_001),
        ("price_edges", ()),
        ("price_edges", tuple(map(Decimal, range(1, 52)))),
        ("price_edges", (Decimal(5), Decimal(5))),
        ("price_edges", (Decimal(0), Decimal(5))),
    ],
)
async def test_what_cannot_be_counted_is_refused(shop: Shop, field: str, value: object) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.products.facets(**{field: value})  # type: ignore[arg-type]
    assert (refused.value.field, refused.value.value) == (field, value)


@pytest.mark.parametrize("edge", [Decimal(-1), Decimal("1.234"), Decimal("NaN"), 5.0])
async def test_an_edge_that_is_no_price_is_refused(shop: Shop, edge: Any) -> None:
    with pytest.raises(InvalidInputError, match="price_edges"):
        await shop.products.facets(price_edges=(edge,))


async def test_filters_are_checked(shop: Shop) -> None:
    with pytest.raises(InvalidInputError, match="rating_min"):
        await shop.products.facets(ProductFilters(rating_min=Decimal(6)))
