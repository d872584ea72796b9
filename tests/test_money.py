"""Money is exact, has two places, and is rounded as PostgreSQL rounds NUMERIC(12,2)."""

from decimal import Decimal

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopflow.errors import InvalidInputError
from shopflow.money import LARGEST, check_amount, is_amount, parse_amount, rounded
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

amounts = st.decimals(min_value=0, max_value=LARGEST, allow_nan=False, places=2)


@pytest.mark.parametrize(
    ("given_amount", "expected"),
    [("0.005", "0.01"), ("0.0049", "0.00"), ("2.675", "2.68"), ("1", "1.00"), ("-0.005", "-0.01")],
)
def test_half_a_cent_is_rounded_up(given_amount: str, expected: str) -> None:
    assert str(rounded(Decimal(given_amount))) == expected


@given(amounts)
def test_an_amount_is_read_as_it_is_written(amount: Decimal) -> None:
    assert parse_amount("price", f" {amount} ") == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "free",
        "-1",
        "1.005",
        "NaN",
        "Infinity",
        "10000000000",
        "9" * 400,
        "1,50",
        "0x10",
        "1 000",
        "1_000",
        "1e3",
        "٣",
    ],
)
def test_anything_else_is_refused_with_field_and_value(text: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_amount("Variant Price", text)
    assert refused.value.field == "Variant Price"
    assert refused.value.value == text
    assert repr(text)[:100] in str(refused.value)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.decimals(min_value=-1000, max_value=1000, allow_nan=False, places=5))
def test_postgresql_rounds_the_same(test_server: Settings, amount: Decimal) -> None:
    with psycopg.connect(conninfo(test_server)) as connection:
        row = connection.execute(
            "SELECT %(amount)s::numeric::numeric(12, 2)", {"amount": amount}
        ).fetchone()
    assert row is not None
    assert row[0] == rounded(amount)


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "-0.01", "10000000000", "0.001"])
def test_what_is_no_amount_is_refused_by_name(amount: str) -> None:
    for good in (None, Decimal(0), Decimal("0.01"), LARGEST):
        check_amount("price", good)
    with pytest.raises(InvalidInputError) as refused:
        check_amount("price", Decimal(amount))
    assert refused.value.field == "price"


@pytest.mark.parametrize("value", [1.5, 1, "1.50", Decimal("NaN"), Decimal("Infinity"), None])
def test_only_a_decimal_number_is_an_amount(value: object) -> None:
    assert not is_amount(value)
    assert is_amount(Decimal("1.5"))
