"""Create the orders table (§2.4, §8.2)."""

from alembic import op

revision = "20240115100400"
down_revision = "20240115100320"


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION new_order_number() RETURNS text LANGUAGE sql VOLATILE AS $$
            -- Ten bytes that are random in both of two version 4 UUIDs put one behind the other.
            SELECT to_char(now() AT TIME ZONE 'UTC', 'YYMMDD') || '-' || string_agg(
                substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (get_byte(random, place) & 31), 1), ''
                ORDER BY place
            )
            FROM (SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) AS random) AS uuids,
                generate_series(9, 18) AS place
        $$
        """
    )
    op.execute(
        """
        CREATE TABLE orders (
            id UUID NOT NULL DEFAULT uuidv7(),
            user_id UUID,
            order_number VARCHAR(32) NOT NULL DEFAULT new_order_number(),
            status VARCHAR(20) NOT NULL DEFAULT 'pending',
            payment_status VARCHAR(20) NOT NULL DEFAULT 'unpaid',
            fulfillment_status VARCHAR(20) NOT NULL DEFAULT 'unfulfilled',
            currency_code CHAR(3) NOT NULL,
            subtotal NUMERIC(12, 2) NOT NULL,
            tax_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            shipping_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            discount_amount NUMERIC(12, 2) NOT NULL DEFAULT 0,
            total_amount NUMERIC(12, 2) NOT NULL,
            customer_email VARCHAR(255) NOT NULL,
            coupon_code VARCHAR(50),
            idempotency_key VARCHAR(255),
            idempotency_fingerprint BYTEA,
            placed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT orders_pkey PRIMARY KEY (id),
            CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id)
                ON DELETE SET NULL ON UPDATE CASCADE,
            CONSTRAINT orders_idempotency_key_key UNIQUE (idempotency_key),
            CONSTRAINT orders_idempotency_fingerprint_check CHECK (
                idempotency_fingerprint IS NULL
                OR (idempotency_key IS NOT NULL AND octet_length(idempotency_fingerprint) = 32)
            ),
            CONSTRAINT orders_status_check CHECK (status IN (
                'pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded'
            )),
            CONSTRAINT orders_payment_status_check CHECK (payment_status IN (
                'unpaid', 'authorized', 'partially_paid', 'paid', 'partially_refunded', 'refunded'
            )),
            CONSTRAINT orders_fulfillment_status_check CHECK (fulfillment_status IN (
                'unfulfilled', 'partially_fulfilled', 'fulfilled', 'partially_returned', 'returned'
            )),
            CONSTRAINT orders_currency_code_check CHECK (currency_code ~ '^[A-Z]{3}$'),
            CONSTRAINT orders_subtotal_positive CHECK (subtotal >= 0 AND subtotal < 'NaN'),
            CONSTRAINT orders_tax_amount_positive CHECK (tax_amount >= 0 AND tax_amount < 'NaN'),
            CONSTRAINT orders_shipping_amount_positive CHECK (
                shipping_amount >= 0 AND shipping_amount < 'NaN'
            ),
            CONSTRAINT orders_discount_amount_positive CHECK (
                discount_amount >= 0 AND discount_amount < 'NaN'
            ),
            CONSTRAINT orders_total_amount_positive CHECK (total_amount >= 0 AND total_amount < 'NaN'),
            CONSTRAINT orders_total_amount_check CHECK (
                total_amount = subtotal + tax_amount + shipping_amount - discount_amount
            )
        )
        WITH (fillfactor = 90)
        """
    )
    # The named indexes of §3.2; the unique one is the rule as well.
    op.execute("CREATE INDEX idx_orders_user_id ON orders (user_id)")
    op.execute("CREATE UNIQUE INDEX idx_orders_order_number ON orders (order_number)")
    op.execute("CREATE INDEX idx_orders_status ON orders (status)")
    op.execute("CREATE INDEX idx_orders_placed_at ON orders (placed_at)")
    op.execute(
        "CREATE INDEX idx_orders_user_status_date ON orders (user_id, status, placed_at DESC)"
    )
    op.execute(
        """
        CREATE TRIGGER orders_set_updated_at BEFORE UPDATE ON orders
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )
    op.execute("COMMENT ON TABLE orders IS 'Customer orders'")
    op.execute(
        "COMMENT ON COLUMN orders.user_id IS 'Who ordered; NULL for a guest, and once the user is deleted (see deleted_user_orders)'"
    )
    op.execute(
        "COMMENT ON COLUMN orders.order_number IS 'What the customer is told: UTC date and 50 random bits in Crockford base 32, no counter'"
    )
    op.execute(
        "COMMENT ON COLUMN orders.status IS 'Where the order is: a step that is not in order_status_steps() is refused'"
    )
    op.execute(
        "COMMENT ON COLUMN orders.total_amount IS 'subtotal + tax_amount + shipping_amount - discount_amount'"
    )
    op.execute(
        "COMMENT ON COLUMN orders.idempotency_key IS 'The caller''s key: placing again with the same one answers with this order'"
    )
    op.execute(
        "COMMENT ON COLUMN orders.idempotency_fingerprint IS 'SHA-256 of the request, so that another request with the same key is refused'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE orders")
    op.execute("DROP FUNCTION new_order_number()")
