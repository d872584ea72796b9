"""Add sold_count and rating_average to product_stats, what listings are sorted by."""

from alembic import op

revision = "20261124110210"
down_revision = "20261124110200"


def upgrade() -> None:
    # Virtual: a stored one would write the whole table again while nobody can read it.
    op.execute(
        """
        ALTER TABLE product_stats
        ADD COLUMN sold_count BIGINT NOT NULL DEFAULT 0,
        -- squawk-ignore adding-field-with-default
        ADD COLUMN rating_average NUMERIC(3, 2) GENERATED ALWAYS AS (
            CASE WHEN rating_count = 0 THEN 0 ELSE round(rating_sum::numeric / rating_count, 2) END
        ) VIRTUAL,
        ADD CONSTRAINT product_stats_sold_count_check CHECK (sold_count >= 0) NOT VALID
        """
    )
    op.execute(
        """
        CREATE FUNCTION add_product_stats() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO product_stats (product_id) SELECT id FROM new_products
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER products_add_stats AFTER INSERT ON products
        REFERENCING NEW TABLE AS new_products
        FOR EACH STATEMENT EXECUTE FUNCTION add_product_stats()
        """
    )
    op.execute(
        """
        CREATE FUNCTION count_sales(days integer, batch integer) RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            changed integer;
        BEGIN
            WITH sold AS (
                SELECT oi.product_id, sum(oi.quantity - oi.returned_quantity) AS pieces
                FROM orders AS o
                JOIN order_items AS oi ON oi.order_id = o.id
                WHERE o.placed_at >= now() - make_interval(days => count_sales.days)
                    AND o.status NOT IN ('cancelled', 'refunded')
                GROUP BY oi.product_id
            ),
            different AS (
                SELECT s.product_id, coalesce(sold.pieces, 0) AS pieces
                FROM product_stats AS s
                LEFT JOIN sold ON sold.product_id = s.product_id
                WHERE s.sold_count <> coalesce(sold.pieces, 0)
                ORDER BY s.product_id
                LIMIT batch
            )
            UPDATE product_stats AS s SET sold_count = d.pieces
            FROM different AS d
            WHERE s.product_id = d.product_id;
            GET DIAGNOSTICS changed = ROW_COUNT;
            RETURN changed;
        END
        $$
        """
    )
    op.execute(
        "COMMENT ON FUNCTION count_sales(integer, integer) IS 'Brings sold_count up to the orders of the last days, of so many products; how many had another'"
    )
    op.execute(
        "COMMENT ON TABLE product_stats IS 'What listings are sorted by, a row for each product: ratings, kept by triggers on product_reviews, and sales'"
    )
    op.execute(
        "COMMENT ON COLUMN product_stats.sold_count IS 'Pieces sold and not returned, in orders that stand; counted by shopflow worker, so that no checkout waits for another'"
    )
    op.execute(
        "COMMENT ON COLUMN product_stats.rating_average IS 'Average of the approved ratings to two decimals; 0 without any'"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER products_add_stats ON products")
    op.execute("DROP FUNCTION count_sales(integer, integer)")
    op.execute("DROP FUNCTION add_product_stats()")
    op.execute(
        "ALTER TABLE product_stats DROP CONSTRAINT product_stats_sold_count_check, DROP COLUMN sold_count, DROP COLUMN rating_average"
    )
    op.execute(
        "COMMENT ON TABLE product_stats IS 'Sum and count of the approved ratings of a product, kept by triggers on product_reviews'"
    )
