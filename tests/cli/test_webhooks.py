"""`shopflow webhooks` and `shopflow worker`, as their user runs them."""

from pathlib import Path

import msgspec
import psycopg
import pytest

from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings
from tests.cli.conftest import Run, shopflow

URL = "http://127.0.0.1:1/hook"


@pytest.fixture
def url(settings: Settings) -> str:
    return str(settings.database_url)


def test_from_adding_to_removing(inside: Run, settings: Settings, url: str) -> None:
    def run(*arguments: str) -> str:
        done = inside(*arguments, SHOPFLOW_DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    made = msgspec.json.decode(
        run("webhooks", "add", URL, "--events", "order.placed", "--events", "refund.*", "--json")
    )
    assert made["name"] == "127.0.0.1"
    assert made["event_types"] == ["order.placed", "refund.*"]
    listed = run("webhooks", "list", "--json")
    assert made["secret"] not in listed
    assert made["secret"] not in run("webhooks", "list")
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
            " VALUES ('EUR', 0, 0, 'a@example.com')"
        )
        once = msgspec.json.decode(run("worker", "--once", "--json"))
        assert (once["delivered"], once["failed"]) == (0, 1)
        assert once["jobs"] == dict.fromkeys(
            (
                "clean_accounts",
                "count_sales",
                "count_search_words",
                "expire_authorizations:manual",
                "expire_carts",
                "expire_events",
                "expire_unpaid_orders",
                "recover_payments:manual",
                "run_due_bulk_changes",
                "refresh_popularity",
                "refresh_search",
            ),
            0,
        )
        connection.execute("UPDATE event_deliveries SET attempts = 11, next_attempt_at = now()")
        assert "given up   1" in run("worker", "--once")
    (letter,) = msgspec.json.decode(run("webhooks", "dead", "--json"))
    assert letter["last_error"].startswith("no connection")
    assert "order.placed" in run("webhooks", "dead", "127.0.0.1")
    assert (
        run("webhooks", "retry", "--event", letter["event_id"]) == "1 event will be tried again\n"
    )
    rotated = msgspec.json.decode(run("webhooks", "rotate", "127.0.0.1", "--json"))
    assert rotated["secret"] != made["secret"]
    run("webhooks", "disable", "127.0.0.1")
    assert "\toff\t" in run("webhooks", "list")
    run("webhooks", "enable", "127.0.0.1")
    run("webhooks", "remove", "127.0.0.1")
    assert run("webhooks", "list", "--json") == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "https://ann:hunter2@hook.example"), "url: must not hold a user name or password"),
        (("add", URL, "--events", "order.palced"), "is order.placed meant?"),
        (("remove", "nobody"), "no such event consumer: nobody"),
        (("rotate", "nobody"), "no such event consumer: nobody"),
        (("dead", "nobody"), "no such event consumer: nobody"),
        (("retry", "nobody"), "no such event consumer: nobody"),
    ],
)
def test_what_is_refused(inside: Run, url: str, arguments: tuple[str, ...], said: str) -> None:
    done = inside("webhooks", *arguments, SHOPFLOW_DATABASE_URL=url)
    assert done.returncode == 1
    assert said in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.acceptance
def test_a_name_is_there_once(url: str) -> None:
    assert shopflow("webhooks", "add", URL, SHOPFLOW_DATABASE_URL=url).returncode == 0
    again = shopflow("webhooks", "add", URL, SHOPFLOW_DATABASE_URL=url)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == (
        "error: another consumer of events is called 127.0.0.1: give this one a name of its own\n"
    )


CONSUMERS = """
def add(worker):
    @worker.consumer("books", ["order.placed"])
    async def book(event):
        print("booked", event.change.total_amount)
"""


def test_the_worker_has_the_consumers_that_it_is_given(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "my_consumers.py").write_text(CONSUMERS)
    given = {"SHOPFLOW_DATABASE_URL": settings.database_url or "", "PYTHONPATH": tmp_path}
    worker = ("worker", "--once", "--consumers", "my_consumers:add")
    assert shopflow(*worker, **given).returncode == 0
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO orders (currency_code, subtotal, total_amount, customer_email)"
            " VALUES ('EUR', 7, 7, 'a@example.com')"
        )
    done = shopflow(*worker, **given)
    assert "booked 7.00" in done.stdout, done.stderr
    assert "delivered" in done.stdout
    refused = shopflow("worker", "--once", "--consumers", "shopflow:__version__", **given)
    assert "consumers: shopflow:__version__ is a str, not a function" in refused.stderr
