"""A clone shows the shop as it was, and a comparison which rows have changed since."""

from pathlib import Path

import psycopg
import pytest

from shopflow.backup import Backup, Target, clone, diff, source
from shopflow.backup.archiving import archive_now
from shopflow.backup.restoring import settings_for
from shopflow.backup.scratch import NAME
from shopflow.errors import InvalidInputError
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.backup.drill.test_erasures import clock

THEN = b"""
INSERT INTO brands (name, slug) VALUES ('Goes', 'goes'), ('Changes', 'changes'), ('Stays', 'stays');
INSERT INTO users (email, password_hash, first_name, last_name)
VALUES ('diff@example.com', 'the old hash', 'Dora', 'Diff');
INSERT INTO products (name, slug, sku, price, stock_quantity)
VALUES ('Lamp', 'lamp', 'LAMP', 20.00, 3);
"""
NOW = b"""
DELETE FROM brands WHERE slug = 'goes';
UPDATE brands SET name = 'Changed' WHERE slug = 'changes';
INSERT INTO brands (name, slug) VALUES ('Comes', 'comes');
UPDATE users SET password_hash = 'the new hash' WHERE email = 'diff@example.com';
UPDATE products SET price = 25.50 WHERE sku = 'LAMP';
"""


def test_what_changed_since_is_shown_and_no_secret(
    live: Settings, backup: Backup, place: Path
) -> None:
    with source.connect(live) as connection:
        connection.execute(THEN)
        then = clock(connection)
        connection.execute(NOW)
        archive_now(connection)
    with pytest.raises(InvalidInputError, match="no table"):
        diff(live, Target(then), ["brands", "no_such_table"])
    brands, users, products = diff(live, Target(then), ["brands", "users", "products"])
    assert (brands.added, brands.removed, brands.changed) == (1, 1, 1)
    changed = {row.change: row for row in brands.rows}
    assert set(changed) == {"added", "removed", "changed"}
    values = {each.column: (each.old, each.new) for each in changed["changed"].columns}
    assert values["name"] == ("Changes", "Changed")
    assert set(values) == {"name", "updated_at", "version"}
    assert users.changed == 1
    hidden = {each.column: (each.old, each.new) for each in users.rows[0].columns}
    assert hidden["password_hash"] == ("(secret)", "(secret)")
    assert "hash" not in str(hidden.values())
    prices = {each.column: (str(each.old), str(each.new)) for each in products.rows[0].columns}
    assert prices["price"] == ("20.00", "25.50")
    (first,) = diff(live, Target(then), ["brands"], limit=1)
    assert len(first.rows) == 1
    assert (first.added, first.removed, first.changed) == (1, 1, 1)
    assert not (live.home / NAME).exists()


def test_a_clone_runs_beside_the_live_shop_and_writes_nothing(
    live: Settings, backup: Backup, place: Path
) -> None:
    made = clone(live, place / "clone")
    copy = Server(settings_for(live, place / "clone"))
    try:
        assert copy.status().port != Server(live).status().port
        with psycopg.connect(made.url, autocommit=True) as connection:
            assert connection.execute("SELECT FROM users").rowcount >= 0
            assert connection.execute("SHOW archive_mode").fetchone() == ("off",)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute("DELETE FROM users")
    finally:
        copy.stop()
