"""A line of a listing (§4.1) in SQL, which listings and searches share."""

from psycopg import sql

# Keys and values of the document, and what is joined for it to `page`, the ids of a page alone.
FIELDS = sql.SQL(
    """'id', p.id,
        'name', p.name,
        'slug', p.slug,
        'price', p.price,
        'compare_at_price', p.compare_at_price,
        'stock_quantity', p.stock_quantity,
        'category_name', c.name,
        'brand_name', b.name,
        'primary_image', pi.url,
        'avg_rating', s.rating_sum::numeric / nullif(s.rating_count, 0),
        'review_count', coalesce(s.rating_count, 0)"""
)
JOINS = sql.SQL(
    """JOIN products AS p ON p.id = page.id
    LEFT JOIN categories AS c ON c.id = p.category_id
    LEFT JOIN brands AS b ON b.id = p.brand_id
    LEFT JOIN product_images AS pi ON pi.product_id = p.id AND pi.is_primary
    LEFT JOIN product_stats AS s ON s.product_id = p.id"""
)
