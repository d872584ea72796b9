"""What pieces of a line are worth, whatever way they come back."""

from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from shopflow.ids import OrderId, OrderItemId, PaymentId
from shopflow.money import CENT, ZERO
from shopflow.orders.cancelling import PaymentToSettle, RefundDue, settlement
from shopflow.orders.worth import SoldLine, refund_of, worth_of

ORDER = OrderId(uuid4())


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


def a_payment(captured: int, refunded: int = 0, status: str = "captured") -> PaymentToSettle:
    return PaymentToSettle(
        PaymentId(uuid4()),
        status,  # type: ignore[arg-type]  # a test's own
        Decimal(captured),
        Decimal(refunded),
        shipping_amount=Decimal(5),
    )


def test_all_goes_back_when_nothing_was_sent() -> None:
    first, second = a_payment(40, 10), a_payment(25)
    found = settlement(ORDER, [a_line(3)], [first, second])
    assert found.to_refund == (
        RefundDue(first.id, Decimal(30)),
        RefundDue(second.id, Decimal(25)),
    )
    assert found.to_void == ()


def test_what_the_customer_keeps_is_paid_for_with_its_shipping() -> None:
    payment = a_payment(65)
    sent = a_line(3, sent=2)
    assert settlement(ORDER, [sent], [payment]).to_refund == (RefundDue(payment.id, Decimal(20)),)
    back = a_line(3, sent=2, back=1)
    assert settlement(ORDER, [back], [payment]).to_refund == (RefundDue(payment.id, Decimal(40)),)


def test_nothing_goes_back_when_less_was_paid_than_is_kept() -> None:
    assert settlement(ORDER, [a_line(3, sent=3)], [a_payment(30)]).to_refund == ()


def test_what_took_no_money_is_voided() -> None:
    begun, authorized = a_payment(0, status="pending"), a_payment(0, status="authorized")
    payments = [begun, a_payment(0, status="failed"), authorized, a_payment(0, status="voided")]
    found = settlement(ORDER, [a_line(3)], payments)
    assert found.to_void == (begun.id, authorized.id)
    assert found.to_refund == ()
