"""Create the tax_rates table, from which orders are taxed unless the shop brings its own way."""

from alembic import op

revision = "20261124100230"
down_revision = "20261124100220"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE tax_rates (
            id UUID NOT NULL DEFAULT uuidv7(),
            country_code CHAR(2) NOT NULL,
            state VARCHAR(100),
            category_id UUID,
            name VARCHAR(100) NOT NULL,
            rate NUMERIC(6, 4) NOT NULL,
            is_inclusive BOOLEAN NOT NULL DEFAULT false,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT tax_rates_pkey PRIMARY KEY (id),
            CONSTRAINT tax_rates_category_id_fkey FOREIGN KEY (category_id) REFERENCES categories (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT tax_rates_country_code_state_category_id_key
                UNIQUE NULLS NOT DISTINCT (country_code, state, category_id),
            CONSTRAINT tax_rates_country_code_check CHECK (country_code ~ '^[A-Z]{2}$'),
            CONSTRAINT tax_rates_state_check CHECK (btrim(state) <> ''),
            CONSTRAINT tax_rates_name_check CHECK (btrim(name) <> ''),
            -- NaN is above every number.
            CONSTRAINT tax_rates_rate_check CHECK (rate >= 0 AND rate < 1)
        )
        """
    )
    op.execute(
        "CREATE INDEX idx_tax_rates_category_id ON tax_rates (category_id) WHERE category_id IS NOT NULL"
    )
    op.execute(
        """
        CREATE TRIGGER tax_rates_set_updated_at BEFORE UPDATE ON tax_rates
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute(
        "COMMENT ON TABLE tax_rates IS 'Sales and value added tax by where an order goes and what it is for'"
    )
    op.execute("COMMENT ON COLUMN tax_rates.country_code IS 'ISO 3166-1 alpha-2'")
    op.execute("COMMENT ON COLUMN tax_rates.state IS 'NULL for the whole country'")
    op.execute(
        "COMMENT ON COLUMN tax_rates.category_id IS 'This category and what is below it; NULL for all other products, and for shipping'"
    )
    op.execute("COMMENT ON COLUMN tax_rates.name IS 'What the customer reads, such as VAT 19 %'")
    op.execute("COMMENT ON COLUMN tax_rates.rate IS 'Share of the net price: 0.19 is 19 %'")
    op.execute(
        "COMMENT ON COLUMN tax_rates.is_inclusive IS 'Whether prices contain the tax; otherwise it is added'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE tax_rates")
