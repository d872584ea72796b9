-- Each returns one text for each thing that breaks the rule, with ids alone: nobody's data.

-- name: stock_is_not_negative
-- No product or variant has less than nothing in stock.
SELECT format('product %%s has %%s in stock', id, stock_quantity) AS found
FROM products WHERE stock_quantity < 0
UNION ALL
SELECT format('variant %%s has %%s in stock', id, stock_quantity)
FROM product_variants WHERE stock_quantity < 0;

-- name: stock_is_the_sum_of_its_movements
-- Of a product without variants by its own movements, of a variant by its own.
WITH movement AS (
    SELECT m.product_id, m.variant_id, sum(m.change) AS total
    FROM stock_movements AS m
    GROUP BY m.product_id, m.variant_id
)

SELECT format('product %%s has %%s in stock, its movements make %%s', p.id, p.stock_quantity, coalesce(m.total, 0))
    AS found
FROM products AS p
LEFT JOIN movement AS m ON m.product_id = p.id AND m.variant_id IS NULL
WHERE CASE WHEN p.has_variants THEN 0 ELSE p.stock_quantity END <> coalesce(m.total, 0)
UNION ALL
SELECT format('variant %%s has %%s in stock, its movements make %%s', v.id, v.stock_quantity, coalesce(m.total, 0))
FROM product_variants AS v
LEFT JOIN movement AS m ON m.product_id = v.product_id AND m.variant_id = v.id
WHERE v.stock_quantity <> coalesce(m.total, 0);

-- name: product_has_what_its_variants_have
-- The stock of a product with variants is that of the active ones.
SELECT format('product %%s has %%s in stock, its variants %%s', p.id, p.stock_quantity, v.total) AS found
FROM products AS p
JOIN (
    SELECT product_id, coalesce(sum(stock_quantity) FILTER (WHERE is_active), 0) AS total
    FROM product_variants GROUP BY product_id
) AS v ON v.product_id = p.id
WHERE p.stock_quantity <> v.total;

-- name: order_adds_up
-- Its lines make its subtotal, and its amounts its total, to the cent; the parts of the lines in
-- discount and tax are not more than the order's.
SELECT format('order %%s: subtotal %%s of lines %%s, total %%s', o.id, o.subtotal, i.subtotal, o.total_amount)
    AS found
FROM orders AS o
LEFT JOIN (
    SELECT order_id, sum(subtotal) AS subtotal, sum(discount_amount) AS discount,
        sum(tax_amount) AS tax, bool_or(subtotal <> quantity * unit_price) AS wrong
    FROM order_items GROUP BY order_id
) AS i ON i.order_id = o.id
WHERE o.subtotal <> coalesce(i.subtotal, 0)
    OR i.wrong
    OR o.total_amount <> o.subtotal + o.tax_amount + o.shipping_amount - o.discount_amount
    OR o.total_amount < 0
    OR i.discount > o.discount_amount
    OR i.tax > o.tax_amount + o.included_tax_amount;

-- name: line_counts_what_was_sent_and_came_back
-- Never more sent than bought, nor more back than sent.
SELECT format('line %%s: %%s bought, %%s sent, %%s back', i.id, i.quantity, i.fulfilled_quantity, i.returned_quantity)
    AS found
FROM order_items AS i
LEFT JOIN (
    SELECT order_item_id, sum(quantity) AS pieces FROM order_shipment_items GROUP BY 1
) AS s ON s.order_item_id = i.id
LEFT JOIN (
    SELECT order_item_id, sum(quantity) AS pieces FROM order_return_items GROUP BY 1
) AS r ON r.order_item_id = i.id
WHERE i.fulfilled_quantity <> coalesce(s.pieces, 0)
    OR i.returned_quantity <> coalesce(r.pieces, 0)
    OR i.fulfilled_quantity > i.quantity
    OR i.returned_quantity > i.fulfilled_quantity;

-- name: capture_is_within_the_payment
-- No more was captured than the payment is for.
SELECT format('payment %%s of %%s: %%s captured', id, amount, captured_amount) AS found
FROM payments WHERE captured_amount > amount;

-- name: refunds_are_within_the_capture
-- No more is given back, or about to be, than was captured.
SELECT format('payment %%s: %%s captured, %%s refunded', p.id, p.captured_amount, r.amount) AS found
FROM payments AS p
JOIN (
    SELECT payment_id, sum(amount) AS amount FROM refunds WHERE status <> 'failed' GROUP BY 1
) AS r ON r.payment_id = p.id
WHERE r.amount > p.captured_amount;

-- name: limited_coupon_counts_its_uses
-- And they stay within the limit; without a limit nobody counts.
SELECT format('coupon %%s: %%s uses counted, there are %%s', c.id, c.used_count, count(u.id)) AS found
FROM coupons AS c
LEFT JOIN coupon_usage AS u ON u.coupon_id = c.id
WHERE c.usage_limit IS NOT NULL
GROUP BY c.id
HAVING c.used_count <> count(u.id) OR c.used_count > c.usage_limit;

-- name: history_ends_where_the_order_is
-- The last step of an order's history is its status.
SELECT format('order %%s is %%s, its history ends with %%s', o.id, o.status, coalesce(h.status, 'nothing')) AS found
FROM orders AS o
LEFT JOIN (
    SELECT DISTINCT ON (order_id) order_id, status
    FROM order_status_history ORDER BY order_id, created_at DESC, id DESC
) AS h ON h.order_id = o.id
WHERE h.status IS DISTINCT FROM o.status;
