"""A program is killed while it pays: recovery finishes what it began, and nothing is charged twice.

What becomes of a worker's leases is in tests/events/test_worker.py.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import psutil
import pytest

import shopflow
from shopflow import Shop
from shopflow.orders.payments.gateway import Kind
from shopflow.orders.payments.sandbox_server import Fault
from shopflow.settings import Settings
from tests.acid.payer import Task
from tests.acid.world import Gateway
from tests.catalogue import a_product, run
from tests.orders.conftest import Filled, order
from tests.orders.payments.conftest import VISA, client, consistent, totals

ALL = Decimal("40.00")
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    found = Gateway()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def shop(settings: Settings, gateway: Gateway) -> AsyncIterator[Shop]:
    async with shopflow.open(settings, gateways={"sandbox": client(gateway)}) as found:
        yield found


@pytest.mark.parametrize("kind", ["authorize", "capture"])
@pytest.mark.parametrize("fault", ["late", "timeout_after", "timeout_before"])
async def test_a_program_killed_while_the_gateway_is_at_it(
    shop: Shop, gateway: Gateway, filled: Filled, kind: Kind, fault: Fault
) -> None:
    cart_id = await filled((await a_product(shop), None, 2))
    order_id = (await shop.orders.place(order(cart_id))).id
    gateway.fail_next(fault, kind)
    task = Task(shop.settings.database_url or "", gateway.url, [order_id])
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.acid.payer", stdin=PIPE, cwd=ROOT
    )
    assert program.stdin is not None
    program.stdin.write(msgspec.json.encode(task))
    program.stdin.close()
    while await gateway.arrived.get() != kind:
        pass
    psutil.Process(program.pid).kill()
    assert await program.wait() == -9
    await gateway.calm()
    await shop.orders.payments.recover(older_than=0)
    if (kind, fault) == ("authorize", "timeout_before"):
        # Nothing had happened, and the card's token was the customer's alone: pay again.
        assert (await shop.orders.get(order_id)).payment_status == "unpaid"
        assert totals(gateway) == []
        await shop.orders.payments.pay(order_id, gateway="sandbox", token=VISA)
    assert totals(gateway) == [(ALL, ALL, 0, 0)]
    found = await shop.orders.get(order_id)
    assert (found.status, found.payment_status) == ("confirmed", "paid")
    await consistent(shop)
    assert (await shop.orders.payments.recover(older_than=0)).operations == ()
    # The customer's browser asks again.
    assert (await run(shop, "SELECT sum(captured_amount) FROM payments")) == [(ALL,)]
