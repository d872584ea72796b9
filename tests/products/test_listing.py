"""§4.1: the composed listing against the specification's own statement, and its bounds."""

from decimal import Decimal
from itertools import product as combinations
from typing import Any, get_args

import pytest

from shopflow import InvalidInputError, Shop
from shopflow.products.listing import ProductFilters, Sort
from tests.catalogue import a_product, run

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

# Few prices and moments, so that ties are many; some of everything that is optional is missing.
RANDOM_SHOP = """
SELECT setseed(0.5);
INSERT INTO categories (name, slug) SELECT 'C' || n, 'c' || n FROM generate_series(1, 3) AS n;
INSERT INTO brands (name, slug) SELECT 'B' || n, 'b' || n FROM generate_series(1, 3) AS n;
INSERT INTO users (email, password_hash, first_name, last_name)
SELECT 'u' || n || '@example.com', '!', 'U', 'U' FROM generate_series(1, 5) AS n;
INSERT INTO products (category_id, brand_id, name, slug, sku, price, compare_at_price,
    stock_quantity, is_active, created_at, deleted_at)
SELECT c.id, b.id,
    'P' || n, 'p' || n, 's' || n, p.price, CASE WHEN random() < 0.3 THEN p.price + 1.5 END,
    floor(random() * 3), random() < 0.9, now() - ceil(random() * 5) * interval '1 day',
    CASE WHEN random() < 0.1 THEN now() END
FROM (
    SELECT n, ceil(random() * 10) * 1.25 AS price,
        'c' || ceil(random() * 4) AS category, 'b' || ceil(random() * 4) AS brand
    FROM generate_series(1, 300) AS n
) AS p
LEFT JOIN categories AS c ON c.slug = p.category
LEFT JOIN brands AS b ON b.slug = p.brand;
INSERT INTO product_images (product_id, url, is_primary)
SELECT id, 'https://images.example/' || slug, random() < 0.7 FROM products WHERE random() < 0.8;
INSERT INTO product_reviews (product_id, user_id, rating, is_approved)
SELECT p.id, u.id, ceil(random() * 5), random() < 0.7 FROM products AS p, users AS u
WHERE random() < 0.4;
"""


@pytest.fixture
async def random_shop(shop: Shop) -> Shop:
    for statement in RANDOM_SHOP.split(";"):
        await run(shop, statement)
    return shop


async def test_every_combination_returns_the_rows_of_the_specification(random_shop: Shop) -> None:
    shop = random_shop
    ((category,),) = await run(shop, "SELECT id FROM categories WHERE slug = 'c1'")
    ((brand,),) = await run(shop, "SELECT id FROM brands WHERE slug = 'b2'")
    values = {
        "category_id": [None, category],
        "brand_id": [None, brand],
        "price_min": [None, Decimal("3.75")],
        "price_max": [None, Decimal("8.75")],
        "in_stock": [None, True],
    }
    rows_seen = 0
    for *filters, sort in combinations(*values.values(), get_args(Sort)):
        given = {k: v for k, v in zip(values, filters, strict=True) if v is not None}
        for offset in (0, 7):
            page = {"limit": 7, "offset": offset}
            listed = await shop.products.list(ProductFilters(**given), sort, **page)
            params = dict.fromkeys(values) | given | page | {"sort": sort}
            expected = await run(shop, SPECIFICATION, **params)
            assert [tuple(getattr(p, f) for f in p.__struct_fields__) for p in listed] == expected
            rows_seen += len(expected)
    # Otherwise the data would be too sparse to tell anything.
    assert rows_seen > 600


@pytest.mark.parametrize("sort", get_args(Sort))
async def test_pages_show_every_product_once(random_shop: Shop, sort: Sort) -> None:
    pages = [await random_shop.products.list(sort=sort, limit=20, offset=n * 20) for n in range(20)]
    ids = [product.id for page in pages for product in page]
    ((listed,),) = await run(
        random_shop, "SELECT count(*) FROM products WHERE is_active AND deleted_at IS NULL"
    )
    assert len(ids) == len(set(ids)) == listed


async def test_in_stock_keeps_what_is_sold_without_counting_stock(shop: Shop) -> None:
    await a_product(shop, stock_quantity=0)
    counted = await a_product(shop, stock_quantity=1)
    uncounted = await a_product(shop, stock_quantity=0, track_inventory=False)
    listed = await shop.products.list(ProductFilters(in_stock=True))
    assert {product.id for product in listed} == {counted, uncounted}


async def test_in_stock_false_does_not_filter(shop: Shop) -> None:
    product_id = await a_product(shop, stock_quantity=0)
    listed = await shop.products.list(ProductFilters(in_stock=False))
    assert [product.id for product in listed] == [product_id]


async def test_a_price_of_zero_is_a_filter(shop: Shop) -> None:
    free = await a_product(shop, price="0.00")
    await a_product(shop)
    listed = await shop.products.list(ProductFilters(price_max=Decimal(0)))
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
    assert len(await shop.products.list(limit=100)) == 1
    assert await shop.products.list(limit=1, offset=10_000) == []
