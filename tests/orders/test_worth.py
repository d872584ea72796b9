"""What pieces of a line are worth, whatever way they come back."""

from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shopflow.ids import OrderItemId, PaymentId
from shopflow.money import CENT, ZERO
from shopflow.orders.settling import (
    OrderWorth,
    PaymentToSettle,
    RefundDue,
    kept_by_customer,
    refund_of_return,
    settlement,
)
from shopflow.orders.worth import SoldLine, refund_of, returned, worth_of


def a_line(
    quantity: int = 3,
    *,
    price: Decimal = Decimal("20.00"),
    discount: Decimal = ZERO,
    tax: Decimal = ZERO,
    sent: int = 0,
    back: int = 0,
) -> SoldLine:
    return SoldLine(
        id=OrderItemId(uuid4()),
        sku="SKU",
        quantity=quantity,
        fulfilled_quantity=sent,
        returned_quantity=back,
        subtotal=quantity * price,
        discount_amount=discount,
        added_tax_amount=tax,
    )


def cents(largest: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, largest).map(lambda number: number * CENT)


@st.composite
def lines(draw: st.DrawFn) -> SoldLine:
    quantity = draw(st.integers(1, 40))
    price = draw(cents(100_000))
    subtotal = quantity * price
    discount = draw(cents(int(subtotal / CENT)))
    return a_line(quantity, price=price, discount=discount, tax=draw(cents(50_000)))


@st.composite
def splits(draw: st.DrawFn) -> tuple[SoldLine, list[int]]:
    line = draw(lines())
    places = draw(st.lists(st.integers(0, line.quantity)))
    return line, sorted({0, *places, line.quantity})


@given(splits())
def test_any_split_of_a_line_adds_up_to_what_was_paid_for_it(
    split: tuple[SoldLine, list[int]],
) -> None:
    line, places = split
    worths = [worth_of(line, *pair) for pair in pairwise(places)]
    assert sum(worths, ZERO) == line.subtotal - line.discount_amount + line.added_tax_amount
    assert all(worth >= 0 for worth in worths)


@given(lines())
def test_each_piece_is_worth_its_share_but_for_less_than_a_cent(line: SoldLine) -> None:
    share = line.total / line.quantity
    for piece in range(line.quantity):
        worth = worth_of(line, piece, piece + 1)
        assert abs(worth - share) < CENT
        assert worth == worth.quantize(CENT)


def test_the_cents_that_do_not_divide_are_given_once() -> None:
    line = a_line(3, price=Decimal("33.34"), discount=Decimal("0.02"))
    assert [worth_of(line, n, n + 1) for n in range(3)] == [
        Decimal("33.33"),
        Decimal("33.34"),
        Decimal("33.33"),
    ]
    assert refund_of(a_line(3, price=Decimal("0.01"), discount=Decimal("0.02"), back=1), 1) == CENT


def a_payment(
    captured: int,
    refunded: int = 0,
    status: str = "captured",
    *,
    gateway: str | None = "sandbox",
    rest: int = 0,
    busy: bool = False,
) -> PaymentToSettle:
    return PaymentToSettle(
        id=PaymentId(uuid4()),
        gateway=gateway,
        status=status,  # type: ignore[arg-type]  # a test's own
        captured_amount=Decimal(captured),
        refunded_amount=Decimal(refunded),
        rest=Decimal(rest),
        busy=busy,
    )


def worth(total: int, returned: int = 0, elsewhere: int = 0) -> OrderWorth:
    return OrderWorth(Decimal(total), Decimal(returned), Decimal(elsewhere))


def test_all_goes_back_when_nothing_was_sent() -> None:
    first, second = a_payment(40, 10), a_payment(25)
    assert kept_by_customer(worth(65), [a_line(3)]) == 0
    found = settlement(ZERO, [first, second])
    assert found.to_refund == (
        RefundDue(first.id, Decimal(30)),
        RefundDue(second.id, Decimal(25)),
    )
    assert found.to_void == ()


def test_what_the_customer_keeps_is_paid_for_with_its_shipping() -> None:
    """60.00, and 5.00 beside the lines: shipping and its tax."""
    payment, sent, back = a_payment(65), a_line(3, sent=2), a_line(3, sent=2, back=1)
    assert kept_by_customer(worth(65), [sent]) == 45
    assert settlement(Decimal(45), [payment]).to_refund == (RefundDue(payment.id, Decimal(20)),)
    assert kept_by_customer(worth(65, 20), [back]) == 25
    assert kept_by_customer(worth(65, 0, 20), [back]) == 45
    all_back = a_line(3, sent=2, back=2)
    assert kept_by_customer(worth(65, 40), [all_back]) == 5


def test_nothing_goes_back_when_less_was_paid_than_is_kept() -> None:
    assert settlement(Decimal(60), [a_payment(30)]).to_refund == ()


def test_what_is_authorized_is_voided_and_what_is_under_way_later() -> None:
    authorized = a_payment(0, status="authorized", rest=40)
    partly = a_payment(30, rest=10)
    recorded = a_payment(0, status="pending", gateway=None, rest=40)
    payments = [
        authorized,
        partly,
        recorded,
        a_payment(0, status="authorized", rest=40, busy=True),
        a_payment(0, status="pending", rest=40, busy=True),
        a_payment(0, status="failed", rest=40),
        a_payment(0, status="voided"),
        a_payment(40),
    ]
    found = settlement(Decimal(70), payments)
    assert found.to_void == (authorized.id, partly.id, recorded.id)
    assert found.to_refund == ()


def test_a_return_pays_back_its_worth_but_not_what_was_not_paid() -> None:
    def refund(paid: int, owed: int, refunded: int = 0) -> Decimal:
        payments = [a_payment(paid, refunded)]
        return refund_of_return(Decimal(20), Decimal(paid), Decimal(owed), payments)

    # Of 60: paid, not at all, by half, with 10 given back before as a kindness.
    assert refund(60, 40) == 20
    assert refund(0, 40) == 0
    assert refund(30, 40) == 0
    assert refund(50, 40) == 10
    assert refund(60, 40, refunded=10) == 20
    assert refund(60, 40, refunded=45) == 15


@given(lines(), st.data())
def test_cancelling_and_returning_in_any_order_pays_back_the_same(
    line: SoldLine, data: st.DataObject
) -> None:
    sent = data.draw(st.integers(0, line.quantity))
    back = data.draw(st.integers(0, sent))
    line = msgspec.structs.replace(line, fulfilled_quantity=sent)
    total = line.total + Decimal(5)

    def paid(refunded: Decimal) -> list[PaymentToSettle]:
        (payment,) = [a_payment(0)]
        return [msgspec.structs.replace(payment, captured_amount=total, refunded_amount=refunded)]

    piece = refund_of(line, back)
    after = returned(line, back)
    first = refund_of_return(piece, total, total - piece, paid(ZERO))
    kept = kept_by_customer(OrderWorth(total, piece, ZERO), [after])
    one_way = first + sum((due.amount for due in settlement(kept, paid(first)).to_refund), ZERO)

    kept = kept_by_customer(OrderWorth(total, ZERO, ZERO), [line])
    cancelled = sum((due.amount for due in settlement(kept, paid(ZERO)).to_refund), ZERO)
    kept = kept_by_customer(OrderWorth(total, piece, ZERO), [after])
    other_way = cancelled + refund_of_return(piece, total, kept, paid(cancelled))
    assert one_way == other_way == total - kept
