"""Let the lines of returns say how much came back, and put what is sold again into stock."""

from alembic import op

revision = "20261124100530"
down_revision = "20261124100525"


def upgrade() -> None:
    # By trigger, as a cancelled order gives back its stock: the same for psql as for ShopFlow, in
    # the same transaction, and a line that is corrected corrects the stock.
    op.execute(
        """
        CREATE FUNCTION count_returned_quantity() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            touched uuid[];
            restocked uuid[];
            changes integer[];
            fault record;
        BEGIN
            -- It may be somebody else's, to have the movements change nothing.
            IF pg_trigger_depth() = 1 THEN
                PERFORM set_config('shopflow.stock_in_step', '', true);
            END IF;
            IF TG_OP = 'TRUNCATE' THEN
                -- Which of them were sold again is not known any more.
                RAISE EXCEPTION 'returns are not truncated: delete them, so that the stock follows'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'order_return_items_no_truncate',
                        TABLE = TG_TABLE_NAME;
            ELSIF TG_OP = 'INSERT' THEN
                SELECT array_agg(DISTINCT order_item_id),
                    array_agg(order_item_id) FILTER (WHERE restock),
                    array_agg(quantity) FILTER (WHERE restock)
                INTO touched, restocked, changes FROM new_rows;
            ELSIF TG_OP = 'DELETE' THEN
                SELECT array_agg(DISTINCT order_item_id),
                    array_agg(order_item_id) FILTER (WHERE restock),
                    array_agg(-quantity) FILTER (WHERE restock)
                INTO touched, restocked, changes FROM old_rows;
            ELSE
                SELECT array_agg(DISTINCT item), array_agg(item) FILTER (WHERE restock),
                    array_agg(change) FILTER (WHERE restock)
                INTO touched, restocked, changes
                FROM (
                    SELECT o.order_item_id AS old_item, n.order_item_id AS new_item,
                        o.quantity AS old_quantity, n.quantity AS new_quantity,
                        o.restock AS old_restock, n.restock AS new_restock
                    FROM old_rows AS o FULL JOIN new_rows AS n USING (id)
                    -- An order line that has got another key is the same one.
                    WHERE o.order_item_id = n.order_item_id
                        OR EXISTS (SELECT FROM order_items AS i WHERE i.id = o.order_item_id)
                        OR o.id IS NULL
                ) AS pair
                CROSS JOIN LATERAL (VALUES
                    (old_item, old_restock, -old_quantity), (new_item, new_restock, new_quantity)
                ) AS side (item, restock, change)
                WHERE item IS NOT NULL;
            END IF;
            IF touched IS NULL THEN
                RETURN NULL;
            END IF;
            PERFORM require_read_committed('taking back an order');
            -- First the locks, in key order; then statements of their own, which see what whoever
            -- held a lock before us has taken back.
            PERFORM FROM orders
            WHERE id IN (SELECT order_id FROM order_items WHERE id = ANY (touched))
            ORDER BY id FOR NO KEY UPDATE;
            SELECT r.id AS return, r.order_id AS its_order, i.id AS item, i.order_id AS other_order
            INTO fault
            FROM order_return_items AS l
            JOIN order_returns AS r ON r.id = l.return_id
            JOIN order_items AS i ON i.id = l.order_item_id
            WHERE i.id = ANY (touched) AND r.order_id <> i.order_id
            LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'return % is of order %, and line % of order %',
                    fault.return, fault.its_order, fault.item, fault.other_order
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'order_return_items_same_order',
                        TABLE = TG_TABLE_NAME;
            END IF;
            UPDATE order_items AS i
            SET returned_quantity = back.quantity
            FROM (
                SELECT t.id, coalesce(sum(l.quantity), 0) AS quantity
                FROM unnest(touched) AS t (id)
                LEFT JOIN order_return_items AS l ON l.order_item_id = t.id
                GROUP BY t.id
            ) AS back
            WHERE i.id = back.id AND i.returned_quantity <> back.quantity
                -- Otherwise the order is being deleted with all that it has.
                AND EXISTS (SELECT FROM orders AS o WHERE o.id = i.order_id);
            -- What took no stock has no movement to undo, and a product that has got variants since
            -- has no stock of its own any more.
            INSERT INTO stock_movements (
                product_id, variant_id, change, reason, order_id, notes, created_by
            )
            SELECT i.product_id, i.variant_id, sum(c.change), 'return', i.order_id,
                nullif(current_setting('shopflow.reason', true), ''),
                nullif(current_setting('shopflow.actor', true), '')::uuid
            FROM unnest(restocked, changes) AS c (item, change)
            JOIN order_items AS i ON i.id = c.item
            JOIN orders AS o ON o.id = i.order_id
            JOIN products AS p ON p.id = i.product_id
            WHERE (i.variant_id IS NOT NULL OR NOT p.has_variants)
                AND EXISTS (
                    SELECT FROM stock_movements AS m
                    WHERE m.order_id = i.order_id AND m.reason = 'sale'
                        AND m.product_id = i.product_id
                        AND m.variant_id IS NOT DISTINCT FROM i.variant_id
                )
            GROUP BY i.order_id, i.product_id, i.variant_id
            HAVING sum(c.change) <> 0;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_return_items_count_insert AFTER INSERT ON order_return_items
        REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_returned_quantity()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_return_items_count_update AFTER UPDATE ON order_return_items
        REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_returned_quantity()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_return_items_count_delete AFTER DELETE ON order_return_items
        REFERENCING OLD TABLE AS old_rows
        FOR EACH STATEMENT EXECUTE FUNCTION count_returned_quantity()
        """
    )
    op.execute(
        """
        CREATE TRIGGER order_return_items_no_truncate BEFORE TRUNCATE ON order_return_items
        FOR EACH STATEMENT EXECUTE FUNCTION count_returned_quantity()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER order_return_items_no_truncate ON order_return_items")
    for event in ("delete", "update", "insert"):
        op.execute(f"DROP TRIGGER order_return_items_count_{event} ON order_return_items")
    op.execute("DROP FUNCTION count_returned_quantity()")
