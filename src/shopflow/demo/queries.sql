-- name: begin_load
-- Wait for nobody's patience: a large shop takes longer than a statement or an idle session may.
SELECT set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true),
    -- GIN's pending list is emptied in few large steps instead of many small ones.
    set_config('gin_pending_list_limit', '65536', true),
    set_config('work_mem', '131072', true)

-- name: lock_catalogue
-- Let no second load begin beside this one.
LOCK TABLE products IN SHARE ROW EXCLUSIVE MODE

-- name: count_what_is_there
-- Say how much the shop holds of what the demo would bring.
SELECT (SELECT count(*) FROM products) AS products,
    (SELECT count(*) FROM categories) AS categories,
    (SELECT count(*) FROM brands) AS brands,
    (SELECT count(*) FROM coupons) AS coupons,
    (SELECT count(*) FROM orders) AS orders

-- name: stage_demo_products
-- Hold products until their variants are there.
CREATE TEMPORARY TABLE demo_products (LIKE products INCLUDING DEFAULTS) ON COMMIT DROP

-- name: stage_demo_variants
-- Hold variants until they go in with their products.
CREATE TEMPORARY TABLE demo_variants (LIKE product_variants INCLUDING DEFAULTS) ON COMMIT DROP

-- name: stage_demo_orders
-- Hold orders until their moment has come.
CREATE TEMPORARY TABLE demo_orders (LIKE orders INCLUDING DEFAULTS, PRIMARY KEY (id)) ON COMMIT DROP

-- name: stage_demo_steps
-- Hold what becomes of the orders.
CREATE TEMPORARY TABLE demo_steps (
    order_id uuid NOT NULL,
    status text NOT NULL,
    reason text,
    actor uuid,
    occurred_at timestamptz NOT NULL
) ON COMMIT DROP

-- name: insert_products
-- Insert the staged products and variants as one statement: the triggers look when it is over and
-- find every sum right. Products first would all be written twice.
WITH products_inserted AS (
    INSERT INTO products (
        id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
        stock_quantity, track_inventory, has_variants, attributes, tags, is_active, is_featured,
        created_at, updated_at
    )
    SELECT id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
        stock_quantity, track_inventory, has_variants, attributes, tags, is_active, is_featured,
        created_at, updated_at
    FROM demo_products
)
INSERT INTO product_variants (
    id, product_id, name, sku, price, compare_at_price, stock_quantity, option_values, sort_order,
    created_at, updated_at
)
SELECT id, product_id, name, sku, price, compare_at_price, stock_quantity, option_values, sort_order,
    created_at, updated_at
FROM demo_variants

-- name: take_orders_through
-- Place the staged orders and take their steps at the time of each: the history's trigger reads
-- time, reason and actor from settings, so one statement takes all orders that share them.
DO $$
DECLARE
    step record;
BEGIN
    FOR step IN
        SELECT occurred_at, status, reason, actor,
            array_agg(order_id ORDER BY order_id) AS orders
        FROM demo_steps
        GROUP BY occurred_at, status, reason, actor
        ORDER BY occurred_at, orders
    LOOP
        PERFORM set_config('shopflow.occurred_at', step.occurred_at::text, true),
            set_config('shopflow.reason', coalesce(step.reason, ''), true),
            set_config('shopflow.actor', coalesce(step.actor::text, ''), true);
        IF step.status = 'pending' THEN
            INSERT INTO orders (
                id, user_id, order_number, currency_code, subtotal, tax_amount, shipping_amount,
                discount_amount, total_amount, customer_email, coupon_code, placed_at, created_at,
                updated_at
            )
            SELECT id, user_id, order_number, currency_code, subtotal, tax_amount, shipping_amount,
                discount_amount, total_amount, customer_email, coupon_code, placed_at, created_at,
                updated_at
            FROM demo_orders WHERE id = ANY (step.orders);
        ELSE
            UPDATE orders
            SET status = step.status
            WHERE id = ANY (step.orders);
        END IF;
    END LOOP;
END
$$

-- name: empty_stage_of_products
-- Make room for the next products.
TRUNCATE demo_products, demo_variants

-- name: empty_stage_of_orders
-- Make room for the next orders.
TRUNCATE demo_orders, demo_steps

-- name: wait_as_long_as_it_takes
-- Lift the limit for VACUUM, which cannot run in a transaction with SET LOCAL.
SET statement_timeout = 0

-- name: vacuum
-- Gather statistics, set the visibility map and empty the pending lists of the GIN indexes.
VACUUM (ANALYZE) users, user_addresses, categories, brands, products, product_variants,
    product_images, product_reviews, product_stats, shipping_zones, shipping_methods, coupons,
    coupon_usage, carts, cart_items, orders, order_items, order_addresses, order_shipments,
    order_shipment_items, order_returns, order_return_items, payments, refunds, order_status_history

-- name: be_patient_no_more
-- Put the session's own limit back.
RESET statement_timeout
