"""Every primary key, foreign key and NOT NULL is broken once, found in the live catalogue."""

from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql

KEYS = """
    SELECT conname, conrelid::regclass::text, (
        SELECT array_agg(attname::text ORDER BY place)
        FROM unnest(conkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = k.attnum
    )
    FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace AND contype = %(kind)s
        AND conrelid::regclass::text !~ '^(alembic|migration)_'
    ORDER BY conname
"""
NEVER_UPDATED = {
    "order_status_history",
    "deleted_user_orders",
    "stock_movements",
    "erasure_log",
    "restore_canaries",
    "outbox_events",
    "price_changes",
}


def keys(shop: psycopg.Connection, kind: str) -> list[tuple[str, str, list[str]]]:
    return shop.execute(KEYS, {"kind": kind}).fetchall()


def written(shop: psycopg.Connection, table: str) -> list[tuple[str]]:
    """The columns of a table that are not computed."""
    return shop.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = ''",
        [table],
    ).fetchall()


def test_every_table_has_a_primary_key_and_a_row_to_break_it_with(shop: psycopg.Connection) -> None:
    with_key = {table for _, table, _ in keys(shop, "p")}
    tables = shop.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind = 'r' AND relname !~ '^(alembic|migration)_'"
    ).fetchall()
    assert with_key == {name for (name,) in tables}
    for table in with_key - {"deleted_user_orders"}:
        assert shop.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table))).rowcount > 0


def test_a_primary_key_is_unique(shop: psycopg.Connection) -> None:
    shop.execute("INSERT INTO deleted_user_orders (order_id, user_id) VALUES (uuidv7(), uuidv7())")
    for name, table, _ in keys(shop, "p"):
        names = sql.SQL(", ").join(sql.Identifier(each) for (each,) in written(shop, table))
        again = sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM {0} LIMIT 1").format(
            sql.Identifier(table), names
        )
        with pytest.raises(errors.UniqueViolation) as refused:
            shop.execute(again)
        assert refused.value.diag.constraint_name == name


def test_a_foreign_key_needs_its_row(shop: psycopg.Connection) -> None:
    # A guard may look at the row first; then the key has nothing to refuse.
    for name, table, columns in keys(shop, "f"):
        columns_set = columns[-1]
        # One row, for the column may be unique.
        change = sql.SQL(
            "UPDATE {0} SET {1} = {2} WHERE ctid = (SELECT min(ctid) FROM {0} WHERE {3} IS NOT NULL)"
        ).format(
            sql.Identifier(table), sql.Identifier(columns_set), uuid4(), sql.Identifier(columns[0])
        )
        if table == "order_status_history":
            change = sql.SQL(
                "INSERT INTO order_status_history (order_id, created_by, status) "
                "VALUES ({}, {}, 'pending')"
            ).format(
                uuid4() if columns_set == "order_id" else sql.SQL("(SELECT id FROM orders)"),
                uuid4() if columns_set == "created_by" else sql.NULL,
            )
        if table == "stock_movements":
            change = sql.SQL(
                "INSERT INTO stock_movements (product_id, change, reason, {0}) "
                "SELECT id, 1, 'sale', {1} FROM products WHERE NOT has_variants"
            ).format(sql.Identifier(columns_set), uuid4())
        if name == "stock_movements_product_id_fkey":
            change = sql.SQL(
                "INSERT INTO stock_movements (product_id, change, reason) VALUES ({}, 1, 'sale')"
            ).format(uuid4())
        if table == "price_changes":
            change = sql.SQL(
                "INSERT INTO price_changes (product_id, old_price, new_price{}) "
                "SELECT {}, 1, 2{} FROM products LIMIT 1"
            ).format(
                *(
                    (sql.SQL(""), uuid4(), sql.SQL(""))
                    if columns == ["product_id"]
                    else (
                        sql.SQL(", {}").format(sql.Identifier(columns_set)),
                        sql.SQL("id"),
                        sql.SQL(", {}").format(uuid4()),
                    )
                )
            )
        with pytest.raises(errors.ForeignKeyViolation) as refused:
            shop.execute(change)
        assert refused.value.diag.constraint_name in {
            name,
            name.replace("product_id", "variant_id"),
        }


def test_a_column_that_is_not_null_stays_so(shop: psycopg.Connection) -> None:
    shop.execute("INSERT INTO deleted_user_orders (order_id, user_id) VALUES (uuidv7(), uuidv7())")
    for _, table, (column,) in keys(shop, "n"):
        if table in NEVER_UPDATED:
            continue  # test_checks.py sees it
        if column in {"updated_at", "version", "is_verified_purchase", "lexemes"}:
            continue  # written by the trigger, whatever is given
        change = sql.SQL("UPDATE {} SET {} = NULL").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        with pytest.raises(errors.NotNullViolation) as refused:
            shop.execute(change)
        assert refused.value.diag.column_name == column
