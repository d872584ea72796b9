"""The state machine in Python is the one in the database."""

from typing import get_args

from shopflow import Shop
from shopflow.orders.states import (
    STEPS,
    FulfillmentStatus,
    PaymentStatus,
    Status,
    may_step,
)
from tests.catalogue import run


async def test_the_steps_are_those_of_the_database(shop: Shop) -> None:
    ours = {(before, after) for before, allowed in STEPS.items() for after in allowed}
    theirs = set(await run(shop, "SELECT from_status, to_status FROM order_status_steps()"))
    assert ours == theirs
    assert set(STEPS) == set(get_args(Status))


async def test_the_statuses_are_those_of_the_database(shop: Shop) -> None:
    for column, statuses in {
        "status": Status,
        "payment_status": PaymentStatus,
        "fulfillment_status": FulfillmentStatus,
    }.items():
        rows = await run(
            shop,
            "SELECT (regexp_matches(pg_get_constraintdef(oid), '''(\\w+)''', 'g'))[1]"
            " FROM pg_constraint WHERE conname = %(name)s",
            name=f"orders_{column}_check",
        )
        assert {status for (status,) in rows} == set(get_args(statuses))


def test_a_step_is_allowed_or_not() -> None:
    assert may_step("pending", "confirmed")
    assert not may_step("confirmed", "pending")
    assert not may_step("pending", "pending")
