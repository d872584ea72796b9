"""Create the brands table (§2.2)."""

from alembic import op

revision = "20240115100050"
down_revision = "20240115100040"


def upgrade() -> None:
    op.execute(
        r"""
        CREATE TABLE brands (
            id UUID NOT NULL DEFAULT uuidv7(),
            name VARCHAR(255) NOT NULL,
            slug VARCHAR(255) NOT NULL,
            logo_url TEXT,
            is_active BOOLEAN NOT NULL DEFAULT true,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT brands_pkey PRIMARY KEY (id),
            CONSTRAINT brands_name_check CHECK (btrim(name) <> ''),
            CONSTRAINT brands_slug_format CHECK (slug <> '' AND slug !~ '[\s/?#]')
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX brands_slug_key ON brands (lower(slug))")
    op.execute(
        """
        CREATE TRIGGER brands_set_updated_at BEFORE UPDATE ON brands
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE brands IS 'Product brands and manufacturers'")
    op.execute("COMMENT ON COLUMN brands.slug IS 'Its name in URLs, unique without regard to case'")


def downgrade() -> None:
    op.execute("DROP TABLE brands")
