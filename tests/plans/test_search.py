"""A search reads the index of words for rare ones, and that of popularity for common ones."""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from shopflow.postgres.conninfo import conninfo
from shopflow.products.conditions import conditions
from shopflow.products.filters import ProductFilters
from shopflow.products.listing import listing_query
from shopflow.products.search.parsing import as_document, parse
from shopflow.products.search.ranking import find_query
from shopflow.products.search.suggesting import QUERIES, parameters
from shopflow.settings import Settings
from tests.conftest import new_database
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

# A fifth of all products has one word, a thousandth another; and what is popular.
PRODUCTS = """
INSERT INTO brands (name, slug) SELECT 'B' || n, 'b' || n FROM generate_series(1, 200) AS n;
INSERT INTO products (brand_id, name, slug, sku, price, stock_quantity, description)
SELECT b.id,
    'P' || CASE WHEN n % 5 = 0 THEN ' common' ELSE '' END
    || CASE WHEN n % 1000 = 0 THEN ' rare' ELSE '' END,
    'p' || n, 's' || n, n % 100, n % 10, 'word' || n
FROM generate_series(1, 20000) AS n JOIN brands AS b ON b.slug = 'b' || n % 200 + 1;
UPDATE product_search SET popularity = abs(hashtext(product_id::text)) % 12
"""


@pytest.fixture(scope="module")
def large_shop(
    test_server: Settings, admin: psycopg.Connection, template_database: str
) -> Iterator[psycopg.ClientCursor[Any]]:
    """Products alone, instead of the whole shop of the other tests."""
    with (
        new_database(admin, test_server, template=template_database) as settings,
        psycopg.connect(conninfo(settings), autocommit=True) as connection,
    ):
        connection.execute("SET statement_timeout = 0")
        connection.execute(PRODUCTS)
        connection.execute("VACUUM ANALYZE")
        yield psycopg.ClientCursor(connection)


@pytest.fixture
def worded() -> Mapping[str, object]:
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


@pytest.mark.parametrize("text", ["co", "word77", "common ra", "r", "comon"])
def test_suggestions_read_no_table_of_products(
    explain: Explain, worded: Mapping[str, object], text: str
) -> None:
    params = {"limit": 5, **parameters(parse(text), text)}
    for plan in explain(QUERIES["suggest"], params):
        assert not plan.scanned & {"product_search", "products", "search_words"}, plan.text
