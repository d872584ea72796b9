"""Delivery: every event, in order per order, also with failures in between and workers that die."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from shopflow import Shop
from shopflow.errors import InvalidInputError, NotFoundError
from shopflow.events import deliveries, signing, worker
from shopflow.events.backoff import MOST_ATTEMPTS
from shopflow.events.models import Event, OrderChange
from shopflow.events.sending import Sender
from shopflow.events.worker import Worker
from shopflow.postgres.conninfo import conninfo
from tests.catalogue import inserted, run
from tests.events.conftest import Receiver, an_order, change, events, states

LIFE = ["order.placed", "order.confirmed", "order.processing", "order.shipped", "order.delivered"]
# Makes what waits for a retry due at once.
HURRY = "UPDATE event_deliveries SET next_attempt_at = now() WHERE state = 'pending'"
SHOPFLOW = Path(sys.executable).with_name("shopflow")


async def lives(shop: Shop, orders: int) -> list[UUID]:
    """Orders that go from placed to delivered, all at the same time."""
    ids = [await an_order(shop) for _ in range(orders)]
    for status in ("confirmed", "processing", "shipped", "delivered"):
        for order_id in ids:
            await change(shop, order_id, status)
    return list(ids)


def by_order(receiver: Receiver) -> dict[str, list[str]]:
    """The types of the events taken, by order, without those that came again."""
    found: dict[str, list[str]] = defaultdict(list)
    seen = set()
    for document in receiver.taken:
        if document["id"] not in seen:
            found[document["aggregate_id"]].append(document["type"])
        seen.add(document["id"])
    return found


async def test_a_webhook_gets_what_happened_signed(shop: Shop, receiver: Receiver) -> None:
    made = await shop.events.add_webhook(receiver.url, ["order.*"], name="hook")
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed")
    done = await shop.events.worker(jobs=()).run_once()
    assert (done.delivered, done.failed, done.dead) == (2, 0, 0)
    first, second = receiver.requests
    assert [first.document["type"], second.document["type"]] == ["order.placed", "order.confirmed"]
    assert first.document["aggregate_id"] == str(order_id)
    assert first.document["data"]["total_amount"] == "20.00"
    assert first.headers["webhook-id"] == first.document["id"]
    assert first.headers["content-type"] == "application/json"
    now = int(first.headers["webhook-timestamp"])
    signing.verify(made.secret, first.headers, first.body, now=now)
    assert await states(shop) == [("delivered", 1), ("delivered", 1)]
    assert (await shop.events.worker(jobs=()).run_once()).delivered == 0


async def test_both_secrets_sign_while_one_is_changed(shop: Shop, receiver: Receiver) -> None:
    made = await shop.events.add_webhook(receiver.url, name="hook")
    new = await shop.events.rotate_secret("hook")
    await an_order(shop)
    await shop.events.worker(jobs=()).run_once()
    newest = await shop.events.rotate_secret("hook", change_over=0)
    await an_order(shop)
    await shop.events.worker(jobs=()).run_once()
    first, second = receiver.requests
    for secret, request in ((made.secret, first), (new, first), (newest, second)):
        now = int(request.headers["webhook-timestamp"])
        signing.verify(secret, request.headers, request.body, now=now)
    now = int(second.headers["webhook-timestamp"])
    with pytest.raises(signing.SignatureError):
        signing.verify(new, second.headers, second.body, now=now)


async def test_four_workers_keep_the_order_of_each_order_with_failures_in_between(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "pause_after", lambda *_: 0.02)
    await shop.events.add_webhook(receiver.url, ["order.*"])
    # Every third event fails once, every fifth twice.
    receiver.answer = lambda document, number: (
        500
        if number <= (document["position"] % 3 == 0) + 2 * (document["position"] % 5 == 0)
        else 200
    )
    workers = [shop.events.worker(jobs=(), concurrency=4) for _ in range(4)]
    running = [asyncio.create_task(each.run()) for each in workers]
    ids = await lives(shop, 12)
    await receiver.until(lambda: len(receiver.taken) >= 12 * len(LIFE))
    for each in workers:
        each.stop()
    await asyncio.gather(*running)
    assert by_order(receiver) == {str(order_id): LIFE for order_id in ids}
    assert receiver.overlaps == []
    assert len(receiver.taken) == 12 * len(LIFE)
    assert {state for state, _ in await states(shop)} == {"delivered"}
    assert max(attempts for _, attempts in await states(shop)) == 4


async def test_what_fails_holds_back_its_order_and_no_other(shop: Shop, receiver: Receiver) -> None:
    await shop.events.add_webhook(receiver.url)
    stuck, fine = await an_order(shop), await an_order(shop)
    receiver.answer = lambda document, _: 503 if document["aggregate_id"] == str(stuck) else 200
    await change(shop, stuck, "confirmed")
    done = await shop.events.worker(jobs=()).run_once()
    assert (done.delivered, done.failed) == (1, 1)
    # Written now, while the first waits for its next attempt.
    await change(shop, stuck, "processing")
    await change(shop, fine, "confirmed")
    assert (await shop.events.worker(jobs=()).run_once()).delivered == 1
    ((times,),) = await run(
        shop,
        "SELECT count(DISTINCT next_attempt_at) FROM event_deliveries WHERE state = 'pending'"
        " AND next_attempt_at > now()",
    )
    assert times == 1, "what waits behind it is looked at again and again"
    receiver.answer = lambda *_: 200
    await run(shop, HURRY)
    await shop.events.worker(jobs=()).run_once()
    assert by_order(receiver)[str(stuck)] == LIFE[:3]


async def test_dead_letters_are_out_of_the_way_listed_and_retried(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.events.add_webhook(receiver.url + "/hidden-token", name="hook")
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed")
    receiver.answer = lambda document, _: 500 if document["type"] == "order.placed" else 200
    for _ in range(MOST_ATTEMPTS):
        done = await shop.events.worker(jobs=()).run_once()
        await run(shop, HURRY)
    assert (done.delivered, done.dead) == (1, 1)
    (letter,) = await shop.events.dead("hook")
    assert (letter.attempts, letter.last_status, letter.last_error) == (12, 500, "answered 500")
    assert (letter.event_type, letter.aggregate_id) == ("order.placed", order_id)
    assert "hidden-token" not in repr(letter)
    ((consumer),) = await shop.events.consumers()
    assert (consumer.pending, consumer.dead) == (0, 1)
    with pytest.raises(NotFoundError, match="no such event consumer: other"):
        await shop.events.retry("other")
    assert await shop.events.retry("hook", letter.event_id) == 1
    receiver.answer = lambda *_: 200
    assert (await shop.events.worker(jobs=()).run_once()).delivered == 1
    assert await shop.events.dead() == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, "answered 404"),
        (302, "answered 302, a redirect, which is not followed"),
    ],
)
async def test_only_2xx_is_taken(shop: Shop, receiver: Receiver, status: int, error: str) -> None:
    await shop.events.add_webhook(receiver.url)
    receiver.answer = lambda *_: status
    receiver.headers = {"Location": receiver.url, "Retry-After": "3600"}
    await an_order(shop)
    assert (await shop.events.worker(jobs=()).run_once()).failed == 1
    assert len(receiver.requests) == 1
    row = await run(
        shop,
        "SELECT last_status, last_error, next_attempt_at > now() + interval '50 minutes'"
        " FROM event_deliveries",
    )
    assert row == [(status, error, True)]


async def test_gone_switches_the_webhook_off(shop: Shop, receiver: Receiver) -> None:
    await shop.events.add_webhook(receiver.url, name="hook")
    receiver.answer = lambda *_: 410
    await an_order(shop)
    await shop.events.worker(jobs=()).run_once()
    (consumer,) = await shop.events.consumers()
    assert (consumer.is_active, consumer.inactive_reason) == (False, "answered 410")
    await run(shop, HURRY)
    await an_order(shop)
    await shop.events.worker(jobs=()).run_once()
    assert len(receiver.requests) == 1
    receiver.answer = lambda *_: 200
    await shop.events.switch("hook", on=True)
    assert (await shop.events.worker(jobs=()).run_once()).delivered == 1


async def test_nobody_there_and_nobody_answering(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "Sender", lambda: Sender(timeout=0.2))
    receiver.hold = asyncio.Event()
    await shop.events.add_webhook("http://127.0.0.1:1/secret-path", name="nobody")
    await shop.events.add_webhook(receiver.url, name="silent")
    await an_order(shop)
    assert (await shop.events.worker(jobs=()).run_once()).failed == 2
    rows = await run(shop, "SELECT last_error FROM event_deliveries ORDER BY last_error")
    assert rows[0] == ("no answer within 0.2 s",)
    assert rows[1][0].startswith("no connection: ")
    assert "secret-path" not in rows[1][0]


async def test_a_python_consumer(shop: Shop) -> None:
    found = shop.events.worker(jobs=())
    seen: list[Event] = []
    failures = 1

    @found.consumer("books", ["order.*"])
    async def book(event: Event) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise ValueError("a secret of the handler")
        seen.append(event)

    with pytest.raises(InvalidInputError, match="another consumer"):
        found.consumer("books")
    await found.run_once()
    order_id = await an_order(shop)
    done = await found.run_once()
    assert (done.delivered, done.failed) == (0, 1)
    assert await run(shop, "SELECT last_error FROM event_deliveries") == [("ValueError",)]
    await run(shop, HURRY)
    await found.run_once()
    (event,) = seen
    assert (event.event_type, event.aggregate_id, event.attempt) == ("order.placed", order_id, 2)
    assert isinstance(event.change, OrderChange)
    assert event.change.status == "pending"
    # Kept for it, and by a worker without it not taken.
    await change(shop, order_id, "confirmed")
    assert (await shop.events.worker(jobs=()).run_once()).delivered == 0
    assert (await found.run_once()).delivered == 1


async def test_a_handler_that_hangs_is_ended(shop: Shop) -> None:
    found = shop.events.worker(jobs=())

    @found.consumer("slow", time_limit=0.05)
    async def slow(_event: Event) -> None:
        await asyncio.Event().wait()

    await found.run_once()
    await an_order(shop)
    assert (await found.run_once()).failed == 1
    rows = await run(shop, "SELECT last_error FROM event_deliveries")
    assert rows == [("took longer than 0.05 s",)]


async def test_a_consumer_cannot_have_the_name_of_a_webhook(shop: Shop, receiver: Receiver) -> None:
    await shop.events.add_webhook(receiver.url, name="hook")
    found = shop.events.worker(jobs=())
    found.consumer("hook")(lambda _: asyncio.sleep(0))
    with pytest.raises(InvalidInputError, match="name of a webhook"):
        await found.run_once()


async def the_consumer(shop: Shop) -> deliveries.ActiveConsumer:
    async with shop.pool.connection() as connection:
        (found,) = await deliveries.active_consumers(connection, ["test"])
    return found


async def a_python_consumer(shop: Shop) -> deliveries.ActiveConsumer:
    await run(shop, "INSERT INTO event_consumers (name, kind) VALUES ('test', 'python')")
    return await the_consumer(shop)


async def test_claiming_is_exclusive_and_one_an_order(shop: Shop) -> None:
    """Eight sessions claim at once, again and again: none gets what another has."""
    consumer = await a_python_consumer(shop)
    await lives(shop, 10)
    dsn = conninfo(shop.settings)

    async def claim_all() -> list[deliveries.Delivery]:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            connection.adapters.register_loader("jsonb", _Bytes)
            taken: list[deliveries.Delivery] = []
            while got := await deliveries.claim(
                connection, consumer, lease=uuid4(), seconds=60, limit=2
            ):
                taken += got
            return taken

    claims = [
        each for some in await asyncio.gather(*(claim_all() for _ in range(8))) for each in some
    ]
    assert sorted(each.event.event_type for each in claims) == ["order.placed"] * 10
    assert len({each.event.aggregate_id for each in claims}) == 10


class _Bytes(psycopg.adapt.Loader):
    def load(self, data: psycopg.abc.Buffer) -> bytes:
        return bytes(data)


async def test_a_claim_under_way_hides_what_comes_after_it(shop: Shop) -> None:
    """One session has claimed the first and not committed: the next of that order is not taken."""
    consumer = await a_python_consumer(shop)
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed")
    async with shop.pool.connection() as first, shop.pool.connection() as second:
        async with first.transaction():
            got = await deliveries.claim(first, consumer, lease=uuid4(), seconds=60, limit=9)
            assert [each.event.event_type for each in got] == ["order.placed"]
            args = {"lease": uuid4(), "seconds": 60, "limit": 9}
            assert await deliveries.claim(second, consumer, **args) == []  # type: ignore[arg-type]
        assert await deliveries.claim(second, consumer, **args) == []  # type: ignore[arg-type]
        assert await deliveries.record(first, got[0], deliveries.Outcome(200), None) == "delivered"
        (after,) = await deliveries.claim(second, consumer, **args)  # type: ignore[arg-type]
        assert after.event.event_type == "order.confirmed"


async def test_a_lease_that_ran_out_is_anothers(shop: Shop) -> None:
    consumer = await a_python_consumer(shop)
    await an_order(shop)
    async with shop.pool.connection() as connection:
        (old,) = await deliveries.claim(connection, consumer, lease=uuid4(), seconds=0, limit=1)
        (new,) = await deliveries.claim(connection, consumer, lease=uuid4(), seconds=60, limit=1)
        assert (old.event.attempt, new.event.attempt) == (1, 2)
        ok = deliveries.Outcome(200)
        assert await deliveries.record(connection, old, ok, None) is None
        await deliveries.release(connection, old)
        assert await deliveries.record(connection, new, ok, None) == "delivered"


async def test_what_kills_its_worker_each_time_is_given_up(shop: Shop, receiver: Receiver) -> None:
    await shop.events.add_webhook(receiver.url)
    await an_order(shop)
    await run(shop, "UPDATE event_deliveries SET attempts = 12")
    assert (await shop.events.worker(jobs=()).run_once()).dead == 1
    assert receiver.requests == []


async def test_an_idle_worker_is_woken_at_once(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With polls a minute apart only the notification can bring it in time."""
    monkeypatch.setattr(worker, "POLL", 60.0)
    await shop.events.add_webhook(receiver.url)
    found = shop.events.worker(jobs=())
    running = asyncio.create_task(found.run())
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
    async with asyncio.timeout(10):
        while await run(shop, f"{held} AND granted") != [(1,)]:
            await asyncio.sleep(0.01)
    order_id = await an_order(shop)
    await receiver.until(lambda: len(receiver.requests) == 1, within=10)
    await change(shop, order_id, "confirmed")
    await receiver.until(lambda: len(receiver.requests) == 2, within=10)
    found.stop()
    await running


