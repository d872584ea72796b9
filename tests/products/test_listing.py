"""§4.1: the composed listing against the specification's own statement, and its bounds."""

import random
from collections.abc import Sequence
from decimal import Decimal
from itertools import product as combinations
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from shopflow import InvalidInputError, Shop, cursors
from shopflow.products import sorting
from shopflow.products.filters import EVERYTHING, ProductFilters
from shopflow.products.sorting import Place, Sort
from tests.catalogue import a_product, a_variant, run
from tests.products.reference import read

T = TypeVar("T")

# §4.1 as written, but for the names of the parameters and id as the last tie-break.
SPECIFICATION = """
SELECT
  p.id,
  p.name,
  p.slug,
  p.price,
  p.compare_at_price,
  p.stock_quantity,
  c.name as category_name,
  b.name as brand_name,
  (SELECT url FROM product_images pi
   WHERE pi.product_id = p.id AND pi.is_primary = TRUE
   LIMIT 1) as primary_image,
  (SELECT AVG(rating) FROM product_reviews pr
   WHERE pr.product_id = p.id AND pr.is_approved = TRUE) as avg_rating,
  (SELECT COUNT(*) FROM product_reviews pr
   WHERE pr.product_id = p.id AND pr.is_approved = TRUE) as review_count
FROM products p
LEFT JOIN categories c ON p.category_id = c.id
LEFT JOIN brands b ON p.brand_id = b.id
WHERE
  p.is_active = TRUE
  AND p.deleted_at IS NULL
  AND (%(category_id)s::uuid IS NULL OR p.category_id = %(category_id)s)
  AND (%(price_min)s::numeric IS NULL OR p.price >= %(price_min)s)
  AND (%(price_max)s::numeric IS NULL OR p.price <= %(price_max)s)
  AND (%(brand_id)s::uuid IS NULL OR p.brand_id = %(brand_id)s)
  AND (%(in_stock)s::boolean IS NULL OR (%(in_stock)s = TRUE AND p.stock_quantity > 0))
ORDER BY
  CASE WHEN %(sort)s = 'price_asc' THEN p.price END ASC,
  CASE WHEN %(sort)s = 'price_desc' THEN p.price END DESC,
  CASE WHEN %(sort)s = 'newest' THEN p.created_at END DESC,
  p.created_at DESC, p.id DESC
LIMIT %(limit)s OFFSET %(offset)s
"""

COPY = """
INSERT INTO products (name, slug, sku, price, category_id, brand_id, created_at)
SELECT name, %(slug)s, %(slug)s, price, category_id, brand_id, created_at
FROM products WHERE id = %(id)s
"""
RANDOM_SHOP = Path(__file__).with_name("random_shop.sql").read_text()


@pytest.fixture
async def random_shop(shop: Shop) -> Shop:
    for statement in RANDOM_SHOP.split(";"):
        await run(shop, statement)
    return shop


async def ids_of(shop: Shop, table: str) -> list[Any]:
    return [each for (each,) in await run(shop, f"SELECT id FROM {table} ORDER BY slug")]


async def test_every_combination_returns_the_rows_of_the_specification(random_shop: Shop) -> None:
    shop = random_shop
    # One without others below it: §4.1 knows no subtree.
    ((category,),) = await run(shop, "SELECT id FROM categories WHERE slug = 'c3'")
    ((brand,),) = await run(shop, "SELECT id FROM brands WHERE slug = 'b2'")
    values = {
        "category_id": [None, category],
        "brand_id": [None, brand],
        "price_min": [None, Decimal("3.75")],
        "price_max": [None, Decimal("8.75")],
        "in_stock": [None, True],
    }
    # §4.1 forgets what is sold without counting stock.
    await run(shop, "UPDATE products SET track_inventory = true")
    rows_seen = 0
    sorts: list[Sort] = ["newest", "price_asc", "price_desc"]
    for *filters, sort in combinations(*values.values(), sorts):
        given = {k: v for k, v in zip(values, filters, strict=True) if v is not None}
        ours = {k: v for k, v in given.items() if k != "brand_id"}
        if "brand_id" in given:
            ours["brand_ids"] = (brand,)
        for offset in (0, 7):
            page = {"limit": 7, "offset": offset}
            filtered = ProductFilters(**ours)
            listed = (await shop.products.list(filtered, sort, limit=7, offset=offset)).items
            params = dict.fromkeys(values) | given | page | {"sort": sort}
            expected = await run(shop, SPECIFICATION, **params)
            assert [tuple(getattr(p, f) for f in p.__struct_fields__) for p in listed] == expected
            rows_seen += len(expected)
    # Otherwise the data would be too sparse to tell anything.
    assert rows_seen > 300


def some_of(values: Sequence[Any], least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    most = min(2, len(values))
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple)


