-- The specification's tables of the catalogue with its indexes (§3) and no other but one: without
-- the index on images, each of its statements would read all of them for each row.
CREATE SCHEMA literal;
CREATE TABLE literal.categories AS SELECT * FROM categories;
CREATE TABLE literal.brands AS SELECT * FROM brands;
CREATE TABLE literal.products AS
SELECT
    id, category_id, brand_id, name, slug, sku, description, price, compare_at_price,
    stock_quantity, track_inventory, attributes, tags, is_active, is_featured, created_at,
    updated_at, deleted_at
FROM products;
CREATE TABLE literal.product_images AS SELECT * FROM product_images;
CREATE TABLE literal.product_variants AS SELECT * FROM product_variants;
CREATE TABLE literal.product_reviews AS
SELECT id, product_id, user_id, rating, title, content, is_approved, created_at
FROM product_reviews;
ALTER TABLE literal.categories ADD PRIMARY KEY (id);
ALTER TABLE literal.brands ADD PRIMARY KEY (id);
ALTER TABLE literal.products ADD PRIMARY KEY (id);
ALTER TABLE literal.product_images ADD PRIMARY KEY (id);
ALTER TABLE literal.product_variants ADD PRIMARY KEY (id);
ALTER TABLE literal.product_reviews ADD PRIMARY KEY (id);
CREATE INDEX idx_products_slug ON literal.products (slug);
CREATE INDEX idx_products_sku ON literal.products (sku);
CREATE INDEX idx_products_category_id ON literal.products (category_id);
CREATE INDEX idx_products_brand_id ON literal.products (brand_id);
CREATE INDEX idx_products_active ON literal.products (is_active, deleted_at)
WHERE is_active = TRUE AND deleted_at IS NULL;
CREATE INDEX idx_products_featured ON literal.products (is_featured)
WHERE is_featured = TRUE AND is_active = TRUE;
CREATE INDEX idx_products_price ON literal.products (price);
CREATE INDEX idx_products_stock ON literal.products (stock_quantity) WHERE track_inventory = TRUE;
CREATE INDEX idx_products_search ON literal.products USING gin (
    to_tsvector('english', coalesce(name, '') || ' ' || coalesce(description, ''))
);
CREATE INDEX idx_products_attributes ON literal.products USING gin (attributes);
CREATE INDEX idx_products_tags ON literal.products USING gin (tags);
CREATE INDEX idx_categories_slug ON literal.categories (slug);
CREATE INDEX idx_categories_parent ON literal.categories (parent_id);
CREATE INDEX idx_reviews_product_id ON literal.product_reviews (product_id);
CREATE INDEX idx_reviews_approved ON literal.product_reviews (product_id, is_approved)
WHERE is_approved = TRUE;
CREATE INDEX idx_products_category_price ON literal.products (category_id, price)
WHERE is_active = TRUE AND deleted_at IS NULL;
CREATE INDEX idx_product_images_product_id ON literal.product_images (product_id);
CREATE INDEX idx_product_variants_product_id ON literal.product_variants (product_id);
