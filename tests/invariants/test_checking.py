"""Each rule holds in a shop that was used, and tells of what breaks it with the triggers off."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shopflow import Shop, invariants
from shopflow.demo import loader
from shopflow.invariants.checking import RULES
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

SHOP = (Path(__file__).parents[1] / "schema" / "shop.sql").read_bytes()
BROKEN = b"""
SET session_replication_role = replica;
ALTER TABLE products DROP CONSTRAINT products_stock_non_negative;
UPDATE products SET stock_quantity = -1 WHERE sku = 'PLAIN';
UPDATE product_variants SET stock_quantity = 9 WHERE sku = 'SIZED-S';
UPDATE order_items SET unit_price = 21, subtotal = 21 WHERE sku = 'PLAIN';
UPDATE order_items SET fulfilled_quantity = 0, returned_quantity = 0 WHERE sku = 'PLAIN';
ALTER TABLE payments DROP CONSTRAINT payments_captured_amount_check,
    DROP CONSTRAINT payments_voided_amount_check;
UPDATE payments SET captured_amount = 60 WHERE captured_amount = 40;
UPDATE refunds SET amount = 70 WHERE amount = 10;
UPDATE coupons SET used_count = 2;
UPDATE orders SET status = 'delivered';
DELETE FROM users WHERE email = 'bob@example.com';
SET session_replication_role = origin;
"""


@pytest.fixture
def superuser(settings: Settings, test_server: Settings) -> Iterator[psycopg.Connection]:
    """The small shop, seen by who may switch its triggers off."""
    with psycopg.connect(conninfo(settings), autocommit=True) as owner:
        owner.execute(SHOP)
        login = make_conninfo(
            Server(test_server).superuser_conninfo(),
            dbname=owner.info.dbname,
            options="-csearch_path=shopflow",
        )
    with psycopg.connect(login, autocommit=True) as connection:
        yield connection


def test_every_rule_tells_of_what_breaks_it(superuser: psycopg.Connection) -> None:
    before = invariants.check(superuser, "shopflow")
    assert {each.name for each in before} == {*RULES, "foreign_keys"}
    assert {each.name: each.reason for each in before if each.result != "ok"} == {}
    superuser.execute(BROKEN)
    after = {each.name: each for each in invariants.check(superuser, "shopflow")}
    assert {name for name, each in after.items() if each.result != "failed"} == set()
    assert "history ends with" in (after["history_ends_where_the_order_is"].reason or "")
    keys = after["foreign_keys"].reason or ""
    assert "order_notes_created_by_fkey: 1 rows of order_notes without their users" in keys
    assert "ann@example.com" not in str(after)


def test_what_is_not_there_is_unknown(superuser: psycopg.Connection) -> None:
    superuser.execute("ALTER TABLE coupons RENAME COLUMN used_count TO uses")
    found = {each.name: each for each in invariants.check(superuser, "shopflow")}
    unknown = {name for name, each in found.items() if each.result != "ok"}
    assert unknown == {"limited_coupon_counts_its_uses"}
    assert "used_count" in (found["limited_coupon_counts_its_uses"].reason or "")


async def test_the_generated_shop_keeps_the_rules(shop: Shop, settings: Settings) -> None:
    await loader.load(shop.pool, products=60, seed=1)
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        found = invariants.check(connection, settings.schema)
    assert {each.name: each.reason for each in found if each.result != "ok"} == {}
