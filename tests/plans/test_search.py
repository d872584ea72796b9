"""A search reads the index of words for rare ones, and that of popularity for common ones."""

from collections.abc import Mapping

import psycopg
import pytest

from shopflow.products.conditions import conditions
from shopflow.products.filters import ProductFilters
from shopflow.products.listing import listing_query
from shopflow.products.search.parsing import as_document, parse
from shopflow.products.search.ranking import find_query
from shopflow.products.search.suggesting import QUERIES, parameters
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

# A fifth of all products has one word, a thousandth another; and what is popular.
WORDS = """
UPDATE products SET name = name
    || CASE WHEN n % 5 = 0 THEN ' common' ELSE '' END
    || CASE WHEN n % 1000 = 0 THEN ' rare' ELSE '' END,
    description = 'word' || n
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM products) AS numbered
WHERE numbered.id = products.id;
UPDATE product_search SET popularity = abs(hashtext(product_id::text)) % 12;
"""


@pytest.fixture(scope="module")
def worded(large_shop: psycopg.ClientCursor[object]) -> Mapping[str, object]:
    large_shop.execute(WORDS)
    large_shop.execute("VACUUM ANALYZE product_search, search_words, products")
    return {"limit": 20, "ranked": 500}


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("common ", "idx_product_search_popularity"),
        ("rare ", "idx_products_search"),
        ("common rare ", "idx_products_search"),
        ("word77 ", "idx_products_search"),
        ("comon ", "idx_product_search_popularity"),
    ],
)
def test_how_common_a_word_is_decides_what_is_read(
    explain: Explain, worded: Mapping[str, object], text: str, index: str
) -> None:
    params = {**worded, "terms": as_document(parse(text))}
    for plan in explain(find_query((), back=None), params):
        assert index in plan.indexes, plan.text
        assert "product_search" not in plan.scanned, plan.text
        assert "products" not in plan.scanned, plan.text


def test_with_a_filter_no_table_is_read_whole(
    explain: Explain, worded: Mapping[str, object]
) -> None:
    given = conditions(ProductFilters(in_stock=True))
    for text in ("common ", "rare "):
        params = {**worded, **given.params, "terms": as_document(parse(text))}
        for plan in explain(find_query(given.names, back=None), params):
            assert not plan.scanned & {"product_search"}, plan.text


def test_a_listing_by_name_reads_a_rare_word_from_its_index(
    explain: Explain, worded: Mapping[str, object]
) -> None:
    given = conditions(ProductFilters(text="rare "))
    params = {**given.params, "limit": 21, "offset": 0}
    for plan in explain(listing_query(given.names, "newest"), params):
        assert "idx_products_search" in plan.indexes, plan.text
        assert not plan.scanned & {"product_search", "products"}, plan.text


@pytest.mark.parametrize("text", ["wo", "word77", "common wo", "w", "comon"])
def test_suggestions_read_no_table_of_products(
    explain: Explain, worded: Mapping[str, object], text: str
) -> None:
    params = {"limit": 5, **parameters(parse(text), text)}
    for plan in explain(QUERIES["suggest"], params):
        assert not plan.scanned & {"product_search", "products", "search_words"}, plan.text