async def test_a_worker_told_to_stop_finishes_what_is_under_way(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.events.add_webhook(receiver.url)
    receiver.hold = asyncio.Event()
    order_id = await an_order(shop)
    await change(shop, order_id, "confirmed")
    found = shop.events.worker(jobs=())
    running = asyncio.create_task(found.run())
    await receiver.until(lambda: len(receiver.requests) == 1)
    found.stop()
    receiver.hold.set()
    await running
    assert await states(shop) == [("delivered", 1), ("pending", 0)]


async def test_a_worker_that_is_cancelled_gives_back_what_it_has(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.events.add_webhook(receiver.url)
    receiver.hold = asyncio.Event()
    await an_order(shop)
    running = asyncio.create_task(shop.events.worker(jobs=()).run())
    await receiver.until(lambda: len(receiver.requests) == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    rows = await run(shop, "SELECT state, attempts, lease FROM event_deliveries")
    assert rows == [("pending", 0, None)]


async def test_a_worker_outlives_the_loss_of_its_connections(
    shop: Shop, receiver: Receiver, admin: psycopg.Connection
) -> None:
    await shop.events.add_webhook(receiver.url)
    found = shop.events.worker(jobs=())
    running = asyncio.create_task(found.run())
    await an_order(shop)
    await receiver.until(lambda: len(receiver.requests) == 1)
    admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %(name)s",
        {"name": (shop.settings.database_url or "").split("?")[0].rpartition("/")[2]},
    )
    await an_order(shop)
    await receiver.until(lambda: len({r.document["id"] for r in receiver.requests}) == 2)
    found.stop()
    await running


def _start(shop: Shop) -> subprocess.Popen[bytes]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SHOPFLOW_", "PG"))}
    url = str(shop.settings.database_url)
    return subprocess.Popen(
        [SHOPFLOW, "worker"], env=kept | {"SHOPFLOW_DATABASE_URL": url}, stderr=subprocess.DEVNULL
    )


async def test_of_two_workers_one_is_killed_and_nothing_is_lost(
    shop: Shop, receiver: Receiver
) -> None:
    """SIGKILL while requests are under way; its leases, which last a minute, are made to run out."""
    await shop.events.add_webhook(receiver.url, ["order.*"])
    ids = await lives(shop, 20)
    receiver.hold = asyncio.Event()
    victim = _start(shop)
    try:
        # All it may have at once, and none of them answered.
        await receiver.until(lambda: len(receiver.requests) == 8)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    receiver.hold.set()
    rows = await run(shop, "SELECT count(*) FROM event_deliveries WHERE lease IS NOT NULL")
    assert rows == [(8,)]
    other = _start(shop)
    try:
        await receiver.until(lambda: len({d["aggregate_id"] for d in receiver.taken}) == 20)
        await run(shop, "UPDATE event_deliveries SET leased_until = now() WHERE lease IS NOT NULL")
        await receiver.until(
            lambda: len({d["id"] for d in receiver.taken}) == 20 * len(LIFE), within=60
        )
    finally:
        other.send_signal(signal.SIGTERM)
        assert other.wait(timeout=60) == 0
    assert by_order(receiver) == {str(order_id): LIFE for order_id in ids}
    assert {state for state, _ in await states(shop)} == {"delivered"}


async def test_removing_a_consumer_removes_what_waits_for_it(
    shop: Shop, receiver: Receiver
) -> None:
    await shop.events.add_webhook(receiver.url, name="hook")
    await an_order(shop)
    assert await states(shop) == [("pending", 0)]
    await shop.events.remove("hook")
    assert await states(shop) == []
    assert await events(shop) == ["order.placed"]


async def test_a_worker_needs_room(shop: Shop) -> None:
    with pytest.raises(InvalidInputError, match="concurrency"):
        Worker(shop.pool, concurrency=0)


async def test_a_shops_own_kind_of_event_is_delivered(shop: Shop) -> None:
    found = shop.events.worker(jobs=())
    seen: list[Event] = []

    @found.consumer("all")
    async def note(event: Event) -> None:
        seen.append(event)

    await found.run_once()
    columns = {"aggregate_type": "gift_card", "aggregate_id": uuid4()}
    await inserted(shop, "outbox_events", columns | {"event_type": "gift_card.sold"})
    await found.run_once()
    assert [(event.event_type, event.change) for event in seen] == [("gift_card.sold", None)]
