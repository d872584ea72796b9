"""What is written when, by whichever client, and what never is."""

import re
from typing import get_args

import msgspec
import psycopg
import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.events import models, types
from shopflow.postgres.conninfo import conninfo
from tests.catalogue import a_product, a_user, inserted, run
from tests.events.conftest import an_order, change, events
from tests.orders.conftest import Filled, filled, order

__all__ = ["filled"]


async def listen(shop: Shop, *event_types: str) -> None:
    await run(
        shop,
        "INSERT INTO event_consumers (name, kind, event_types) VALUES ('test', 'python', %(types)s)",
        types=list(event_types),
    )


async def test_an_order_from_the_checkout_to_paid(shop: Shop, filled: Filled) -> None:
    product_id = await a_product(shop)
    placed = await shop.orders.place(order(await filled((product_id, None, 2))))
    await shop.orders.mark_paid(placed.id, amount=placed.total_amount, method="card")
    found = await events(shop)
    assert found[0] == "order.placed"
    assert sorted(found[1:]) == [
        "order.confirmed",
        "order.payment_status_changed",
        "payment.captured",
        "payment.pending",
    ]
    rows = await run(shop, "SELECT DISTINCT aggregate_type, aggregate_id FROM outbox_events")
    assert rows == [("order", placed.id)]


async def test_a_change_in_psql_is_an_event_too(shop: Shop) -> None:
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed", "processing")
    await run(shop, "UPDATE orders SET customer_email = 'other@example.com'")
    await run(shop, "UPDATE orders SET status = status")
    await run(
        shop,
        "INSERT INTO payments (order_id, amount, captured_amount, status, captured_at,"
        " payment_method) VALUES (%(id)s, 20, 20, 'captured', now(), 'cash')",
        id=order_id,
    )
    assert sorted(await events(shop)) == [
        "order.confirmed",
        "order.payment_status_changed",
        "order.placed",
        "order.processing",
        "payment.captured",
    ]
    ((payload,),) = await run(
        shop, "SELECT payload FROM outbox_events WHERE event_type = 'order.processing'"
    )
    document = msgspec.json.decode(payload, type=models.OrderChange, strict=False)
    assert (document.status, document.previous, str(document.total_amount)) == (
        "processing",
        "confirmed",
        "20.00",
    )


async def test_orders_of_one_statement_are_an_event_each(shop: Shop) -> None:
    await run(
        shop,
        "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
        " SELECT 'EUR', 1, 1, 'a@example.com' FROM generate_series(1, 32)",
    )
    assert await events(shop) == ["order.placed"] * 32


async def test_payments_refunds_and_shipments_are_of_their_order(shop: Shop) -> None:
    order_id = await an_order(shop)
    payment_id = await inserted(
        shop, "payments", {"order_id": order_id, "amount": "20", "payment_method": "card"}
    )
    capture = "UPDATE payments SET status = 'captured', captured_at = now(), captured_amount = "
    await run(shop, f"{capture} 5")
    await run(shop, f"{capture} 20")
    await inserted(shop, "refunds", {"payment_id": payment_id, "amount": "3"})
    await run(shop, "UPDATE refunds SET status = 'succeeded'")
    await inserted(shop, "order_shipments", {"order_id": order_id, "carrier": "DHL"})
    await run(shop, "UPDATE order_shipments SET status = 'shipped'")
    found = await events(shop)
    assert found.count("order.payment_status_changed") == 3
    assert [each for each in found[1:] if not each.startswith("order.")] == [
        "payment.pending",
        "payment.captured",
        "payment.captured",
        "refund.pending",
        "refund.succeeded",
        "shipment.pending",
        "shipment.shipped",
    ]
    rows = await run(shop, "SELECT DISTINCT aggregate_type, aggregate_id FROM outbox_events")
    assert rows == [("order", order_id)]


