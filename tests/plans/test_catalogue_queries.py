"""Lists of reviews and movements are read in the order of an index, and no write scans a table."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import psycopg
import pytest

from shopflow.products.detail import QUERIES
from shopflow.products.review_reading import ReviewSort, review_query
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

SMALL = {"categories", "brands"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# What everybody reviews and buys: sorting it all would be the mistake.
POPULAR = """
INSERT INTO product_reviews (product_id, rating, is_approved, created_at)
SELECT p.id, 1 + n % 5, n % 10 <> 0, now() - n * interval '1 minute'
FROM products AS p, generate_series(1, 20000) AS n WHERE p.slug = 'p1';
INSERT INTO stock_movements (product_id, variant_id, change, reason, created_at)
SELECT v.product_id, v.id, CASE n % 2 WHEN 0 THEN 1 ELSE -1 END, 'correction',
    now() - n * interval '1 minute'
FROM generate_series(1, 10000) AS n, product_variants AS v
JOIN products AS p ON p.id = v.product_id WHERE p.slug = 'p2';
ANALYZE product_reviews, stock_movements
"""


@pytest.fixture(scope="module")
def values(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    """A row of each kind that is there, by the name of the parameter."""
    large_shop.execute(POPULAR)
    large_shop.execute(
        "SELECT p.id AS popular, v.id AS variant_id, v.product_id,"
        " (SELECT r.id FROM product_reviews AS r LIMIT 1) AS review_id,"
        " (SELECT u.id FROM users AS u LIMIT 1) AS user_id,"
        " (SELECT i.id FROM product_images AS i LIMIT 1) AS image_id"
        " FROM products AS p, product_variants AS v JOIN products AS w ON w.id = v.product_id"
        " WHERE p.slug = 'p1' AND w.slug = 'p2' LIMIT 1"
    )
    (row,) = large_shop.fetchall()
    names = [column.name for column in large_shop.description or ()]
    return dict(zip(names, row, strict=True))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("sort", get_args(ReviewSort))
def test_a_page_of_reviews_is_read_in_its_order(
    explain: Explain, values: Mapping[str, Any], sort: ReviewSort, *, after: bool
) -> None:
    place = {"rating": 3, "is_verified_purchase": False, "created_at": NOW, "id": UUID(int=0)}
    params = {"product_id": values["popular"], "limit": 21} | (place if after else {})
    for plan in explain(review_query(sort, after=after), params):
        assert f"idx_reviews_{sort}" in plan.indexes, plan.text
        assert not plan.scanned, plan.text
        # Once, for the page; not for all that the product has.
        assert plan.text.count("'Node Type': 'Sort'") <= 1, plan.text


def test_the_queue_is_read_in_its_order(explain: Explain, values: Mapping[str, Any]) -> None:
    for place in ({"after": None, "after_id": None}, {"after": NOW, "after_id": UUID(int=0)}):
        for plan in explain(QUERIES["moderation_queue"], place | {"limit": 21}):
            assert "idx_reviews_queue" in plan.indexes, plan.text
            assert not plan.scanned, plan.text


@pytest.mark.parametrize("of_variant", [False, True])
def test_movements_are_read_in_the_order_of_their_index(
    explain: Explain, values: Mapping[str, Any], *, of_variant: bool
) -> None:
    params = {
        "product_id": values["product_id"],
        "variant_id": values["variant_id"] if of_variant else None,
        "limit": 21,
    }
    for place in ({"before": None, "before_id": None}, {"before": NOW, "before_id": UUID(int=0)}):
        for plan in explain(QUERIES["list_movements"], params | place):
            assert "idx_stock_movements_product_id" in plan.indexes, plan.text
            assert not plan.scanned, plan.text
            assert "'Node Type': 'Incremental Sort'" in plan.text, plan.text


# Reads of everything, which say so.
WHOLE = {
    "list_low_stock",
    "check_stock",
    "check_stock_session",
    "count_sales",
    "list_categories",
    "list_brands",
}


@pytest.mark.parametrize("name", sorted({*QUERIES} - WHOLE - {"get_product"}))
def test_no_other_query_reads_a_whole_table(
    explain: Explain, values: Mapping[str, Any], name: str
) -> None:
    kinds = {"review": "review_id", "image": "image_id", "variant": "variant_id"}
    of = next((key for kind, key in kinds.items() if kind in name), "product_id")
    params = {
        **values,
        **dict.fromkeys(["before", "before_id", "after", "after_id", "expected_version", "seen"]),
        **dict.fromkeys(["notes", "reason", "quantity", "parent_id", "sort_order"]),
        "id": values[of],
        "what": "product",
        "fields": "{}",
        "changes": '{"name": "x"}',
        "url": "u",
        "alt_text": None,
        "is_primary": False,
        "image_ids": [values["image_id"]],
        "actor": values["user_id"],
        "moderator": values["user_id"],
        "change": 1,
        "largest": 100,
        "limit": 21,
        "rating": 5,
        "title": None,
        "content": None,
    }
    for plan in explain(QUERIES[name], params):
        assert plan.scanned <= SMALL, plan.text
