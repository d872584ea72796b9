"""Count the changes of catalogue data in a version, so that a lost update can be refused."""

from alembic import op

revision = "20261124100600"
down_revision = "20261124100565"

# What an editor changes. Not: what is counted or summed up, which a sale changes.
COLUMNS = {
    "categories": ("parent_id", "name", "slug", "sort_order"),
    "brands": ("name", "slug", "logo_url", "is_active"),
    "products": (
        "category_id",
        "brand_id",
        "name",
        "slug",
        "sku",
        "description",
        "price",
        "compare_at_price",
        "track_inventory",
        "attributes",
        "tags",
        "is_active",
        "is_featured",
        "deleted_at",
    ),
    "product_variants": (
        "product_id",
        "name",
        "sku",
        "price",
        "compare_at_price",
        "option_values",
        "sort_order",
        "is_active",
    ),
}


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION count_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.version := OLD.version + 1;
            RETURN NEW;
        END
        $$
        """
    )
    op.execute("COMMENT ON FUNCTION count_version() IS 'Keeps version, whoever writes'")
    for table, columns in COLUMNS.items():
        op.execute(f"ALTER TABLE {table} ADD COLUMN version INTEGER NOT NULL DEFAULT 1")
        watched = (*columns, "version")
        new = ", ".join(f"NEW.{column}" for column in watched)
        old = ", ".join(f"OLD.{column}" for column in watched)
        # Its list of columns keeps a change of stock from even looking at the condition, which
        # would read a long description.
        op.execute(
            f"""
            CREATE TRIGGER {table}_version BEFORE UPDATE OF {", ".join(watched)} ON {table}
            FOR EACH ROW WHEN (({new}) IS DISTINCT FROM ({old})) EXECUTE FUNCTION count_version()
            """
        )
        op.execute(
            f"COMMENT ON COLUMN {table}.version IS 'Goes up by one with each change of catalogue data, not with stock; kept by a trigger, to refuse lost updates'"
        )


def downgrade() -> None:
    for table in COLUMNS:
        op.execute(f"DROP TRIGGER {table}_version ON {table}")
        op.execute(f"ALTER TABLE {table} DROP COLUMN version")
    op.execute("DROP FUNCTION count_version()")
