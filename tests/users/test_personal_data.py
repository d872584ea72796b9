"""Everything held on a person comes out, and goes; what bookkeeping needs stays."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import OrderId, UserId
from shopflow.orders.returns import ReturnLine, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.postgres.roles import SECRET_COLUMNS
from shopflow.users.limiting import QUERIES
from shopflow.users.personal_data import NOT_EXPORTED
from tests.catalogue import a_product, a_user, inserted, run
from tests.orders.sales import a_sale
from tests.users.conftest import HERE, PASSWORD, YORK, registered
from tests.waiting import waiting

# Columns that say whose a row is, or how to reach somebody.
MENTIONS_A_PERSON = """
    SELECT DISTINCT c.relname
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
        AND a.attnum > 0 AND NOT a.attisdropped
        AND (
            a.attname ~ '(^|_)(user|customer|owner|author|actor|created_by|updated_by|email|phone)(_|$)'
            OR EXISTS (
                SELECT FROM pg_constraint AS k
                WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid = 'users'::regclass
                    AND a.attnum = ANY(k.conkey)
            )
        )
"""
TABLES = re.compile(rb"(?:FROM|JOIN) ([a-z_]+) AS")
# What of the order's address stays.
KEPT = {"GB", "Yorkshire", "YO1"}


class Ann(msgspec.Struct):
    """A person of whom the shop has something in every table."""

    id: UserId
    order_id: UUID
    personal: set[str]
    secrets: set[str]


async def ann(shop: Shop) -> Ann:
    made = await registered(
        shop, email="ann.archer@example.com", first_name="Annabel", last_name="Archerson"
    )
    user_id = made.user.id
    signed_in = await shop.users.sign_in(made.user.email, PASSWORD, network_address=HERE)
    refreshed = await shop.users.refresh(signed_in.refresh_token)
    reset = await shop.users.request_password_reset(made.user.email, network_address=HERE)
    await shop.users.add_address(
        user_id, msgspec.structs.replace(YORK, address_line_1="7 Saved Lane"), "billing"
    )
    product_id = await a_product(shop, name="A shirt")
    cart_id = await shop.carts.open(user_id=user_id)
    await shop.carts.add(cart_id, product_id, quantity=3)
    order_id = await an_order(shop, user_id)
    coupon = {"code": "ANNSCODE", "discount_type": "percentage", "discount_value": 10}
    usage = {
        "coupon_id": await inserted(shop, "coupons", coupon),
        "user_id": user_id,
        "order_id": order_id,
        "discount_amount": 1,
    }
    await inserted(shop, "coupon_usage", usage)
    review = {
        "product_id": product_id,
        "user_id": user_id,
        "rating": 4,
        "title": "Fits well",
        "content": "I wear it to work",
    }
    await inserted(shop, "product_reviews", review | {"is_approved": True})
    rejected = {"title": "For Archerson", "content": None, "rejection_reason": "Rude to Ann"}
    await inserted(
        shop, "product_reviews", review | rejected | {"product_id": await a_product(shop)}
    )
    ((stored,),) = await run(shop, "SELECT password_hash FROM users WHERE id = %(id)s", id=user_id)
    tokens = (
        made.verification.token,
        signed_in.refresh_token,
        refreshed.refresh_token,
        reset.token,
    )
    return Ann(
        user_id,
        order_id,
        {
            "ann.archer@example.com",
            "Annabel",
            "Archerson",
            "7 Saved Lane",
            "orders.ann@example.com",
            "Ordella",
            "Ordered",
            "9 Order Street",
            "Flat 3",
            "Ordertown",
            "YO1 9ZZ",
            '"4242"',  # as a value: the digits alone may be in a UUID
            "Mrs Archerson rang twice",
            "Fits well",
            "I wear it to work",
            "Rude to Ann",
        },
        {stored, *(token.digest.hex() for token in tokens), *(token.reveal() for token in tokens)},
    )


async def an_order(shop: Shop, user_id: UserId) -> UUID:
    order = {
        "user_id": user_id,
        "currency_code": "EUR",
        "subtotal": 20,
        "total_amount": 20,
        "customer_email": "orders.ann@example.com",
        "idempotency_key": str(uuid4()),
        "idempotency_fingerprint": b"\1" * 32,
    }
    order_id = await inserted(shop, "orders", order)
    address = {
        "order_id": order_id,
        "address_type": "shipping",
        "first_name": "Ordella",
        "last_name": "Ordered",
        "address_line_1": "9 Order Street",
        "address_line_2": "Flat 3",
        "city": "Ordertown",
        "state": "Yorkshire",
        "postal_code": "YO1 9ZZ",
        "country_code": "GB",
    }
    await inserted(shop, "order_addresses", address)
    payment = {
        "order_id": order_id,
        "amount": 20,
        "payment_method": "card",
        "card_brand": "visa",
        "card_last_four": "4242",
        "gateway": "sandbox",
        "gateway_reference": f"auth-{order_id}",
    }
    await inserted(shop, "payments", payment)
    # One that has come and waits to be applied.
    await run(
        shop,
        "INSERT INTO gateway_events (gateway, event_id, kind, status, authorization_reference,"
        " gateway_reference, amount, card_brand, card_last_four, occurred_at)"
        " VALUES ('sandbox', uuidv7(), 'authorize', 'succeeded', %(auth)s, %(auth)s, 20, 'visa',"
        " '4242', now())",
        auth=f"auth-{order_id}",
    )
    await shop.orders.add_note(OrderId(order_id), "Mrs Archerson rang twice")
    return order_id


async def everything(shop: Shop, *, without: tuple[str, ...] = ()) -> str:
    """Every row of every table as text."""
    tables = await run(
        shop,
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind = 'r' ORDER BY 1",
    )
    rows = [
        str(row)
        for (table,) in tables
        if table not in without
        for row in await run(shop, f"SELECT to_jsonb(t)::text FROM {table} AS t")
    ]
    return "\n".join(rows)


async def exported(shop: Shop, user_id: UserId) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(await shop.users.export(user_id))
    return document


async def test_every_table_that_mentions_a_person_is_exported_or_has_a_reason_not_to_be(
    shop: Shop,
) -> None:
    mentioning = {name for (name,) in await run(shop, MENTIONS_A_PERSON)}
    read = {name.decode() for name in TABLES.findall(QUERIES["export_user"].sql)}
    assert mentioning >= {"users", "orders", "erasure_log", "order_status_history", "carts"}
    assert mentioning - read - NOT_EXPORTED.keys() == set(), (
        "export it in users/queries.sql, or give the reason in NOT_EXPORTED"
    )
    assert NOT_EXPORTED.keys() <= mentioning - read


async def test_the_export_has_everything_but_secrets(shop: Shop) -> None:
    person = await ann(shop)
    document = await exported(shop, person.id)
    text = msgspec.json.encode(document).decode()
    for value in person.personal | {"A shirt", "ANNSCODE", f"auth-{person.order_id}"}:
        assert value in text, value
    for secret in person.secrets:
        assert secret not in text
    hidden = {column for columns in SECRET_COLUMNS.values() for column in columns}
    assert not hidden & set(re.findall(r'"(\w+)":', text))
    (order,) = document["orders"]
    assert order["payments"][0]["card_brand"] == "visa"
    assert [len(document[key]) for key in ("sessions", "carts", "reviews", "coupons_used")] == [
        2,
        1,
        2,
        1,
    ]
    assert document["carts"][0]["items"][0]["quantity"] == 3


async def test_the_export_of_staff_has_what_they_did(shop: Shop) -> None:
    clerk = await a_user(shop)
    sale = await a_sale(shop, 2)
    await shop.orders.add_note(sale.id, "Call before noon", actor=clerk)
    await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL"), actor=clerk)
    line = ReturnLine(sale.lines[0], 1, restock=True)
    await shop.orders.return_items(
        ReturnRequest(order_id=sale.id, lines=[line], reason="too small"), actor=clerk
    )
    review = {"product_id": sale.products[0], "rating": 1, "moderated_by": clerk}
    await inserted(shop, "product_reviews", review | {"rejection_reason": "spam"})
    document = await exported(shop, clerk)
    assert [each["status"] for each in document["order_steps_taken"]] == ["processing", "shipped"]
    assert [each["note"] for each in document["order_notes_written"]] == ["Call before noon"]
    assert [each["reason"] for each in document["returns_taken"]] == ["too small"]
    assert [(each["change"], each["reason"]) for each in document["stock_changed"]] == [
        (1, "return")
    ]
    assert [each["rejection_reason"] for each in document["reviews_moderated"]] == ["spam"]


async def test_events_name_nobody(shop: Shop) -> None:
    """Every kind of event that there is, with a consumer that wants them all."""
    await run(shop, "INSERT INTO event_consumers (name, kind) VALUES ('all', 'python')")
    person = await ann(shop)
    await run(shop, "UPDATE users SET email_verified = true")
    sale = await a_sale(shop, 2, status="pending", customer_email="orders.ann@example.com")
    await shop.orders.mark_paid(
        sale.id, amount=Decimal(40), method="card", card_last_four="4242", actor=person.id
    )
    await shop.orders.ship(Parcel(order_id=sale.id, carrier="DHL", tracking_number="Annabel-1"))
    await shop.orders.payments.refund_order(sale.id, reason="for Archerson")
    await shop.users.erase(person.id, by=None, reason="asked for it")
    rows = await run(shop, "SELECT event_type, aggregate_type, payload::text FROM outbox_events")
    kinds = {event_type.partition(".")[0] for event_type, *_ in rows}
    assert kinds == {"order", "payment", "refund", "shipment", "user", "review", "product"}
    told = "\n".join(payload for *_, payload in rows)
    named = person.personal | person.secrets | {str(person.id)}
    assert [value for value in named if value in told] == []


async def test_an_export_has_nothing_of_others(shop: Shop) -> None:
    await ann(shop)
    other = await exported(shop, await a_user(shop))
    assert [key for key, value in other.items() if value and key != "profile"] == []
    with pytest.raises(NotFoundError):
        await shop.users.export(UserId(uuid4()))


async def test_the_export_of_a_deleted_account_has_the_orders_it_had(shop: Shop) -> None:
    person = await ann(shop)
    await shop.users.delete(person.id)
    (order,) = (await exported(shop, person.id))["orders"]
    assert order["id"] == str(person.order_id)


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_an_erased_person_is_nowhere_and_the_books_still_add_up(
    shop: Shop, *, deleted_before: bool
) -> None:
    person = await ann(shop)
    by = await a_user(shop, first_name="Clerk")
    if deleted_before:
        await shop.users.delete(person.id)
    await shop.users.erase(person.id, by=by, reason="asked for it by letter")
    left = await everything(shop)
    assert [value for value in person.personal if value in left] == []
    for value in KEPT:
        assert f'"{value}"' in left
    assert await run(
        shop,
        "SELECT total_amount, user_id, customer_email, idempotency_fingerprint FROM orders",
    ) == [(20, None, "erased@erased.invalid", None)]
    assert await run(
        shop, "SELECT postal_code, state, country_code, address_line_2 FROM order_addresses"
    ) == [("YO1", "Yorkshire", "GB", None)]
    assert await run(shop, "SELECT card_brand, card_last_four FROM payments") == [("visa", None)]
    reviews = await run(shop, "SELECT user_id, rating, title, content FROM product_reviews")
    assert reviews == [(None, 4, None, None)]
    assert await run(
        shop, "SELECT rating_sum, rating_count FROM product_stats WHERE rating_count > 0"
    ) == [(4, 1)]
    assert await run(shop, "SELECT user_id FROM coupon_usage") == [(None,)]
    for table in (
        "user_addresses",
        "user_sessions",
        "password_resets",
        "email_verifications",
        "carts",
    ):
        assert await run(shop, f"SELECT FROM {table}") == []
    ((email, deleted_at),) = await run(
        shop, "SELECT email, deleted_at FROM users WHERE id = %(id)s", id=person.id
    )
    assert email == f"erased-{person.id}@erased.invalid"
    assert deleted_at is not None
    assert await run(shop, "SELECT user_id, erased_by, reason FROM erasure_log") == [
        (person.id, by, "asked for it by letter")
    ]


async def test_an_erasure_touches_nobody_else(shop: Shop) -> None:
    person, other = await ann(shop), await registered(shop)
    order_id = await an_order(shop, other.user.id)
    await shop.users.add_address(other.user.id, YORK, "shipping")
    # Deleted, restored, and its order given to another account since.
    await run(
        shop,
        "INSERT INTO deleted_user_orders (order_id, user_id) VALUES (%(order)s, %(user)s)",
        order=order_id,
        user=person.id,
    )
    before = await exported(shop, other.user.id)
    await shop.users.erase(person.id, by=None, reason="asked for it")
    assert await exported(shop, other.user.id) == before


async def test_erasing_again_changes_and_logs_nothing(shop: Shop) -> None:
    person = await ann(shop)
    await asyncio.gather(
        *(shop.users.erase(person.id, by=None, reason="asked for it") for _ in range(8))
    )
    before = await everything(shop, without=("users", "orders"))
    await shop.users.erase(person.id, by=None, reason="asked again")
    assert await everything(shop, without=("users", "orders")) == before
    assert await run(shop, "SELECT count(*) FROM erasure_log") == [(1,)]


async def test_two_people_can_be_erased_and_their_addresses_register_again(shop: Shop) -> None:
    one, two = await registered(shop), await registered(shop)
    for made in (one, two):
        await shop.users.erase(made.user.id, by=None, reason="asked for it")
        await registered(shop, email=made.user.email)


async def test_an_address_added_during_the_erasure_is_erased_or_refused(shop: Shop) -> None:
    user_id = (await registered(shop)).user.id
    async with shop.pool.connection() as writer, writer.transaction():
        await writer.execute(
            "INSERT INTO user_addresses (user_id, address_type, first_name, last_name,"
            " address_line_1, city, postal_code, country_code)"
            " VALUES (%s, 'shipping', 'A', 'B', 'C', 'D', 'E', 'GB')",
            [user_id],
        )
        erasing = asyncio.create_task(shop.users.erase(user_id, by=None, reason="asked for it"))
        await waiting(shop, 1)
    await erasing
    assert await run(shop, "SELECT FROM user_addresses") == []
    with pytest.raises(NotFoundError):
        await shop.users.add_address(user_id, YORK, "shipping")


async def test_what_cannot_be_erased_is_refused(shop: Shop) -> None:
    user_id = (await registered(shop)).user.id
    with pytest.raises(NotFoundError):
        await shop.users.erase(UserId(uuid4()), by=None, reason="asked for it")
    for reason in ("", "  ", "x" * 1001):
        with pytest.raises(InvalidInputError, match="reason"):
            await shop.users.erase(user_id, by=None, reason=reason)
    assert await run(shop, "SELECT FROM erasure_log") == []


async def test_what_a_restore_brought_back_is_erased_again(shop: Shop) -> None:
    """As after a restore to a point before the erasure, with the log brought in again."""
    person, other = await ann(shop), await registered(shop)
    restored_to = datetime.now(UTC)
    log = "INSERT INTO erasure_log (user_id, reason, erased_at) VALUES (%(user)s, 'asked', %(at)s)"
    after = restored_to + timedelta(minutes=1)
    await run(shop, log, user=person.id, at=after)
    await run(shop, log, user=uuid4(), at=after)
    await run(shop, log, user=other.user.id, at=restored_to - timedelta(days=1))
    assert await shop.users.reapply_erasures(restored_to) == 1
    left = await everything(shop)
    assert [value for value in person.personal if value in left] == []
    assert (await shop.users.get(other.user.id)) == other.user
    assert await run(shop, "SELECT count(*) FROM erasure_log") == [(3,)]
    with pytest.raises(InvalidInputError, match="time zone"):
        await shop.users.reapply_erasures(datetime(2026, 1, 1))  # noqa: DTZ001
