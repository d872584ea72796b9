"""Every query of the domains is served by indexes; those of §4 by the ones named here."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

import psycopg
import pytest

from shopflow.carts.reading import QUERIES as CARTS
from shopflow.events.consumers import QUERIES as EVENTS
from shopflow.orders.reading import QUERIES as ORDERS
from shopflow.products.detail import QUERIES as PRODUCTS
from shopflow.products.listing import Sort, listing_query
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

# So few rows, in any shop, that reading them all is the best plan.
SMALL = {"categories", "brands", "shipping_zones", "shipping_methods"}
OF_THE_PAGE = {"products_pkey", "product_images_primary_key", "product_stats_pkey"}
PAGE = {"limit": 20, "offset": 0}


@pytest.fixture
def values(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    """A row of each kind that is there, by the name of the parameter."""
    large_shop.execute(
        "SELECT c.id AS cart_id, c.user_id, ci.id AS item_id, ci.product_id, ci.variant_id,"
        " o.id AS order_id, o.order_number, p.category_id, p.brand_id, p.slug, m.id AS method_id"
        " FROM carts AS c JOIN cart_items AS ci ON ci.cart_id = c.id"
        " JOIN orders AS o ON o.user_id = c.user_id JOIN products AS p ON p.id = ci.product_id"
        " CROSS JOIN shipping_methods AS m WHERE ci.variant_id IS NOT NULL LIMIT 1"
    )
    (row,) = large_shop.fetchall()
    names = [column.name for column in large_shop.description or ()]
    return dict(zip(names, row, strict=True))


@pytest.mark.parametrize(
    ("filters", "sort", "index"),
    [
        (set(), "newest", "idx_products_active"),
        (set(), "price_asc", "idx_products_price"),
        (set(), "price_desc", "idx_products_price"),
        ({"in_stock"}, "newest", "idx_products_active"),
        ({"in_stock"}, "price_asc", "idx_products_price"),
        ({"category_id"}, "price_asc", "idx_products_category_price"),
        ({"category_id"}, "price_desc", "idx_products_category_price"),
        ({"category_id", "price_min", "price_max"}, "price_asc", "idx_products_category_price"),
        ({"price_min"}, "price_asc", "idx_products_price"),
        ({"price_max"}, "price_desc", "idx_products_price"),
        ({"brand_id"}, "newest", "idx_products_brand_id"),
    ],
)
def test_a_listing_reads_the_index_of_its_order_or_filter(
    explain: Explain, values: Mapping[str, Any], filters: set[str], sort: Sort, index: str
) -> None:
    prices = {"price_min": Decimal(400), "price_max": Decimal(410)}
    given = {name: value for name, value in (prices | dict(values)).items() if name in filters}
    (plan,) = explain(listing_query(frozenset(filters), sort), given | PAGE)
    assert plan.indexes >= {index} | OF_THE_PAGE, plan.text
    assert plan.scanned <= SMALL, plan.text


@pytest.mark.parametrize("sort", get_args(Sort))
def test_a_deep_page_is_cut_before_anything_is_joined(explain: Explain, sort: Sort) -> None:
    query = listing_query(frozenset(), sort)
    (plan,) = explain(query, {"limit": 20, "offset": 10_000})
    assert plan.indexes >= OF_THE_PAGE, plan.text


OF_A_PRODUCT = {
    "products_pkey",
    "idx_product_images_product_id",
    "product_variants_product_id_id_key",
}
OF_A_CART = {
    "carts_pkey",
    "idx_carts_user_id",
    "idx_carts_session_id",
    "idx_cart_items_cart_id",
    "products_pkey",
    "product_variants_pkey",
    "product_images_primary_key",
}
OF_AN_ORDER = {
    "orders_pkey",
    "idx_orders_order_number",
    "users_pkey",
    "idx_order_items_order_id",
    "order_addresses_order_id_address_type_key",
    "idx_order_shipments_order_id",
    "idx_payments_order_id",
    "idx_refunds_payment_id",
    "idx_order_status_history_order_id",
}


def test_a_product_page(explain: Explain, values: Mapping[str, Any]) -> None:
    query = PRODUCTS["get_product"]
    for plan in explain(query, {"id": values["product_id"], "slug": None}):
        assert plan.indexes >= OF_A_PRODUCT, plan.text
        assert plan.scanned <= SMALL, plan.text
    for plan in explain(query, {"id": None, "slug": values["slug"]}):
        assert plan.indexes >= OF_A_PRODUCT | {"idx_products_slug"}, plan.text
        assert plan.scanned <= SMALL, plan.text


def test_a_cart(explain: Explain, values: Mapping[str, Any]) -> None:
    keys = {"cart_id": values["cart_id"], "user_id": values["user_id"], "session_id": "guest-1"}
    for plan in explain(CARTS["get_cart"], keys):
        assert plan.indexes >= OF_A_CART, plan.text
        assert not plan.scanned, plan.text


def test_an_order(explain: Explain, values: Mapping[str, Any]) -> None:
    key = {"id": None, "order_number": values["order_number"]}
    for plan in explain(ORDERS["get_order"], key):
        assert plan.indexes >= OF_AN_ORDER, plan.text
        assert not plan.scanned, plan.text


@pytest.mark.parametrize("name", sorted({*CARTS, *ORDERS} - {"get_cart", "get_order"}))
def test_no_other_query_reads_a_whole_table(
    explain: Explain, values: Mapping[str, Any], name: str
) -> None:
    line = '{"product_id": "%s", "variant_id": "%s", "quantity": 1}'
    amounts = ("subtotal", "discount_amount", "shipping_amount", "tax_amount", "total_amount")
    params = {
        **values,
        **dict.fromkeys([*amounts, "amount"], Decimal(1)),
        "session_id": "guest-1",
        "quantity": 1,
        "largest": 100,
        "shipping_method_id": values["method_id"],
        "country_code": "DE",
        "actor": None,
        "reason": None,
        "state": None,
        "idempotency_key": "key-u1@example.com1",
        "fingerprint": b"\0" * 32,
        "lines": f"[{line % (values['product_id'], values['variant_id'])}]",
        "addresses": "[]",
        "customer_email": "a@example.com",
        "currency_code": "EUR",
        "method": "card",
        "card_brand": None,
        "card_last_four": None,
    }
    for plan in explain({**CARTS, **ORDERS}[name], params):
        assert plan.scanned <= SMALL, plan.text


@pytest.fixture
def delivery(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    """A delivery that is pending, behind 80,000 that are over."""
    large_shop.execute(
        "SELECT consumer_id, event_id FROM event_deliveries WHERE state = 'pending' LIMIT 1"
    )
    ((consumer_id, event_id),) = large_shop.fetchall()
    return {"consumer_id": consumer_id, "event_id": event_id, "lease": event_id, "seconds": 60}


def test_claiming_sees_what_is_pending_alone(explain: Explain, delivery: Mapping[str, Any]) -> None:
    for plan in explain(EVENTS["claim_deliveries"], {**delivery, "limit": 8}):
        needed = {"idx_event_deliveries_due", "idx_event_deliveries_lane", "outbox_events_pkey"}
        assert plan.indexes >= needed, plan.text
        assert plan.scanned <= {"event_consumers"}, plan.text


@pytest.mark.parametrize(
    "name",
    [
        "record_delivered",
        "record_failed",
        "record_dead",
        "release_delivery",
        "list_consumers",
        "list_dead",
        "retry_dead",
    ],
)
def test_no_query_of_the_worker_reads_all_deliveries(
    explain: Explain, delivery: Mapping[str, Any], name: str
) -> None:
    params = {**delivery, "status": 500, "error": "x", "delay": 5, "consumer": "c1"}
    params |= {"limit": 100}
    for plan in explain(EVENTS[name], params):
        assert plan.scanned <= {"event_consumers"}, plan.text
