"""The whole path with the rights of the app role, and what it and the others may not do."""

from collections.abc import AsyncIterator

import msgspec
import psycopg
import pytest
from psycopg import errors

import shopflow
from shopflow import Shop
from shopflow.postgres import roles
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.roles import Kind
from shopflow.settings import Settings
from tests.catalogue import run
from tests.events.conftest import Receiver, an_order, change, states
from tests.postgres.test_roles import as_superuser


@pytest.fixture
async def shop(settings: Settings) -> AsyncIterator[Shop]:
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        roles.create(connection, settings)
    app = msgspec.structs.replace(settings, database_role=roles.name_of(settings, "app"))
    async with shopflow.open(app) as found:
        yield found


async def test_from_the_webhook_to_the_dead_letter(shop: Shop, receiver: Receiver) -> None:
    await shop.events.add_webhook(receiver.url, name="hook")
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed")
    receiver.answer = lambda document, _: 500 if document["type"] == "order.confirmed" else 200
    done = await shop.events.worker().run_once()
    assert (done.delivered, done.failed) == (1, 1)
    assert done.jobs == dict.fromkeys([job.name for job in shop.events.standard_jobs()], 0)
    await run(shop, "UPDATE event_deliveries SET attempts = 11, next_attempt_at = now()")
    assert (await shop.events.worker().run_once()).dead == 1
    assert await shop.events.retry("hook") == 1
    await shop.events.rotate_secret("hook")
    await shop.events.switch("hook", on=False)
    await shop.events.remove("hook")
    assert await states(shop) == []


REFUSED: list[tuple[Kind, str]] = [
    ("app", "UPDATE outbox_events SET payload = '{}'"),
    ("app", "DELETE FROM outbox_events"),
    (
        "app",
        "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type)"
        " VALUES ('order', uuidv7(), 'order.placed')",
    ),
    ("app", "DELETE FROM event_deliveries"),
    (
        "app",
        "INSERT INTO event_deliveries (consumer_id, event_id, aggregate_id, position)"
        " VALUES (uuidv7(), uuidv7(), uuidv7(), 1)",
    ),
    ("readonly", "SELECT secret FROM event_consumers"),
    ("readonly", "SELECT previous_secret FROM event_consumers"),
    ("readonly", "SELECT url FROM event_consumers"),
    ("readonly", "SELECT expire_events('1 day', '1 day', 1)"),
    ("monitor", "SELECT expire_events('1 day', '1 day', 1)"),
    ("monitor", "SELECT name FROM event_consumers"),
]


@pytest.mark.parametrize(("kind", "statement"), REFUSED)
async def test_is_refused(shop: Shop, kind: Kind, statement: str) -> None:
    name = roles.name_of(shop.settings, kind)
    as_kind = conninfo(msgspec.structs.replace(shop.settings, database_role=name))
    with psycopg.connect(as_kind) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


async def test_the_app_cannot_hide_what_it_does(shop: Shop) -> None:
    """To say that something happened elsewhere and before is for the owner."""
    order_id = await an_order(shop)
    async with shop.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL shopflow.occurred_at = '2020-01-01'")
        await connection.execute(
            "INSERT INTO payments (order_id, amount, payment_method) VALUES (%(id)s, 20, 'card')",
            {"id": order_id},
        )
    rows = await run(shop, "SELECT event_type FROM outbox_events ORDER BY position")
    assert rows == [("order.placed",), ("payment.pending",)]
