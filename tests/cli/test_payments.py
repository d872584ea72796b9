"""`shopflow payments recover` and `shopflow demo gateway`, run as a user runs them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import shopflow as package
from shopflow.orders.payments.sandbox import Sandbox
from shopflow.settings import Settings
from tests.catalogue import a_product
from tests.cli.conftest import SHOPFLOW, environment, shopflow
from tests.orders.conftest import order

pytestmark = pytest.mark.acceptance
SECRETS = {"SANDBOX_API_KEY": "test-api-key", "SANDBOX_WEBHOOK_SECRET": "test-webhook-secret"}
GATEWAYS = "shopflow.orders.payments.sandbox:from_environment"


@pytest.fixture
def sandbox_url(tmp_path: Path) -> Iterator[str]:
    """The sandbox as a process of its own, with its books in a file."""
    with subprocess.Popen(
        [SHOPFLOW, "demo", "gateway", "--port", "0", "--state", tmp_path / "books.json"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**SECRETS),
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("the sandbox is at http://127.0.0.1:"), said
        try:
            yield said.split()[-1]
        finally:
            process.terminate()
            process.wait(timeout=10)


async def a_lost_payment(settings: Settings, url: str) -> None:
    """Order, and have the capture's answer lost."""
    gateway = Sandbox(
        url, api_key="test-api-key", webhook_secret="test-webhook-secret", timeout=0.5
    )
    async with package.open(settings, gateways={"sandbox": gateway}) as shop:
        cart_id = await shop.carts.open(session_id="guest")
        await shop.carts.add(cart_id, await a_product(shop))
        placed = await shop.orders.place(order(cart_id))
        async with (
            gateway._open().post(
                f"{url}/control/faults",
                json={"fault": "timeout_after", "kind": "capture"},
                headers=gateway._headers,
            ) as planned,
        ):
            assert planned.status == 200
        done = await shop.orders.payments.pay(placed.id, gateway="sandbox", token="tok_visa")
        assert done.status == "unknown"


async def test_what_was_left_open_is_finished(settings: Settings, sandbox_url: str) -> None:
    await a_lost_payment(settings, sandbox_url)
    given = {
        **SECRETS,
        "SANDBOX_URL": sandbox_url,
        "SHOPFLOW_DATABASE_URL": settings.database_url or "",
    }
    recover = ("payments", "recover", "--older-than", "0s", "--gateways", GATEWAYS)
    young = shopflow("payments", "recover", "--json", SHOPFLOW_GATEWAYS=GATEWAYS, **given)
    assert json.loads(young.stdout)["operations"] == []
    for dry, after in ((("--dry-run",), "succeeded"), ((), "succeeded")):
        done = shopflow(*recover, *dry, "--json", **given)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["dry_run"] == bool(dry)
        assert (answer["events_applied"], answer["events_waiting"]) == (0, 0)
        (operation,) = answer["operations"]
        assert (operation["kind"], operation["before"], operation["action"]) == (
            "capture",
            "unknown",
            "recorded",
        )
        assert operation["after"] == after
    again = shopflow(*recover, **given)
    assert again.stdout == "0 operations looked at, 0 still open; events: 0 applied, 0 waiting\n"


async def test_without_its_gateway_it_stays_open(settings: Settings, sandbox_url: str) -> None:
    await a_lost_payment(settings, sandbox_url)
    given = {"SHOPFLOW_DATABASE_URL": settings.database_url or ""}
    done = shopflow("payments", "recover", "--older-than", "0s", **given)
    assert done.returncode == 1
    assert "no such gateway here" in done.stdout
    assert "1 operation looked at, 1 still open" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--gateways", "nowhere"), "gateways must be package.module:name, not 'nowhere'"),
        (("--gateways", "nowhere:x"), "gateways: nowhere:x cannot be imported"),
        (("--gateways", "shopflow:__version__"), "is a str, not a mapping"),
        (("--gateways", GATEWAYS), "SANDBOX_URL, SANDBOX_API_KEY, SANDBOX_WEBHOOK_SECRET"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    settings: Settings, arguments: tuple[str, ...], error: str
) -> None:
    done = shopflow(
        "payments", "recover", *arguments, SHOPFLOW_DATABASE_URL=settings.database_url or ""
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert error in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_gateway_without_secrets_does_not_start() -> None:
    done = shopflow("demo", "gateway", "--port", "0")
    assert done.returncode == 1
    assert "needs an api_key and a webhook_secret" in done.stderr
