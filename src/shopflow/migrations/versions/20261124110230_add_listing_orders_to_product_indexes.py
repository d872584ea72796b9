"""Have the indexes of products hold the order of listings, so that a page is read and not sorted."""

from alembic import op

revision = "20261124110230"
down_revision = "20261124110220"

LISTED = "WHERE is_active = TRUE AND deleted_at IS NULL"
NEWEST = "created_at DESC, id DESC"
# The names of §3.2, each with more behind the columns that it had.
CHANGED = {
    "idx_products_category_id": ("(category_id)", f"(category_id, {NEWEST})"),
    "idx_products_brand_id": ("(brand_id)", f"(brand_id, {NEWEST})"),
    "idx_products_price": ("(price)", f"(price, {NEWEST})"),
    "idx_products_category_price": (
        f"(category_id, price) {LISTED}",
        f"(category_id, price, {NEWEST}) {LISTED}",
    ),
}
ADDED = {
    "idx_products_brand_price": f"products (brand_id, price, {NEWEST}) {LISTED}",
    "idx_products_name": f"products (lower(name), id) {LISTED}",
    "idx_product_stats_rating": (
        "product_stats ((CASE WHEN rating_count = 0 THEN 0"
        " ELSE round(rating_sum::numeric / rating_count, 2) END::numeric(3, 2)) DESC,"
        " rating_count DESC, product_id DESC)"
    ),
    "idx_product_stats_sold_count": "product_stats (sold_count DESC, product_id DESC)",
}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, (_, columns) in CHANGED.items():
            _replace(name, columns)
        for name, definition in ADDED.items():
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name in reversed(ADDED):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        for name, (columns, _) in CHANGED.items():
            _replace(name, columns)


def _replace(name: str, columns: str) -> None:
    """Make the new index beside the old one, so that queries always have one of the two."""
    op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name}_new ON products {columns}")
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    # No query names an index.
    op.execute(f"-- squawk-ignore renaming-object\nALTER INDEX {name}_new RENAME TO {name}")
