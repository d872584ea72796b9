"""Authorizing, capturing, voiding and refunding at a gateway that answers."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import OrderId, PaymentId
from shopflow.orders.payments.errors import (
    PaymentAmountError,
    PaymentKeyTakenError,
    PaymentRefusedError,
)
from shopflow.orders.payments.sandbox_server import SandboxServer
from tests.catalogue import a_user, run
from tests.orders.payments.conftest import (
    Placed,
    authorized,
    consistent,
    operations,
    paid,
    totals,
)

ALL, TEN = Decimal("40.00"), Decimal("10.00")
TWENTY, THIRTY = TEN * 2, TEN * 3


async def test_an_order_is_paid_and_confirmed(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id, actor = await placed(), await a_user(shop)
    done = await shop.orders.payments.pay(
        order_id, gateway="sandbox", token="tok_visa", actor=actor
    )
    assert (done.kind, done.status, done.payment_status) == ("capture", "succeeded", "captured")
    assert totals(server) == [(ALL, ALL, 0, 0)]
    found = await shop.orders.get(order_id)
    assert (found.status, found.payment_status) == ("confirmed", "paid")
    (payment,) = found.payments
    assert (payment.captured_amount, payment.card_brand, payment.card_last_four) == (
        ALL,
        "visa",
        "4242",
    )
    last = found.status_history[-1]
    assert (last.status, last.notes, last.created_by) == ("confirmed", "paid by card", actor)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("tok_declined", "card_declined"),
        ("tok_insufficient_funds", "insufficient_funds"),
        ("tok_expired_card", "expired_card"),
        ("4242424242424242", "invalid_token"),
    ],
)
async def test_a_declined_card_leaves_the_order_to_be_paid(
    shop: Shop, server: SandboxServer, placed: Placed, token: str, code: str
) -> None:
    order_id = await placed()
    done = await shop.orders.payments.pay(order_id, gateway="sandbox", token=token)
    assert (done.kind, done.status, done.error_code) == ("authorize", "declined", code)
    assert (done.payment_status, done.order_status, done.order_payment_status) == (
        "failed",
        "pending",
        "unpaid",
    )
    assert totals(server) == []
    await paid(shop, order_id, "tok_mastercard")
    kept = await run(
        shop, "SELECT * FROM payments JOIN payment_operations ON payment_id = payments.id"
    )
    assert token not in str(kept)


async def test_a_declined_capture_gives_the_authorization_up(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    done = await shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_capture_declined")
    assert (done.kind, done.status, done.payment_status) == ("capture", "declined", "voided")
    assert totals(server) == [(ALL, 0, ALL, 0)]
    await paid(shop, order_id)


async def test_an_authorization_is_captured_in_parts_and_the_rest_voided(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    payment_id = await authorized(shop, order_id)
    payments = shop.orders.payments
    assert (await shop.orders.get(order_id)).payment_status == "authorized"
    first = await payments.capture(payment_id, amount=TEN)
    assert (first.order_status, first.order_payment_status) == ("pending", "partially_paid")
    with pytest.raises(PaymentAmountError, match=r"30\.01 is more than the 30\.00 left"):
        await payments.capture(payment_id, amount=Decimal("30.01"))
    await payments.capture(payment_id, amount=TEN)
    rest = await payments.void(payment_id)
    assert (rest.payment_status, rest.captured_amount, rest.voided_amount) == (
        "captured",
        TWENTY,
        TWENTY,
    )
    assert totals(server) == [(ALL, 20, 20, 0)]
    with pytest.raises(PaymentRefusedError, match=r"captured, with 0\.00 left to capture"):
        await payments.capture(payment_id)
    # The other half may now be paid otherwise.
    other = await payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert (other.amount, other.order_status, other.order_payment_status) == (
        TWENTY,
        "confirmed",
        "paid",
    )
    await consistent(shop)


async def test_a_voided_order_is_unpaid_again(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    done = await shop.orders.payments.void(await authorized(shop, order_id))
    assert (done.payment_status, done.order_payment_status) == ("voided", "unpaid")
    with pytest.raises(PaymentRefusedError, match="voided"):
        await shop.orders.payments.void(done.payment_id)


async def test_refunds_in_parts(shop: Shop, server: SandboxServer, placed: Placed) -> None:
    order_id = await placed()
    payment_id = await paid(shop, order_id)
    payments = shop.orders.payments
    done = await payments.refund(payment_id, amount=TEN, reason="one was broken")
    assert (done.status, done.order_status, done.order_payment_status) == (
        "succeeded",
        "confirmed",
        "partially_refunded",
    )
    with pytest.raises(PaymentAmountError, match=r"30\.01 is more than the 30\.00 captured"):
        await payments.refund(payment_id, amount=Decimal("30.01"))
    done = await payments.refund(payment_id)
    assert (done.amount, done.order_status, done.order_payment_status) == (
        THIRTY,
        "confirmed",
        "refunded",
    )
    with pytest.raises(PaymentRefusedError, match=r"0\.00 left to refund"):
        await payments.refund(payment_id)
    assert totals(server) == [(ALL, ALL, 0, ALL)]
    found = await shop.orders.get(order_id)
    assert [(each.amount, each.status, each.reason) for each in found.refunds] == [
        (TEN, "succeeded", "one was broken"),
        (THIRTY, "succeeded", None),
    ]


async def test_the_last_refund_closes_the_order_when_asked(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    payment_id = await paid(shop, order_id)
    first = await shop.orders.payments.refund(payment_id, amount=TEN, close_order=True)
    assert first.order_status == "confirmed"
    last = await shop.orders.payments.refund(payment_id, close_order=True)
    assert (last.order_status, last.order_payment_status) == ("refunded", "refunded")


async def test_a_declined_refund_frees_what_it_held(shop: Shop, placed: Placed) -> None:
    payment_id = await paid(shop, await placed(), "tok_refund_declined")
    for _ in range(2):
        done = await shop.orders.payments.refund(payment_id)
        assert (done.status, done.error_code) == ("declined", "refund_declined")
        assert (done.amount, done.order_payment_status) == (ALL, "paid")
    assert await run(shop, "SELECT DISTINCT status FROM refunds") == [("failed",)]


async def test_an_order_is_refunded_whichever_payments_it_was(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    payments = shop.orders.payments
    for amount in (TEN, ALL - TEN):
        await payments.pay(order_id, gateway="sandbox", token="tok_visa", amount=amount)
    for _ in range(2):  # with the same key: once
        done = await payments.refund_order(order_id, amount=Decimal(35), idempotency_key="back")
        assert [(each.amount, each.status) for each in done] == [
            (THIRTY, "succeeded"),
            (Decimal(5), "succeeded"),
        ]
    assert totals(server) == [(10, 10, 0, 5), (30, 30, 0, 30)]
    with pytest.raises(PaymentKeyTakenError):
        await payments.refund_order(order_id, amount=Decimal(36), idempotency_key="back")
    with pytest.raises(PaymentAmountError, match=r"6\.00 is more than the 5\.00"):
        await payments.refund_order(order_id, amount=Decimal(6))
    await consistent(shop)


async def test_manual_payments_are_what_staff_says(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    payments = shop.orders.payments
    expected = await payments.authorize(order_id, gateway="manual", method="bank_transfer")
    assert expected.order_payment_status == "authorized"
    part = await payments.capture(expected.payment_id, amount=TEN)
    assert part.order_payment_status == "partially_paid"
    full = await payments.capture(expected.payment_id)
    assert (full.order_status, full.order_payment_status) == ("confirmed", "paid")
    assert (await payments.refund(expected.payment_id)).order_payment_status == "refunded"


async def test_what_was_marked_paid_can_be_refunded(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    payment_id = await shop.orders.mark_paid(order_id, amount=ALL, method="cash")
    done = await shop.orders.payments.refund(payment_id)
    assert (done.status, done.order_payment_status) == ("succeeded", "refunded")
    await consistent(shop)


async def test_a_payment_recorded_as_it_was_can_be_refunded(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    await run(
        shop,
        "INSERT INTO payments (order_id, amount, captured_amount, status, captured_at, payment_method) "
        "SELECT id, 40, 40, 'captured', now(), 'card' FROM orders",
    )
    (done,) = await shop.orders.payments.refund_order(order_id, amount=TEN)
    assert (done.status, done.order_payment_status) == ("succeeded", "partially_refunded")


async def test_the_same_key_is_the_same_payment_however_many_ask(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    calls = [
        shop.orders.payments.pay(
            order_id, gateway="sandbox", token="tok_visa", idempotency_key="pay"
        )
        for _ in range(4)
    ]
    done = await asyncio.gather(*calls)
    assert {each.operation_id for each in done} == {done[0].operation_id}
    assert {each.status for each in done} == {"succeeded"}
    assert totals(server) == [(ALL, ALL, 0, 0)]
    assert len(await operations(shop)) == 2


async def test_another_request_with_a_used_key_is_refused(shop: Shop, placed: Placed) -> None:
    first, second = await placed(), await placed()
    payments = shop.orders.payments
    done = await payments.authorize(
        first, gateway="sandbox", token="tok_visa", idempotency_key="key"
    )
    with pytest.raises(PaymentKeyTakenError, match="'key' has been used"):
        await payments.authorize(second, gateway="sandbox", token="tok_visa", idempotency_key="key")
    with pytest.raises(PaymentKeyTakenError):
        await payments.authorize(
            first, gateway="sandbox", token="tok_visa", amount=TEN, idempotency_key="key"
        )
    with pytest.raises(PaymentKeyTakenError):
        await payments.capture(done.payment_id, idempotency_key="key")
    assert [each[0] for each in await operations(shop)] == ["authorize"]


async def test_two_clicks_on_pay_are_one_charge(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    order_id = await placed()
    calls = [
        shop.orders.payments.pay(order_id, gateway="sandbox", token="tok_visa") for _ in range(4)
    ]
    done = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in done if isinstance(each, PaymentRefusedError)]
    assert len(refused) == 3
    assert "all is under way" in str(refused[0])
    assert totals(server) == [(ALL, ALL, 0, 0)]


async def test_two_captures_at_once_stay_within_the_amount(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    payment_id = await authorized(shop, await placed())
    calls = [shop.orders.payments.capture(payment_id, amount=Decimal(15)) for _ in range(4)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in done].count(PaymentAmountError) == 2
    assert totals(server) == [(ALL, 30, 0, 0)]
    await consistent(shop)


async def test_two_refunds_at_once_stay_within_what_was_captured(
    shop: Shop, server: SandboxServer, placed: Placed
) -> None:
    payment_id = await paid(shop, await placed())
    calls = [shop.orders.payments.refund(payment_id, amount=Decimal(15)) for _ in range(4)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in done].count(PaymentAmountError) == 2
    assert totals(server) == [(ALL, ALL, 0, 30)]
    await consistent(shop)


async def test_what_cannot_be_is_refused(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    payments = shop.orders.payments
    for amount in ("0", "-1", "NaN", "Infinity", "1.001", "99999999999"):
        with pytest.raises(InvalidInputError, match=r"^amount: "):
            await payments.pay(
                order_id, gateway="sandbox", token="tok_visa", amount=Decimal(amount)
            )
    with pytest.raises(PaymentAmountError, match=r"40\.01 is more than the 40\.00 left to pay"):
        await payments.pay(order_id, gateway="sandbox", token="tok_visa", amount=Decimal("40.01"))
    with pytest.raises(NotFoundError, match="no such gateway: bank"):
        await payments.pay(order_id, gateway="bank", token="tok_visa")
    with pytest.raises(NotFoundError, match="no such order"):
        await payments.pay(OrderId(uuid4()), gateway="sandbox", token="tok_visa")
    with pytest.raises(NotFoundError, match="no such payment"):
        await payments.capture(PaymentId(uuid4()))
    with pytest.raises(InvalidInputError, match="idempotency_key") as refused:
        await payments.pay(order_id, gateway="sandbox", token="secret", idempotency_key="")
    assert "secret" not in str(refused.value)
    with pytest.raises(InvalidInputError, match="token") as refused:
        await payments.pay(order_id, gateway="sandbox", token="secret\0")
    assert "secret" not in str(refused.value)
    await run(shop, "UPDATE orders SET status = 'cancelled'")
    with pytest.raises(PaymentRefusedError, match="is cancelled"):
        await payments.pay(order_id, gateway="sandbox", token="tok_visa")
    assert await operations(shop) == []


async def test_an_authorization_that_has_ended_is_voided(shop: Shop, placed: Placed) -> None:
    order_id = await placed()
    await authorized(shop, order_id)
    assert await shop.orders.payments.expire_authorizations() == 0
    await run(shop, "UPDATE payments SET authorization_expires_at = now() - interval '1 second'")
    assert await shop.orders.payments.expire_authorizations() == 1
    assert (await shop.orders.get(order_id)).payment_status == "unpaid"
    assert await shop.orders.payments.expire_authorizations() == 0
