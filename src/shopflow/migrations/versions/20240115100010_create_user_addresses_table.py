"""Create the user_addresses table (§2.1)."""

from alembic import op

revision = "20240115100010"
down_revision = "20240115100000"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE user_addresses (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID NOT NULL,
            address_type VARCHAR(20) NOT NULL,
            is_default BOOLEAN NOT NULL DEFAULT false,
            first_name VARCHAR(100) NOT NULL,
            last_name VARCHAR(100) NOT NULL,
            address_line_1 VARCHAR(255) NOT NULL,
            address_line_2 VARCHAR(255),
            city VARCHAR(100) NOT NULL,
            state VARCHAR(100),
            postal_code VARCHAR(20) NOT NULL,
            country_code CHAR(2) NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT user_addresses_pkey PRIMARY KEY (id),
            CONSTRAINT user_addresses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT user_addresses_address_type_check CHECK (address_type IN ('shipping', 'billing')),
            CONSTRAINT user_addresses_country_code_check CHECK (country_code ~ '^[A-Z]{2}$')
        )
        """
    )
    op.execute("CREATE INDEX idx_user_addresses_user_id ON user_addresses (user_id)")
    op.execute(
        """
        CREATE UNIQUE INDEX user_addresses_default_key ON user_addresses (user_id, address_type)
        WHERE is_default
        """
    )
    op.execute(
        """
        CREATE TRIGGER user_addresses_set_updated_at BEFORE UPDATE ON user_addresses
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute(
        "COMMENT ON TABLE user_addresses IS 'Saved shipping and billing addresses; orders keep their own copy'"
    )
    op.execute(
        "COMMENT ON COLUMN user_addresses.is_default IS 'The one offered first; at most one for each address_type'"
    )
    op.execute("COMMENT ON COLUMN user_addresses.country_code IS 'ISO 3166-1 alpha-2, capitals'")


def downgrade() -> None:
    op.execute("DROP TABLE user_addresses")
