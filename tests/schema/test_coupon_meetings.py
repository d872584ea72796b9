"""The limits of a coupon by user, while several orders are placed at once."""

import psycopg
import pytest
from psycopg import errors

from tests.schema.conftest import Meeting
from tests.schema.test_checks import BOB, ORDER, TEN, USER, another_use
from tests.schema.test_meetings import at_an_old_snapshot, meet, refused
from tests.schema.test_soft_delete import count

# Ann has used the coupon of the small shop once; Bob has not ordered anything.
LIMIT = "UPDATE coupons SET usage_limit = NULL, per_user_limit = 1"
FIRST_ORDER = "UPDATE coupons SET usage_limit = NULL, first_order_only = true"
CANCEL = f"UPDATE orders SET status = 'cancelled' WHERE id = '{ORDER}'"


@pytest.mark.parametrize(
    ("limit", "constraint"),
    [(LIMIT, "coupon_usage_within_user_limit"), (FIRST_ORDER, "coupon_usage_first_order_only")],
)
def test_of_two_uses_at_once_by_a_user_one_is_refused(
    meeting: Meeting, shop: psycopg.Connection, limit: str, constraint: str
) -> None:
    shop.execute(limit.encode())
    assert refused(meet(meeting, another_use(BOB), another_use(BOB))) == constraint
    assert count(shop, f"coupon_usage WHERE user_id = '{BOB}'".encode()) == 1


@pytest.mark.parametrize("limit", [LIMIT, FIRST_ORDER])
def test_the_second_use_waits_and_is_taken_when_the_first_is_given_up(
    meeting: Meeting, shop: psycopg.Connection, limit: str
) -> None:
    shop.execute(limit.encode())
    meeting.first.execute(another_use(BOB).encode())

    def work(connection: psycopg.Connection) -> None:
        connection.execute(another_use(BOB).encode())
        connection.commit()

    running = meeting.in_second(work)
    assert meeting.blocked(running)
    meeting.first.rollback()
    running.result(timeout=10)
    assert count(shop, f"coupon_usage WHERE user_id = '{BOB}'".encode()) == 1


@pytest.mark.parametrize(
    ("limit", "users"),
    [
        ("UPDATE coupons SET usage_limit = NULL", (BOB, BOB)),
        ("UPDATE coupons SET usage_limit = NULL", (None, None)),
        ("UPDATE coupons SET usage_limit = NULL, per_user_limit = 2", (USER, BOB)),
        ("UPDATE coupons SET usage_limit = NULL, first_order_only = true; " + CANCEL, (USER, BOB)),
    ],
)
def test_uses_that_do_not_compete_do_not_wait(
    meeting: Meeting, shop: psycopg.Connection, limit: str, users: tuple[str | None, str | None]
) -> None:
    shop.execute(limit.encode())
    first, second = users
    meeting.first.execute(another_use(first).encode())

    def work(connection: psycopg.Connection) -> None:
        connection.execute(another_use(second).encode())
        connection.commit()

    meeting.in_second(work).result(timeout=10)  # done, though the first has not committed
    meeting.first.commit()
    # An order that is cancelled gives its use back.
    assert count(shop, b"coupon_usage") == (2 if CANCEL in limit else 3)


def test_an_unlimited_coupon_locks_nobody(meeting: Meeting, shop: psycopg.Connection) -> None:
    """Neither the coupon nor the user is held harder than their foreign keys do."""
    shop.execute("UPDATE coupons SET usage_limit = NULL")
    meeting.first.execute(another_use(BOB).encode())
    shop.execute("SET lock_timeout = '1s'")
    shop.execute(f"SELECT FROM users WHERE id = '{BOB}' FOR NO KEY UPDATE".encode())
    shop.execute(f"SELECT FROM coupons WHERE id = '{TEN}' FOR NO KEY UPDATE".encode())


@pytest.mark.parametrize("swapped", [False, True])
def test_a_limit_by_user_that_is_set_while_the_coupon_is_used_counts_that_use(
    meeting: Meeting, shop: psycopg.Connection, *, swapped: bool
) -> None:
    shop.execute("UPDATE coupons SET usage_limit = NULL")
    statements = (another_use(BOB), "UPDATE coupons SET per_user_limit = 1")
    first, second = reversed(statements) if swapped else statements
    meet(meeting, first, second).result(timeout=10)
    with pytest.raises(errors.CheckViolation) as error:
        shop.execute(another_use(BOB).encode())
    assert error.value.diag.constraint_name == "coupon_usage_within_user_limit"


