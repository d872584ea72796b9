"""Create place_orders(): the checkout of several carts as one call, each with its own outcome."""

from alembic import op

revision = "20261124100380"
down_revision = "20261124100370"


def upgrade() -> None:
    # The plan is made once, for index lookups: what a batch holds the planner cannot know, and a
    # guess too high would read whole tables. A function that runs as its caller and finds tables by
    # the caller's search_path.
    op.execute(
        """
        CREATE FUNCTION place_orders(batch jsonb, patient boolean)
        RETURNS TABLE (
            n integer, outcome text, shortages jsonb, id uuid, order_number text, status text,
            currency_code text, total_amount numeric, placed_at timestamptz
        )
        LANGUAGE plpgsql
        SET plan_cache_mode = force_generic_plan
        SET enable_seqscan = off
        SET enable_hashjoin = off
        SET enable_mergejoin = off
        AS $$
        #variable_conflict use_column
        DECLARE
            wanted uuid[];
            buyers uuid[];
            coupons_used uuid[];
            held uuid[];
            variants uuid[];
            products_sold uuid[];
        BEGIN
            PERFORM require_read_committed('placing orders');
            SELECT array_agg(r.cart_id), array_agg(r.user_id) FILTER (WHERE r.user_id IS NOT NULL),
                array_agg(r.coupon_id) FILTER (WHERE r.coupon_id IS NOT NULL)
            INTO wanted, buyers, coupons_used
            FROM jsonb_to_recordset(batch) AS r (cart_id uuid, user_id uuid, coupon_id uuid);

            -- Everybody's order of locks: users, carts, variants, products, coupons; each by id.
            -- Users, because the order refers to them and a deletion takes the user before the cart.
            -- Where a coupon's rule is about the user, that user's orders come one after another.
            IF coupons_used IS NOT NULL THEN
                PERFORM FROM users AS u
                WHERE u.id IN (
                    SELECT r.user_id
                    FROM jsonb_to_recordset(batch) AS r (user_id uuid, coupon_id uuid)
                    JOIN coupons AS c ON c.id = r.coupon_id
                    WHERE c.per_user_limit IS NOT NULL OR c.first_order_only
                )
                ORDER BY u.id FOR NO KEY UPDATE;
            END IF;
            IF buyers IS NOT NULL THEN
                PERFORM FROM users AS u WHERE u.id = ANY (buyers) ORDER BY u.id FOR KEY SHARE;
            END IF;

            IF patient THEN
                held := ARRAY(
                    SELECT c.id FROM carts AS c WHERE c.id = ANY (wanted) ORDER BY c.id FOR UPDATE
                );
            ELSE
                -- Nobody waits for the cart of another.
                held := ARRAY(
                    SELECT c.id FROM carts AS c WHERE c.id = ANY (wanted) ORDER BY c.id
                    FOR UPDATE SKIP LOCKED
                );
                -- Nor long for the product of another, until the end of this transaction.
                PERFORM set_config('lock_timeout', '500ms', true);
            END IF;

            SELECT array_agg(l.variant_id) FILTER (WHERE l.variant_id IS NOT NULL), array_agg(p.id)
            INTO variants, products_sold
            FROM jsonb_to_recordset(batch) AS r (cart_id uuid, lines jsonb)
            CROSS JOIN jsonb_to_recordset(r.lines) AS l (product_id uuid, variant_id uuid)
            JOIN products AS p ON p.id = l.product_id
            WHERE r.cart_id = ANY (held) AND p.track_inventory;
            IF variants IS NOT NULL THEN
                PERFORM FROM product_variants AS v WHERE v.id = ANY (variants)
                ORDER BY v.id FOR NO KEY UPDATE;
            END IF;
            PERFORM FROM products AS p WHERE p.id = ANY (products_sold) ORDER BY p.id FOR NO KEY UPDATE;
            -- Whoever changes a line without locking its cart; after products, as their deletion does.
            PERFORM FROM cart_items AS ci WHERE ci.cart_id = ANY (held) ORDER BY ci.id FOR UPDATE;

            -- An unlimited coupon takes no lock.
            IF coupons_used IS NOT NULL THEN
                PERFORM FROM coupons AS c WHERE c.id = ANY (coupons_used) AND c.usage_limit IS NOT NULL
                ORDER BY c.id FOR NO KEY UPDATE;
            END IF;

            -- A statement of its own: it sees what the locks waited for.
            RETURN QUERY
            WITH request AS MATERIALIZED (
                SELECT
                    r.n, r.cart_id, r.user_id, r.idempotency_key, decode(r.fingerprint, 'hex') AS fingerprint,
                    r.customer_email, r.currency_code, r.coupon_id, r.coupon_code, r.saved,
                    r.subtotal, r.discount_amount, r.shipping_amount, r.tax_amount,
                    r.included_tax_amount, r.total_amount, r.lines, r.addresses,
                    c.id IS NOT NULL AS cart_found,
                    (c.user_id, c.coupon_id) IS NOT DISTINCT FROM (r.user_id, r.coupon_id)
                    AND (r.coupon_id IS NULL OR EXISTS (
                        SELECT FROM coupons AS cp
                        WHERE cp.id = r.coupon_id AND cp.is_active
                            AND (cp.discount_type, cp.discount_value, cp.min_order, cp.max_discount)
                                IS NOT DISTINCT FROM (
                                    r.discount_type, r.discount_value, r.min_order, r.max_discount
                                )
                    )) AS cart_same
                FROM jsonb_to_recordset(batch) AS r (
                    n integer, cart_id uuid, user_id uuid, idempotency_key text, fingerprint text,
                    customer_email text, currency_code text, coupon_id uuid, coupon_code text,
                    discount_type text, discount_value numeric, min_order numeric,
                    max_discount numeric, saved numeric, subtotal numeric, discount_amount numeric, shipping_amount numeric,
                    tax_amount numeric, included_tax_amount numeric, total_amount numeric,
                    lines jsonb, addresses jsonb
                )
                LEFT JOIN carts AS c ON c.id = r.cart_id
            ),

            before AS MATERIALIZED (
                SELECT
                    r.n, o.id, o.order_number, o.status, o.currency_code, o.total_amount, o.placed_at,
                    o.idempotency_fingerprint IS NOT DISTINCT FROM r.fingerprint AS same_request
                FROM request AS r
                JOIN orders AS o ON o.idempotency_key = r.idempotency_key
            ),

            -- What each line asks for, and what there is.
            line AS MATERIALIZED (
                SELECT
                    r.n, l.product_id, l.variant_id, l.quantity, l.unit_price, l.discount_amount,
                    l.tax_amount, l.tax_included, p.name AS product_name, v.name AS variant_name,
                    coalesce(v.sku, p.sku) AS sku, p.track_inventory,
                    ci.quantity IS NOT DISTINCT FROM l.quantity
                    AND coalesce(v.price, p.price) = l.unit_price AS same,
                    CASE
                        WHEN NOT p.is_active OR p.deleted_at IS NOT NULL THEN 0
                        WHEN p.has_variants AND v.is_active IS NOT TRUE THEN 0
                        WHEN p.track_inventory THEN coalesce(v.stock_quantity, p.stock_quantity)
                    END AS available
                FROM request AS r
                CROSS JOIN jsonb_to_recordset(r.lines) AS l (
                    product_id uuid, variant_id uuid, quantity integer, unit_price numeric,
                    discount_amount numeric, tax_amount numeric, tax_included boolean
                )
                JOIN products AS p ON p.id = l.product_id
                LEFT JOIN product_variants AS v ON v.id = l.variant_id
                LEFT JOIN cart_items AS ci
                    ON ci.cart_id = r.cart_id AND ci.product_id = l.product_id
                    AND ci.variant_id IS NOT DISTINCT FROM l.variant_id
                WHERE r.cart_id = ANY (held) AND r.cart_same
            ),

            -- The carts that are still as they were priced.
            fresh AS MATERIALIZED (
                SELECT l.n
                FROM line AS l
                JOIN request AS r ON r.n = l.n
                WHERE NOT EXISTS (SELECT FROM before AS b WHERE b.n = l.n)
                GROUP BY l.n, r.cart_id
                HAVING bool_and(l.same)
                    AND count(*) = (SELECT count(*) FROM cart_items AS ci WHERE ci.cart_id = r.cart_id)
            ),

            -- First come, first served: what is wanted up to and with each line.
            queued AS MATERIALIZED (
                SELECT
                    l.n, coalesce(l.variant_id, l.product_id) AS stock, l.product_id, l.variant_id,
                    l.sku, l.quantity, l.available,
                    sum(l.quantity) OVER (
                        PARTITION BY coalesce(l.variant_id, l.product_id) ORDER BY l.n
                    ) AS wanted
                FROM line AS l
                JOIN fresh AS f ON f.n = l.n
            ),

            coupon_queued AS MATERIALIZED (
                SELECT
                    r.n, r.coupon_id, c.usage_limit - c.used_count AS uses_left,
                    row_number() OVER (PARTITION BY r.coupon_id ORDER BY r.n) AS wanted
                FROM request AS r
                JOIN fresh AS f ON f.n = r.n
                JOIN coupons AS c ON c.id = r.coupon_id
                WHERE c.usage_limit IS NOT NULL
            ),

            accepted AS MATERIALIZED (
                SELECT r.*, uuidv7() AS order_id
                FROM request AS r
                JOIN fresh AS f ON f.n = r.n
                WHERE NOT EXISTS (SELECT FROM queued AS q WHERE q.n = r.n AND q.wanted > q.available)
                    AND NOT EXISTS (
                        SELECT FROM coupon_queued AS q WHERE q.n = r.n AND q.wanted > q.uses_left
                    )
            ),

            -- Who was refused only for somebody ahead who was refused as well is asked again.
            short AS MATERIALIZED (
                SELECT
                    q.n,
                    jsonb_agg(jsonb_build_object(
                        'product_id', q.product_id, 'variant_id', q.variant_id, 'sku', q.sku,
                        'wanted', q.quantity, 'available', q.available - q.taken
                    ) ORDER BY q.sku) AS shortages
                FROM (
                    SELECT
                        w.n, w.product_id, w.variant_id, w.sku, w.quantity, w.available,
                        coalesce(sum(CASE WHEN a.n IS NOT NULL THEN w.quantity END) OVER (
                            PARTITION BY w.stock ORDER BY w.n
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                        ), 0) AS taken
                    FROM queued AS w
                    LEFT JOIN accepted AS a ON a.n = w.n
                ) AS q
                WHERE q.quantity > q.available - q.taken
                GROUP BY q.n
            ),

            used_up AS (
                SELECT q.n
                FROM coupon_queued AS q
                WHERE q.uses_left <= (
                    SELECT count(*)
                    FROM coupon_queued AS t
                    JOIN accepted AS a ON a.n = t.n
                    WHERE t.coupon_id = q.coupon_id AND t.n < q.n
                )
            ),

            placed AS (
                INSERT INTO orders (
                    id, user_id, customer_email, currency_code, coupon_code, idempotency_key,
                    idempotency_fingerprint, subtotal, discount_amount, shipping_amount, tax_amount,
                    included_tax_amount, total_amount
                )
                SELECT
                    a.order_id, a.user_id, a.customer_email, a.currency_code, a.coupon_code,
                    a.idempotency_key, a.fingerprint, a.subtotal, a.discount_amount, a.shipping_amount,
                    a.tax_amount, a.included_tax_amount, a.total_amount
                FROM accepted AS a
                RETURNING
                    orders.id, orders.order_number, orders.status, orders.currency_code,
                    orders.total_amount, orders.placed_at
            ),

            items AS (
                INSERT INTO order_items (
                    order_id, product_id, variant_id, product_name, variant_name, sku, quantity,
                    unit_price, subtotal, discount_amount, tax_amount, tax_included, image_url
                )
                SELECT
                    a.order_id, l.product_id, l.variant_id, l.product_name, l.variant_name, l.sku,
                    l.quantity, l.unit_price, l.quantity * l.unit_price, l.discount_amount, l.tax_amount,
                    l.tax_included,
                    (
                        SELECT pi.url
                        FROM product_images AS pi
                        WHERE pi.product_id = l.product_id
                            AND (pi.variant_id = l.variant_id OR pi.is_primary)
                        ORDER BY (pi.variant_id = l.variant_id) DESC NULLS LAST, pi.sort_order, pi.id
                        LIMIT 1
                    )
                FROM accepted AS a
                JOIN line AS l ON l.n = a.n
            ),

            addresses AS (
                INSERT INTO order_addresses (
                    order_id, address_type, first_name, last_name, address_line_1, address_line_2,
                    city, state, postal_code, country_code
                )
                SELECT
                    a.order_id, d.address_type, d.first_name, d.last_name, d.address_line_1,
                    d.address_line_2, d.city, d.state, d.postal_code, d.country_code
                FROM accepted AS a
                CROSS JOIN jsonb_to_recordset(a.addresses) AS d (
                    address_type text, first_name text, last_name text, address_line_1 text,
                    address_line_2 text, city text, state text, postal_code text, country_code text
                )
            ),

            -- Its trigger takes the stock.
            movements AS (
                INSERT INTO stock_movements (product_id, variant_id, change, reason, order_id)
                SELECT l.product_id, l.variant_id, -l.quantity, 'sale', a.order_id
                FROM accepted AS a
                JOIN line AS l ON l.n = a.n
                WHERE l.track_inventory
            ),

            coupon_uses AS (
                INSERT INTO coupon_usage (coupon_id, user_id, order_id, discount_amount)
                SELECT a.coupon_id, a.user_id, a.order_id, a.saved
                FROM accepted AS a
                WHERE a.coupon_id IS NOT NULL
            ),

            emptied AS (
                DELETE FROM cart_items AS ci USING accepted AS a WHERE ci.cart_id = a.cart_id
            ),

            uncouponed AS (
                UPDATE carts AS c SET coupon_id = NULL
                FROM accepted AS a WHERE c.id = a.cart_id AND a.coupon_id IS NOT NULL
            )

            SELECT a.n, 'placed', NULL::jsonb, p.id, p.order_number::text, p.status::text,
                p.currency_code::text, p.total_amount, p.placed_at
            FROM placed AS p
            JOIN accepted AS a ON a.order_id = p.id
            UNION ALL
            SELECT
                r.n,
                CASE
                    WHEN b.same_request THEN 'repeated'
                    WHEN b.n IS NOT NULL THEN 'key taken'
                    WHEN NOT r.cart_found THEN 'no cart'
                    WHEN r.cart_id <> ALL (held) THEN 'busy'
                    WHEN f.n IS NULL THEN 'changed'
                    WHEN s.n IS NOT NULL THEN 'short'
                    WHEN u.n IS NOT NULL THEN 'coupon used up'
                    ELSE 'again'
                END,
                s.shortages, b.id, b.order_number::text, b.status::text, b.currency_code::text,
                b.total_amount, b.placed_at
            FROM request AS r
            LEFT JOIN before AS b ON b.n = r.n
            LEFT JOIN fresh AS f ON f.n = r.n
            LEFT JOIN short AS s ON s.n = r.n
            LEFT JOIN used_up AS u ON u.n = r.n
            WHERE NOT EXISTS (SELECT FROM accepted AS a WHERE a.n = r.n);
        END
        $$
        """
    )
    op.execute(
        """
        COMMENT ON FUNCTION place_orders(jsonb, boolean) IS
            'Places an order for each priced cart of the batch that is still as it was priced, first come first served, and says of each what became of it; shopflow.orders calls it'
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION place_orders(jsonb, boolean)")
