"""A batch of a bulk change reads its rows by key, and pages of it an index in order."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from shopflow.products.bulk.reading import QUERIES
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Of every product: to read them all for a batch would be the mistake.
CHANGES = """
INSERT INTO bulk_changes (kind, description)
SELECT CASE n % 2 WHEN 0 THEN 'price' ELSE 'stock' END, 'x' FROM generate_series(1, 300) AS n;
INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, old_price, new_price)
SELECT (SELECT id FROM bulk_changes WHERE kind = 'price' ORDER BY id LIMIT 1), row_number() OVER (ORDER BY id),
    'price', id, price, price + 1
FROM products;
INSERT INTO bulk_change_lines (bulk_change_id, position, kind, product_id, old_stock, new_stock)
SELECT (SELECT id FROM bulk_changes WHERE kind = 'stock' ORDER BY id LIMIT 1), row_number() OVER (ORDER BY id),
    'stock', id, 1, 2
FROM products;
INSERT INTO price_changes (product_id, old_price, new_price, changed_at)
SELECT id, 1, 2, now() - n * interval '1 day' FROM products, generate_series(1, 2) AS n;
ANALYZE bulk_changes, bulk_change_lines, price_changes
"""


@pytest.fixture(scope="module")
def values(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    large_shop.execute(CHANGES)
    large_shop.execute(
        "SELECT p.id AS price, s.id AS stock FROM bulk_changes AS p, bulk_changes AS s"
        " WHERE p.kind = 'price' AND s.kind = 'stock' ORDER BY p.id, s.id LIMIT 1"
    )
    ((price, stock),) = large_shop.fetchall()
    large_shop.execute("SELECT id FROM products LIMIT 1")
    ((product,),) = large_shop.fetchall()
    return {"price": price, "stock": stock, "product": product}


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("lock_bulk_rows", "price"),
        ("lock_bulk_rows", "stock"),
        ("change_bulk_prices", "price"),
        ("change_bulk_stocks", "stock"),
    ],
)
@pytest.mark.parametrize("undo", [False, True])
def test_a_batch_reads_its_own_rows(
    explain: Explain, values: Mapping[str, Any], query: str, kind: str, *, undo: bool
) -> None:
    params = {
        "id": values[kind],
        "pending": "applied" if undo else "pending",
        "after": 1000,
        "size": 200,
        "undo": undo,
        "changed": "undone" if undo else "applied",
        "unchanged": "kept" if undo else "conflict",
        "reason": "import",
        "actor": None,
        "largest_stock": 100,
    }
    for plan in explain(QUERIES[query], params):
        assert "products_pkey" in plan.indexes, plan.text
        assert not plan.scanned, plan.text


@pytest.mark.parametrize("status", [None, "conflict"])
def test_lines_are_read_in_their_order(
    explain: Explain, values: Mapping[str, Any], status: str | None
) -> None:
    params = {"id": values["price"], "status": status, "after": 5000, "limit": 21}
    for plan in explain(QUERIES["list_bulk_lines"], params):
        assert plan.indexes & {"bulk_change_lines_pkey", "idx_bulk_change_lines_status"}, plan.text
        assert not plan.scanned, plan.text


def test_the_history_of_prices_is_read_by_product(
    explain: Explain, values: Mapping[str, Any]
) -> None:
    for place in ({"before": None, "before_id": None}, {"before": NOW, "before_id": UUID(int=0)}):
        params = {"product_id": values["product"], "variant_id": None, "limit": 21} | place
        for plan in explain(QUERIES["list_price_changes"], params):
            assert "idx_price_changes_product_id" in plan.indexes, plan.text
            assert not plan.scanned, plan.text


@pytest.mark.usefixtures("values")
def test_what_is_due_is_found_among_the_open_ones(explain: Explain) -> None:
    for plan in explain(QUERIES["list_due_bulk_changes"], {}):
        assert "idx_bulk_changes_open" in plan.indexes, plan.text