def test_a_limit_being_set_is_waited_for(meeting: Meeting, shop: psycopg.Connection) -> None:
    shop.execute("UPDATE coupons SET usage_limit = NULL")
    running = meet(meeting, "UPDATE coupons SET per_user_limit = 1", another_use(USER))
    assert refused(running) == "coupon_usage_within_user_limit"


def test_an_order_that_is_cancelled_meanwhile_is_not_in_the_way(
    meeting: Meeting, shop: psycopg.Connection
) -> None:
    shop.execute(FIRST_ORDER.encode())
    assert refused(meet(meeting, "SELECT 1", another_use(USER))) == "coupon_usage_first_order_only"
    meeting.second.rollback()
    shop.execute(CANCEL.encode())
    shop.execute(another_use(USER).encode())


@pytest.mark.parametrize("limit", [LIMIT, FIRST_ORDER])
def test_no_limit_is_passed_from_an_old_snapshot(
    meeting: Meeting, shop: psycopg.Connection, limit: str
) -> None:
    shop.execute(limit.encode())
    running = at_an_old_snapshot(meeting, another_use(BOB), another_use(BOB))
    with pytest.raises((errors.SerializationFailure, errors.InvalidTransactionState)):
        running.result(timeout=10)


def test_an_erased_users_uses_stay_and_are_not_counted_again(shop: psycopg.Connection) -> None:
    shop.execute(LIMIT.encode())
    shop.execute(f"UPDATE coupon_usage SET user_id = NULL WHERE user_id = '{USER}'".encode())
    assert count(shop, b"coupon_usage WHERE user_id IS NULL") == 1


def test_a_coupon_whose_last_product_is_gone_is_for_nothing_and_not_for_everything(
    shop: psycopg.Connection,
) -> None:
    shop.execute(
        """
        WITH product AS (
            INSERT INTO products (name, slug, sku, price) VALUES ('x', 'x', 'x', 1) RETURNING id
        ), coupon AS (
            INSERT INTO coupons (code, discount_type, discount_value)
            VALUES ('X', 'fixed_amount', 5) RETURNING id
        )
        SELECT product.id, coupon.id FROM product, coupon
        """
    )
    shop.execute(
        "INSERT INTO coupon_products (coupon_id, product_id)"
        " SELECT c.id, p.id FROM coupons AS c, products AS p WHERE c.code = 'X' AND p.slug = 'x'"
    )
    assert count(shop, b"coupons WHERE code = 'X' AND is_restricted") == 1
    shop.execute("DELETE FROM products WHERE slug = 'x'")
    assert (
        count(shop, b"coupon_products AS r JOIN coupons AS c ON c.id = coupon_id AND code = 'X'")
        == 0
    )
    assert count(shop, b"coupons WHERE code = 'X' AND is_restricted") == 1


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("'DE', NULL", "Germany"),
        ("'DE', 'Bayern'", "Bavaria"),
        ("'DE', 'Hessen'", "Germany"),
        ("'AT', NULL", "Alps, first"),
        ("'CH', NULL", "Alps, first"),
        ("'FR', NULL", None),
        ("NULL, NULL", None),
    ],
)
def test_an_address_is_in_one_zone(
    kept_shop: psycopg.Connection, address: str, zone: str | None
) -> None:
    with kept_shop.transaction(force_rollback=True):
        kept_shop.execute(
            """
            INSERT INTO shipping_zones (name, countries, states, priority, is_active) VALUES
                ('Alps, first', '{DE,AT,CH}', '{}', 0, true),
                ('Germany', '{DE}', '{}', 5, true),
                ('Bavaria', '{DE}', '{Bayern}', 5, true),
                ('Alps, second', '{AT,CH}', '{}', 0, true),
                ('All, closed', '{DE,AT,CH,FR}', '{}', 9, false)
            """
        )
        found = kept_shop.execute(
            f"SELECT (SELECT name FROM shipping_zones WHERE id = shipping_zone_of({address}))".encode()
        )
        assert found.fetchone() == (zone,)