async def a_catalogue_day(shop: Shop) -> None:
    """Everything that can happen to users, reviews and products."""
    user_id, product_id = await a_user(shop), await a_product(shop)
    await run(shop, "UPDATE users SET email_verified = true")
    review = {"product_id": product_id, "user_id": user_id, "rating": 4, "content": "By Ann"}
    await inserted(shop, "product_reviews", review)
    await run(shop, "UPDATE product_reviews SET is_approved = true")
    await run(shop, "UPDATE products SET price = 21")
    await run(shop, "UPDATE products SET price = price, stock_quantity = 3")
    await run(shop, "UPDATE products SET deleted_at = now()")
    await run(shop, "UPDATE products SET deleted_at = NULL")
    await run(shop, "UPDATE users SET deleted_at = now()")
    await run(shop, "UPDATE users SET deleted_at = NULL")


CATALOGUE_DAY = [
    "user.registered",
    "product.created",
    "user.email_verified",
    "review.submitted",
    "review.approved",
    "product.updated",
    "product.archived",
    "product.restored",
    "user.deleted",
    "user.restored",
]


async def test_users_reviews_and_products_are_events_when_somebody_listens(shop: Shop) -> None:
    await listen(shop, "*")
    await a_catalogue_day(shop)
    assert await events(shop) == CATALOGUE_DAY


async def test_and_are_none_when_nobody_does(shop: Shop) -> None:
    await listen(shop, "order.*")
    await run(
        shop, "INSERT INTO event_consumers (name, kind, is_active) VALUES ('x', 'python', false)"
    )
    await a_catalogue_day(shop)
    assert await events(shop) == []


@pytest.mark.parametrize(
    ("wanted", "handed_out"),
    [
        (["order.placed"], ["order.placed"]),
        (["order.*"], ["order.placed", "order.confirmed"]),
        (["order.confirmed", "shipment.*"], ["order.confirmed", "shipment.pending"]),
        (["*"], ["order.placed", "order.confirmed", "shipment.pending"]),
        (["refund.*"], []),
    ],
)
async def test_a_consumer_gets_what_it_wants(
    shop: Shop, wanted: list[str], handed_out: list[str]
) -> None:
    await listen(shop, *wanted)
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed")
    await inserted(shop, "order_shipments", {"order_id": order_id, "carrier": "DHL"})
    rows = await run(
        shop,
        "SELECT e.event_type FROM event_deliveries AS d JOIN outbox_events AS e"
        " ON e.id = d.event_id ORDER BY d.position",
    )
    assert [event_type for (event_type,) in rows] == handed_out
    assert len(await events(shop)) == 3


async def test_what_is_rolled_back_leaves_no_event(shop: Shop) -> None:
    await listen(shop, "*")
    async with (
        shop.pool.connection() as connection,
        connection.transaction(force_rollback=True),
    ):
        await connection.execute(
            "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
            " VALUES ('EUR', 1, 1, 'a@example.com')"
        )
        await connection.execute("UPDATE orders SET status = 'confirmed'")
        cursor = await connection.execute("SELECT count(*) FROM event_deliveries")
        assert await cursor.fetchone() == (2,)
    assert await events(shop) == []
    assert await run(shop, "SELECT count(*) FROM event_deliveries") == [(0,)]


async def test_what_the_owner_brings_in_from_elsewhere_is_no_event(shop: Shop) -> None:
    async with shop.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL shopflow.occurred_at = '2020-01-01'")
        await connection.execute(
            "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
            " VALUES ('EUR', 1, 1, 'a@example.com')"
        )
        await connection.execute("UPDATE orders SET status = 'confirmed'")
    assert await events(shop) == []


PERSONAL = re.compile(
    "email|first_name|last_name|phone|street|address|city|postal|user|password|hash|token|"
    "secret|session|@|Ann|Archer"
)


