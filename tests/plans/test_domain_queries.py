"""Every query of the domains is served by indexes; those of §4 by the ones named here."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID

import psycopg
import pytest

from shopflow.carts.reading import QUERIES as CARTS
from shopflow.events.consumers import QUERIES as EVENTS
from shopflow.orders.listing import order_list_query
from shopflow.orders.reading import QUERIES as ORDERS
from shopflow.postgres.queries import Query
from shopflow.products.detail import QUERIES as PRODUCTS
from shopflow.products.listing import listing_query
from shopflow.products.sorting import Sort
from shopflow.promotions.coupons import QUERIES as PROMOTIONS
from shopflow.shipping.editing import QUERIES as SHIPPING
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

# So few rows, in any shop, that reading them all is the best plan.
SMALL = {
    "categories",
    "category_paths",
    "brands",
    "shipping_zones",
    "shipping_methods",
    "tax_rates",
}
# Of a category or brand as small as here, the smaller index and a sort cost the planner the same.
INSTEAD = {
    "idx_products_category_id": "idx_products_category_price",
    "idx_products_brand_id": "idx_products_brand_price",
}
OF_THE_PAGE = {"products_pkey", "product_images_primary_key", "product_stats_pkey"}


@pytest.fixture
def values(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    """A row of each kind that is there, by the name of the parameter."""
    large_shop.execute(
        "SELECT c.id AS cart_id, c.user_id, ci.id AS item_id, ci.product_id, ci.variant_id,"
        " o.id AS order_id, o.order_number, s.id AS shipment_id, p.category_id, p.brand_id, p.slug,"
        " m.id AS method_id, m.zone_id, c.coupon_id"
        " FROM carts AS c JOIN cart_items AS ci ON ci.cart_id = c.id"
        " JOIN orders AS o ON o.user_id = c.user_id JOIN order_shipments AS s ON s.order_id = o.id"
        " JOIN products AS p ON p.id = ci.product_id"
        " CROSS JOIN shipping_methods AS m WHERE ci.variant_id IS NOT NULL LIMIT 1"
    )
    (row,) = large_shop.fetchall()
    names = [column.name for column in large_shop.description or ()]
    return dict(zip(names, row, strict=True))


@pytest.mark.parametrize("place", ["first", "after", "before"])
@pytest.mark.parametrize("in_stock", [False, True])
@pytest.mark.parametrize(
    ("filters", "sort", "index"),
    [
        ([], "newest", "idx_products_active"),
        ([], "price_asc", "idx_products_price"),
        ([], "price_desc", "idx_products_price"),
        ([], "rating", "idx_product_stats_rating"),
        ([], "best_selling", "idx_product_stats_sold_count"),
        ([], "name", "idx_products_name"),
        (["category_id"], "newest", "idx_products_category_id"),
        (["category_id"], "price_asc", "idx_products_category_price"),
        (["category_id"], "price_desc", "idx_products_category_price"),
        (["brand_ids.0"], "newest", "idx_products_brand_id"),
        (["brand_ids.0"], "price_asc", "idx_products_brand_price"),
        (["brand_ids.0"], "price_desc", "idx_products_brand_price"),
        (["brand_ids"], "newest", "idx_products_brand_id"),
        (["category_id", "price_min", "price_max"], "price_asc", "idx_products_category_price"),
        (["price_min"], "price_asc", "idx_products_price"),
        (["price_max"], "price_desc", "idx_products_price"),
    ],
)
def test_a_listing_is_read_in_the_order_of_an_index(
    explain: Explain,
    values: Mapping[str, Any],
    filters: list[str],
    sort: Sort,
    index: str,
    *,
    in_stock: bool,
    place: str,
) -> None:
    known = {
        **values,
        "price_min": Decimal(400),
        "price_max": Decimal(410),
        "brand_ids_0": values["brand_id"],
        "brand_ids": [values["brand_id"]],
        # Of a place.
        "price": Decimal(405),
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "id": UUID(int=0),
        "rating_average": Decimal(4),
        "rating_count": 1,
        "sold_count": 0,
        "name": "p5",
    }
    names = tuple([*filters, "in_stock"] if in_stock else filters)
    query = listing_query(names, sort, after=place != "first", backwards=place == "before")
    for plan in explain(query, known):
        assert {index, INSTEAD.get(index)} & plan.indexes, plan.text
        assert plan.indexes >= OF_THE_PAGE, plan.text
        assert plan.scanned <= SMALL, plan.text


@pytest.mark.parametrize("sort", get_args(Sort))
def test_a_skipped_page_is_cut_before_anything_is_joined(explain: Explain, sort: Sort) -> None:
    (plan,) = explain(listing_query((), sort, skips=True), {"offset": 10_000})
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
    "order_shipment_items_shipment_id_order_item_id_key",
    "idx_order_returns_order_id",
    "order_return_items_return_id_order_item_id_restock_key",
    "idx_order_notes_order_id",
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


OTHERS = {**CARTS, **ORDERS, **PROMOTIONS, **SHIPPING}
# The first two have tests of their own; then one counts the whole table, and place_orders is a
# function whose plan is not seen from here.
NAMED = {"get_cart", "get_order", "count_old_carts", "place_orders"}
OF_QUOTES = {
    "carts_pkey",
    "idx_cart_items_cart_id",
    "products_pkey",
    "product_variants_pkey",
    "users_pkey",
    "coupons_pkey",
    "coupon_products_pkey",
    "idx_coupon_usage_user_id",
}


@pytest.mark.parametrize("carts", [1, 32])
def test_quotes(explain: Explain, values: Mapping[str, Any], carts: int) -> None:
    request = f'{{"cart_id": "{values["cart_id"]}", "country_code": "DE"}}'
    requests = f"[{', '.join([request] * carts)}]"
    for plan in explain(ORDERS["read_quotes"], {"requests": requests}):
        assert plan.indexes >= OF_QUOTES, plan.text
        assert plan.indexes & {"idx_orders_user_id", "idx_orders_user_status_date"}, plan.text
        assert plan.scanned <= SMALL, plan.text


@pytest.mark.parametrize("carts", [1, 32])
def test_quotes_are_planned_once(
    planned_once: Callable[[Query, str], bool], values: Mapping[str, Any], carts: int
) -> None:
    request = f'{{"cart_id": "{values["cart_id"]}", "country_code": "DE"}}'
    assert planned_once(ORDERS["read_quotes"], f"[{', '.join([request] * carts)}]")


@pytest.mark.parametrize("name", ["lock_unpaid_orders", "count_unpaid_orders"])
def test_unpaid_orders_are_found_by_their_index(explain: Explain, name: str) -> None:
    # All but fifty of those that are pending have time left.
    params = {"older_than": timedelta(minutes=1950), "grace": timedelta(minutes=30), "batch": 100}
    for plan in explain(ORDERS[name], params):
        assert plan.indexes >= {"idx_orders_unpaid", "idx_payments_order_id"}, plan.text
        assert not plan.scanned, plan.text


@pytest.mark.parametrize(
    ("filters", "status", "indexes"),
    [
        (set(), None, {"idx_orders_placed_at"}),
        ({"after"}, None, {"idx_orders_placed_at"}),
        ({"status"}, "confirmed", {"idx_orders_placed_at"}),
        ({"status", "after"}, "confirmed", {"idx_orders_placed_at"}),
        ({"status"}, "refunded", {"idx_orders_status"}),
        ({"user_id"}, None, {"idx_orders_user_id", "idx_orders_user_status_date"}),
        ({"user_id", "status"}, "confirmed", {"idx_orders_user_id", "idx_orders_user_status_date"}),
        ({"user_id", "after"}, None, {"idx_orders_user_id", "idx_orders_user_status_date"}),
    ],
)
def test_a_list_of_orders_reads_one_of_these_indexes(
    explain: Explain,
    values: Mapping[str, Any],
    filters: set[str],
    status: str | None,
    indexes: set[str],
) -> None:
    position = {"placed_at": datetime.now(UTC) - timedelta(days=3), "id": values["order_id"]}
    params = {"user_id": values["user_id"], "status": status, "limit": 21, **position}
    (plan,) = explain(order_list_query(frozenset(filters)), params)
    assert plan.indexes & indexes, plan.text
    assert plan.indexes >= {"idx_order_items_order_id"}, plan.text
    assert not plan.scanned, plan.text


@pytest.mark.parametrize("name", sorted(OTHERS.keys() - NAMED))
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
        "code": "C1",
        "guest_cart_id": values["cart_id"],
        "after": UUID(int=0),
        "before": UUID(int=2**128 - 1),
        "id": values["coupon_id"],
        "coupon_id": values["coupon_id"],
        "active_only": True,
        "is_restricted": True,
        "product_ids": [values["product_id"]],
        "category_ids": [values["category_id"]],
        "limit": 50,
        "discount_type": "percentage",
        "discount_value": 10,
        **dict.fromkeys(["min_order", "max_discount", "usage_limit", "per_user_limit"]),
        **dict.fromkeys(["starts_at", "expires_at", "free_above", "estimated_days"]),
        "first_order_only": False,
        "is_active": True,
        "name": "Standard",
        "carrier": "DHL",
        "price": 1,
        "countries": ["DE"],
        "states": [],
        "priority": 0,
        "zone_id": values["zone_id"],
        "rate": Decimal("0.1"),
        "is_inclusive": False,
        "size": 100,
        "guest_days": 30,
        "user_days": None,
        "requests": f'[{{"cart_id": "{values["cart_id"]}"}}]',
        "idempotency_keys": ["key-1", "key-2"],
        "cart_ids": [values["cart_id"]],
        **dict.fromkeys(["carrier", "tracking_number", "estimated_delivery", "at"]),
        "status": "delivered",
        "refund_amount": Decimal(1),
        "refunded_elsewhere": False,
        "return_id": values["order_id"],
        "beginning": "return-1:",
        "note": "n",
        "orders": [values["order_id"]],
        "older_than": timedelta(minutes=1),
        "grace": timedelta(minutes=1),
        "batch": 100,
    }
    for plan in explain(OTHERS[name], params):
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
