"""Facets and the product page read what they need by index, in a shop of 20,000 products."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from shopflow.products.detail import QUERIES
from shopflow.products.facet_query import facet_query
from shopflow.products.facets import PRICE_EDGES
from shopflow.products.filters import ProductFilters
from shopflow.products.listing import listing_query
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

# So few rows that reading them all is the best plan.
SMALL = {"categories", "brands"}
# Whose page shows much, and whose reviews are not on it.
RICH = """
INSERT INTO product_images (product_id, url, sort_order)
SELECT p.id, 'https://images.example/more/' || n, n
FROM products AS p, generate_series(1, 50) AS n WHERE p.slug = 'p1';
INSERT INTO product_variants (product_id, name, sku, price, stock_quantity, option_values)
SELECT p.id, 'V', 'rich-' || n, p.price, 5, jsonb_build_object('Length', n)
FROM products AS p, generate_series(1, 100) AS n WHERE p.slug = 'p1';
INSERT INTO product_reviews (product_id, rating, is_approved)
SELECT p.id, 1 + n % 5, true FROM products AS p, generate_series(1, 20000) AS n WHERE p.slug = 'p1';
ANALYZE product_images, product_variants, product_reviews, product_stats
"""


@pytest.fixture(scope="module")
def values(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    large_shop.execute(RICH)
    large_shop.execute("SELECT id, slug, category_id, brand_id FROM products WHERE slug = 'p1'")
    (row,) = large_shop.fetchall()
    return dict(zip(("id", "slug", "category_id", "brand_id"), row, strict=True))


def test_a_page_of_much_reads_its_own_rows_and_no_review(
    explain: Explain, values: Mapping[str, Any]
) -> None:
    of_a_product = {
        "products_pkey",
        "product_stats_pkey",
        "idx_product_images_product_id",
        "product_variants_product_id_id_key",
    }
    for key, index in (("id", "products_pkey"), ("slug", "idx_products_slug")):
        for plan in explain(QUERIES["get_product"], {"id": None, "slug": None, key: values[key]}):
            assert plan.indexes >= of_a_product | {index}, plan.text
            assert plan.scanned <= SMALL, plan.text
            assert "product_reviews" not in plan.text


def test_the_primary_image_of_a_listing_comes_from_its_index_alone(explain: Explain) -> None:
    for plan in explain(listing_query((), "newest"), {}):
        place = plan.text.index("'Index Name': 'product_images_primary_key'")
        assert plan.text.rindex("'Node Type'", 0, place) == plan.text.rindex(
            "'Node Type': 'Index Only Scan'", 0, place
        ), plan.text


OF_VARIANTS = {"product_variants_option_values_key", "product_variants_product_id_id_key"}


@pytest.mark.parametrize(
    ("filters", "indexes"),
    [
        ({"category_id"}, {"idx_products_category_id", "idx_products_category_price"}),
        ({"brand_ids"}, {"idx_products_brand_id", "idx_products_brand_price"}),
        ({"category_id", "price_min", "price_max"}, {"idx_products_category_price"}),
        ({"price_min", "price_max"}, {"idx_products_price"}),
    ],
)
def test_facets_find_their_products_by_index(
    explain: Explain, values: Mapping[str, Any], filters: set[str], indexes: set[str]
) -> None:
    everything = {
        "category_id": values["category_id"],
        "brand_ids": (values["brand_id"],),
        "price_min": Decimal(400),
        "price_max": Decimal(410),
    }
    query, params = facet_query(ProductFilters(**{name: everything[name] for name in filters}))
    (plan,) = explain(query, {**params, "limit": 100, "edges": list(PRICE_EDGES)})
    assert plan.indexes & indexes, plan.text
    # A lookup for each product that is counted.
    assert "product_stats_pkey" in plan.indexes, plan.text
    assert plan.indexes & OF_VARIANTS, plan.text
    assert not plan.scanned & {"product_stats", "product_variants"}, plan.text
