"""Every rule of the shop as SQL of the tests' own, which returns whatever breaks it."""

from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from shopflow.postgres import queries

SOURCE = Path(__file__).with_name("invariants.sql")
RULES = queries.parse(SOURCE.read_text(), source=SOURCE.name)

# Notes, for each transaction, what left carts and what orders were written.
AUDIT = b"""
CREATE TABLE cart_audit (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), cart_id uuid, product_id uuid, variant_id uuid,
    gone integer NOT NULL DEFAULT 0, ordered integer NOT NULL DEFAULT 0
);
CREATE FUNCTION note_line_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cart_audit (cart_id, product_id, variant_id, gone)
    VALUES (OLD.cart_id, OLD.product_id, OLD.variant_id, OLD.quantity);
    RETURN NULL;
END $$;
CREATE TRIGGER note_line_gone AFTER DELETE ON cart_items
FOR EACH ROW EXECUTE FUNCTION note_line_gone();
CREATE FUNCTION note_line_ordered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cart_audit (product_id, variant_id, ordered)
    VALUES (NEW.product_id, NEW.variant_id, NEW.quantity);
    RETURN NULL;
END $$;
CREATE TRIGGER note_line_ordered AFTER INSERT ON order_items
FOR EACH ROW EXECUTE FUNCTION note_line_ordered();
"""
EMPTIED = b"""
SELECT xid, product_id, variant_id, sum(gone), sum(ordered)
FROM cart_audit WHERE xid IN (SELECT xid FROM cart_audit WHERE ordered > 0)
GROUP BY xid, product_id, variant_id HAVING sum(gone) <> sum(ordered)
"""


async def violations(
    connection: AsyncConnection[Any], *, audited: bool = False
) -> dict[str, list[tuple[Any, ...]]]:
    """Return what breaks a rule, by its name; `audited` when AUDIT was in place from the start."""
    found = {}
    for name, rule in RULES.items():
        rows = await (await connection.execute(rule.sql)).fetchall()
        if rows:
            found[name] = rows[:5]
    if audited:
        rows = await (await connection.execute(EMPTIED)).fetchall()
        if rows:
            found["a cart is emptied of what is ordered, once"] = rows[:5]
    return found
