"""Create the order_addresses table (§2.4)."""

from alembic import op

revision = "20240115100420"
down_revision = "20240115100410"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE order_addresses (
            id UUID NOT NULL DEFAULT uuidv7(),
            order_id UUID NOT NULL,
            address_type VARCHAR(20) NOT NULL,
            first_name VARCHAR(100) NOT NULL,
            last_name VARCHAR(100) NOT NULL,
            address_line_1 VARCHAR(255) NOT NULL,
            address_line_2 VARCHAR(255),
            city VARCHAR(100) NOT NULL,
            state VARCHAR(100),
            postal_code VARCHAR(20) NOT NULL,
            country_code CHAR(2) NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT order_addresses_pkey PRIMARY KEY (id),
            CONSTRAINT order_addresses_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
                ON DELETE CASCADE ON UPDATE CASCADE,
            CONSTRAINT order_addresses_order_id_address_type_key UNIQUE (order_id, address_type),
            CONSTRAINT order_addresses_address_type_check CHECK (address_type IN ('shipping', 'billing')),
            CONSTRAINT order_addresses_country_code_check CHECK (country_code ~ '^[A-Z]{2}$')
        )
        """
    )
    op.execute("COMMENT ON TABLE order_addresses IS 'Shipping and billing addresses (snapshot)'")
    op.execute("COMMENT ON COLUMN order_addresses.country_code IS 'ISO 3166-1 alpha-2, capitals'")


def downgrade() -> None:
    op.execute("DROP TABLE order_addresses")