def mapping_of(**values: Sequence[str]) -> st.SearchStrategy[dict[str, tuple[str, ...]]]:
    return st.fixed_dictionaries(
        {}, optional={key: some_of(value, 1) for key, value in values.items()}
    )


def filters_of(categories: Sequence[Any], brands: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Any filters at all, of values that are there and some that are not; most are not used."""
    seldom = st.one_of(st.none(), st.none(), st.just(1))
    prices = st.none() | st.integers(1, 10).map(lambda n: n * Decimal("1.25"))
    return st.builds(
        ProductFilters,
        category_id=st.sampled_from([None, *categories]),
        brand_ids=seldom.flatmap(lambda on: some_of(brands) if on else st.just(())),
        price_min=prices,
        price_max=prices,
        in_stock=st.booleans(),
        featured=seldom.map(bool),
        tags=seldom.flatmap(lambda on: some_of(["new", "sale", "none"]) if on else st.just(())),
        attributes=seldom.flatmap(
            lambda on: (
                mapping_of(color=["red", "blue"], size=["5", "6"], eco=["true", "false"])
                if on
                else st.just({})
            )
        ),
        rating_min=seldom.flatmap(
            lambda on: (
                st.sampled_from([Decimal(0), Decimal("2.5"), Decimal(4)]) if on else st.none()
            )
        ),
        options=seldom.flatmap(
            lambda on: mapping_of(Size=["S", "M"], Colour=["red"]) if on else st.just({})
        ),
    )


def by_chance(seed: int, strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """So many values of a strategy, the same for the same seed."""
    found: list[T] = []

    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate])
    @hypothesis_seed(seed)
    @given(strategy)
    def gather(value: T) -> None:
        found.append(value)

    gather()
    return found


@pytest.mark.parametrize("sort", get_args(Sort))
async def test_any_filters_in_any_sort_list_what_python_finds(
    random_shop: Shop, sort: Sort
) -> None:
    shop = random_shop
    reference = await read(shop)
    strategy = filters_of(await ids_of(shop, "categories"), await ids_of(shop, "brands"))
    seen = 0
    for filters in by_chance(random.randrange(10**6), strategy, 60):
        expected = reference.listed(filters, sort)
        page = await shop.products.list(filters, sort, limit=100)
        assert [each.id for each in page.items] == expected[:100], filters
        count = await shop.products.count(filters, up_to=50)
        assert (count.count, count.more) == (min(len(expected), 50), len(expected) > 50), filters
        seen += len(expected)
    assert seen > 100


@pytest.mark.parametrize("sort", get_args(Sort))
@pytest.mark.parametrize("limit", [3, 20])
async def test_pages_forwards_and_backwards_are_the_whole(
    random_shop: Shop, sort: Sort, limit: int
) -> None:
    shop = random_shop
    reference = await read(shop)
    top = (await ids_of(shop, "categories"))[0]
    for filters in (EVERYTHING, ProductFilters(category_id=top, in_stock=True)):
        whole = reference.listed(filters, sort)
        pages = [await shop.products.list(filters, sort, limit=limit)]
        while (cursor := pages[-1].next) is not None:
            pages.append(await shop.products.list(filters, sort, limit=limit, cursor=cursor))
        assert [each.id for page in pages for each in page.items] == whole
        assert pages[0].previous is None
        back = [pages[-1]]
        while (cursor := back[-1].previous) is not None:
            back.append(await shop.products.list(filters, sort, limit=limit, cursor=cursor))
        # The last page may be short; from its beginning backwards all are full but the first.
        assert [each.id for page in reversed(back) for each in page.items] == whole
        assert back[-1].next is not None
        again = await shop.products.list(filters, sort, limit=limit, cursor=back[-1].next)
        assert again.items == (pages[1].items if len(back[-1].items) == limit else again.items)


@pytest.mark.parametrize("sort", get_args(Sort))
async def test_what_comes_or_goes_meanwhile_moves_nothing_else(
    random_shop: Shop, sort: Sort
) -> None:
    shop = random_shop
    whole = (await read(shop)).listed(EVERYTHING, sort)
    page = await shop.products.list(EVERYTHING, sort, limit=20)
    seen = [each.id for each in page.items]
    number = 0
    while page.next is not None:
        # One that is like one that was listed, and the row that the cursor is of goes away.
        number += 1
        await run(shop, COPY, id=seen[-1], slug=f"copy-{number}")
        await run(shop, "UPDATE products SET is_active = false WHERE id = %(id)s", id=seen[-1])
        page = await shop.products.list(EVERYTHING, sort, limit=20, cursor=page.next)
        seen += [each.id for each in page.items]
    assert len(seen) == len(set(seen))
    assert [each for each in seen if each in whole] == whole


async def test_a_cursor_of_another_list_is_refused(random_shop: Shop) -> None:
    shop = random_shop
    dear = ProductFilters(price_min=Decimal("2.50"), brand_ids=await ids_of(shop, "brands"))
    cursor = (await shop.products.list(dear, limit=5)).next
    assert cursor is not None
    same = msgspec.structs.replace(
        dear, price_min=Decimal("2.5"), brand_ids=tuple(reversed(dear.brand_ids))
    )
    assert (await shop.products.list(same, limit=5, cursor=cursor)).items
    version = cursors.encode(Place(2, "newest", "", False, msgspec.Raw(b"[]")))
    broken = sorting.encode("newest", dear, msgspec.Raw(b'["yesterday", 5]'), backwards=False)
    attempts: list[tuple[ProductFilters, Sort, str, str]] = [
        (dear, "price_asc", cursor, "is of a list sorted by newest"),
        (EVERYTHING, "newest", cursor, "is of a list with other filters"),
        (dear, "newest", version, "is of another version: begin at the first page"),
        (dear, "newest", broken, "must be the cursor that a page of this list came with"),
        (dear, "newest", "nonsense", "must be the cursor that a page of this list came with"),
    ]
    for filters, sort, given_cursor, reason in attempts:
        with pytest.raises(InvalidInputError) as refused:
            await shop.products.list(filters, sort, cursor=given_cursor)
        assert (refused.value.field, refused.value.reason) == ("cursor", reason)


async def test_a_brand_given_twice_lists_its_products_once(random_shop: Shop) -> None:
    brands = tuple(await ids_of(random_shop, "brands"))
    for some in (brands[:1], brands[:3]):
        once = await random_shop.products.list(ProductFilters(brand_ids=some))
        twice = await random_shop.products.list(ProductFilters(brand_ids=some * 2))
        assert [item.id for item in twice.items] == [item.id for item in once.items]
        assert once.items


async def test_in_stock_keeps_what_is_sold_without_counting_stock(shop: Shop) -> None:
    await a_product(shop, stock_quantity=0)
    counted = await a_product(shop, stock_quantity=1)
    uncounted = await a_product(shop, stock_quantity=0, track_inventory=False)
    listed = (await shop.products.list(ProductFilters(in_stock=True))).items
    assert {product.id for product in listed} == {counted, uncounted}


async def test_in_stock_false_does_not_filter(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=0)
    listed = (await shop.products.list(ProductFilters(in_stock=False))).items
    assert [product.id for product in listed] == [product_id]


async def test_a_price_of_zero_is_a_filter(shop: Shop) -> None:
    free = await a_product(shop, price="0.00")
    await a_product(shop)
    listed = (await shop.products.list(ProductFilters(price_max=Decimal(0)))).items
    assert [product.id for product in listed] == [free]


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", 0), ("limit", 101), ("offset", -1), ("offset", 10_001), ("sort", "random")],
)
async def test_what_is_out_of_bounds_is_refused(shop: Shop, field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.products.list(**{field: value})
    assert (refused.value.field, refused.value.value) == (field, value)
    assert field in str(refused.value)
    assert str(value) in str(refused.value)


async def test_the_bounds_themselves_are_allowed(shop: Shop) -> None:
    await a_product(shop)
    assert len((await shop.products.list(limit=100)).items) == 1
    assert (await shop.products.list(limit=1, offset=10_000)).items == ()


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"rating_min": Decimal("5.01")}, "rating_min"),
        ({"rating_min": Decimal("NaN")}, "rating_min"),
        ({"price_max": Decimal("Infinity")}, "price_max"),
        ({"tags": ["x"] * 21}, "tags"),
        ({"tags": "sale"}, "tags"),
        ({"tags": ["\0"]}, "tags"),
        ({"attributes": {"color": ()}}, "attributes.color"),
        ({"attributes": {"": ("x",)}}, "attributes"),
        ({"options": {"Size": ["x"] * 51}}, "options.Size"),
        ({"text": ""}, "text"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(
    shop: Shop, filters: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.products.list(ProductFilters(**filters))
    assert refused.value.field == field
    with pytest.raises(InvalidInputError):
        await shop.products.count(ProductFilters(**filters))


async def test_stock_is_that_of_a_variant_with_the_options(shop: Shop) -> None:
    product_id = await a_product(shop)
    await a_variant(shop, product_id, option_values='{"Size": "S"}', stock_quantity=0)
    await a_variant(shop, product_id, option_values='{"Size": "M"}', stock_quantity=1)
    for size, found in (("S", 0), ("M", 1)):
        filters = ProductFilters(options={"Size": (size,)}, in_stock=True)
        assert len((await shop.products.list(filters)).items) == found


async def test_a_count_has_a_bound(shop: Shop) -> None:
    for up_to in (0, 1_000_001):
        with pytest.raises(InvalidInputError, match="up_to"):
            await shop.products.count(up_to=up_to)
    with pytest.raises(InvalidInputError, match="offset"):
        await shop.products.list(offset=1, cursor="x")