async def test_no_event_holds_personal_data(shop: Shop, filled: Filled) -> None:
    """Every event there is, and every key and value of its payload."""
    await listen(shop, "*")
    await a_catalogue_day(shop)
    placed = await shop.orders.place(order(await filled((await a_product(shop), None, 1))))
    await shop.orders.mark_paid(
        placed.id, amount=placed.total_amount, method="card", card_last_four="4242"
    )
    payment = await run(shop, "SELECT id FROM payments")
    await inserted(shop, "refunds", {"payment_id": payment[0][0], "amount": "1", "reason": "Ann"})
    shipment = {"order_id": placed.id, "carrier": "DHL", "tracking_number": "TRACK1"}
    await inserted(shop, "order_shipments", shipment)
    await change(shop, placed.id, "processing")
    kinds = {event_type.split(".")[0] for event_type in await events(shop)}
    assert kinds == {event_type.split(".")[0] for event_type in types.EVENT_TYPES}
    for (payload,) in await run(shop, "SELECT payload FROM outbox_events"):
        text = payload.decode()
        assert not PERSONAL.search(text), text
        assert "TRACK1" not in text
        assert "4242" not in text


async def test_every_payload_is_what_python_expects(shop: Shop) -> None:
    """Each kind decodes into its struct, with no key left over."""
    await listen(shop, "*")
    await a_catalogue_day(shop)
    order_id = await an_order(shop)
    payment = {
        "order_id": order_id,
        "amount": "20",
        "payment_method": "card",
        "captured_amount": 20,
    }
    payment_id = await inserted(
        shop, "payments", payment | {"status": "captured", "captured_at": "2026-01-01"}
    )
    await inserted(shop, "refunds", {"payment_id": payment_id, "amount": "3"})
    await inserted(shop, "order_shipments", {"order_id": order_id, "carrier": "DHL"})
    seen = set()
    for event_type, payload in await run(shop, "SELECT event_type, payload FROM outbox_events"):
        kind = models.CHANGES[event_type.split(".")[0]]
        msgspec.json.decode(payload, type=kind, strict=False)
        assert set(msgspec.json.decode(payload)) <= set(kind.__struct_fields__)
        seen.add(kind)
    assert seen == set(get_args(models.Change))


async def test_each_status_has_its_type(shop: Shop) -> None:
    for table, kind in {
        "payments": "payment",
        "refunds": "refund",
        "order_shipments": "shipment",
    }.items():
        ((definition,),) = await run(
            shop,
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %(name)s",
            name=f"{table}_status_check",
        )
        statuses = {f"{kind}.{status}" for status in re.findall(r"'([a-z_]+)'", definition)}
        assert statuses == {each for each in types.EVENT_TYPES if each.startswith(f"{kind}.")}


async def test_positions_follow_the_lock_and_not_the_clock(shop: Shop) -> None:
    """The second waits for the first one's row, so its event is the later one, whatever its id."""
    order_id = await an_order(shop)
    dsn = conninfo(shop.settings)
    async with (
        await psycopg.AsyncConnection.connect(dsn) as first,
        await psycopg.AsyncConnection.connect(dsn) as second,
    ):
        await second.execute("SELECT 1")
        update = b"UPDATE orders SET status = %(to)s WHERE id = %(id)s"
        await first.execute(update, {"to": "confirmed", "id": order_id})
        await first.commit()
        await second.execute(update, {"to": "processing", "id": order_id})
        await second.commit()
    assert await events(shop) == ["order.placed", "order.confirmed", "order.processing"]


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_list_of_dead_letters_has_a_length(shop: Shop, limit: int) -> None:
    with pytest.raises(InvalidInputError, match="limit: must be from 1 to 1000"):
        await shop.events.dead(limit=limit)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
async def test_an_old_secret_ends_some_time(shop: Shop, seconds: float) -> None:
    await shop.events.add_webhook("https://shop.example/hook", name="hook")
    with pytest.raises(InvalidInputError, match="change_over: must be from 0 to"):
        await shop.events.rotate_secret("hook", change_over=seconds)
