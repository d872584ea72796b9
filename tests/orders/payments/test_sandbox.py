"""The sandbox itself: idempotent by key, honest about keys it does not know, kept in a file."""

from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from shopflow import ConfigurationError
from shopflow.orders.payments.gateway import Declined, Succeeded, Unknown
from shopflow.orders.payments.sandbox import Sandbox, from_environment
from shopflow.orders.payments.sandbox_server import SandboxServer
from tests.orders.payments.conftest import API_KEY, SECRET, client, totals

TEN = Decimal("10.00")


async def test_one_key_is_one_effect(server: SandboxServer) -> None:
    gateway = client(server)
    first = await gateway.authorize("a", amount=TEN, currency_code="USD", token="tok_visa")
    assert isinstance(first, Succeeded)
    assert await gateway.authorize("a", amount=TEN, currency_code="USD", token="tok_visa") == first
    assert await gateway.find("a") == first
    assert await gateway.find("b") is None
    other = await gateway.authorize("a", amount=TEN * 2, currency_code="USD", token="tok_visa")
    assert other == Declined("idempotency_key_reused")
    nowhere = await gateway.capture("c", authorization="x", amount=TEN, currency_code="USD")
    assert nowhere == Declined("unknown_authorization")
    assert totals(server) == [(10, 0, 0, 0)]
    await gateway.close()


async def test_a_wrong_api_key_says_nothing_about_the_payment(server: SandboxServer) -> None:
    gateway = Sandbox(server.url, api_key="wrong", webhook_secret=SECRET)
    asked = await gateway.authorize("a", amount=TEN, currency_code="USD", token="tok_visa")
    assert asked == Unknown("http_401")
    assert await gateway.find("a") == Unknown("http_401")
    await gateway.close()


async def test_a_page_that_is_not_found_is_no_unknown_key(server: SandboxServer) -> None:
    gateway = Sandbox(f"{server.url}/elsewhere", api_key=API_KEY, webhook_secret=SECRET)
    assert await gateway.find("a") == Unknown("http_404")
    await gateway.close()


async def test_its_books_outlive_it(tmp_path: Path) -> None:
    path = tmp_path / "books.json"
    answers = []
    for _ in range(2):
        server = SandboxServer(api_key=API_KEY, webhook_secret=SECRET, state=path)
        await server.start()
        gateway = client(server)
        answers.append(
            await gateway.authorize("a", amount=TEN, currency_code="USD", token="tok_visa")
        )
        await gateway.close()
        await server.stop()
    assert answers[0] == answers[1]
    assert totals(server) == [(10, 0, 0, 0)]


async def test_faults_are_planned_over_http(server: SandboxServer) -> None:
    gateway = client(server)
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        url = f"{server.url}/control/faults"
        async with session.post(url, json={"fault": "explode"}) as refused:
            assert refused.status == 400
        async with session.post(url, json={"fault": "error_after", "kind": "authorize"}) as done:
            assert done.status == 200
    asked = await gateway.authorize("a", amount=TEN, currency_code="USD", token="tok_visa")
    assert asked == Unknown("http_500")
    assert isinstance(await gateway.find("a"), Succeeded)
    await gateway.close()


def test_what_it_needs_is_named() -> None:
    with pytest.raises(ConfigurationError, match="SANDBOX_API_KEY, SANDBOX_WEBHOOK_SECRET"):
        from_environment({"SANDBOX_URL": "http://127.0.0.1:1"})
    with pytest.raises(ConfigurationError, match="must begin with http"):
        Sandbox("127.0.0.1", api_key="a", webhook_secret="b")
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        Sandbox("http://127.0.0.1", api_key="a", webhook_secret="")
