"""Write an event for what happens to users, reviews and products, when somebody listens."""

from alembic import op

revision = "20261124100740"
down_revision = "20261124100730"


def upgrade() -> None:
    # Many rows may come at once here, and no bookkeeping needs their events: they are written when
    # a consumer wants them.
    op.execute(
        """
        CREATE FUNCTION write_user_event() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            happened text;
        BEGIN
            IF is_brought_in() THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'INSERT' THEN
                IF is_listened_to('user.registered') THEN
                    INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                    SELECT 'user', id, 'user.registered', jsonb_build_object('role', role)
                    FROM new_users ORDER BY id;
                END IF;
                RETURN NULL;
            END IF;
            happened := CASE
                WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL THEN 'user.deleted'
                WHEN OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL THEN 'user.restored'
                ELSE 'user.email_verified'
            END;
            IF is_listened_to(happened) THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                VALUES ('user', NEW.id, happened, jsonb_build_object('role', NEW.role));
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER users_events_insert AFTER INSERT ON users
        REFERENCING NEW TABLE AS new_users FOR EACH STATEMENT EXECUTE FUNCTION write_user_event()
        """
    )
    op.execute(
        """
        CREATE TRIGGER users_events_update AFTER UPDATE OF deleted_at, email_verified ON users
        FOR EACH ROW WHEN (
            (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
            OR (NEW.email_verified AND NOT OLD.email_verified)
        )
        EXECUTE FUNCTION write_user_event()
        """
    )
    op.execute(
        """
        CREATE FUNCTION write_review_event() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        BEGIN
            IF is_brought_in() THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'INSERT' THEN
                IF is_listened_to('review.submitted') THEN
                    INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                    SELECT 'review', id, 'review.submitted',
                        jsonb_build_object('product_id', product_id, 'rating', rating)
                    FROM new_reviews ORDER BY id;
                END IF;
                IF is_listened_to('review.approved') THEN
                    INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                    SELECT 'review', id, 'review.approved',
                        jsonb_build_object('product_id', product_id, 'rating', rating)
                    FROM new_reviews WHERE is_approved ORDER BY id;
                END IF;
            ELSIF is_listened_to('review.approved') THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                VALUES ('review', NEW.id, 'review.approved',
                    jsonb_build_object('product_id', NEW.product_id, 'rating', NEW.rating));
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_reviews_events_insert AFTER INSERT ON product_reviews
        REFERENCING NEW TABLE AS new_reviews FOR EACH STATEMENT EXECUTE FUNCTION write_review_event()
        """
    )
    op.execute(
        """
        CREATE TRIGGER product_reviews_events_update AFTER UPDATE OF is_approved ON product_reviews
        FOR EACH ROW WHEN (NEW.is_approved AND NOT OLD.is_approved) EXECUTE FUNCTION write_review_event()
        """
    )
    op.execute(
        """
        CREATE FUNCTION write_product_event() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
        DECLARE
            happened text;
        BEGIN
            IF is_brought_in() THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'INSERT' THEN
                IF is_listened_to('product.created') THEN
                    INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                    SELECT 'product', id, 'product.created', jsonb_build_object(
                        'slug', slug, 'sku', sku, 'price', price::text, 'is_active', is_active
                    )
                    FROM new_products ORDER BY id;
                END IF;
                RETURN NULL;
            END IF;
            happened := CASE
                WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL THEN 'product.archived'
                WHEN OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL THEN 'product.restored'
                ELSE 'product.updated'
            END;
            IF is_listened_to(happened) THEN
                INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, payload)
                VALUES ('product', NEW.id, happened, jsonb_build_object(
                    'slug', NEW.slug, 'sku', NEW.sku, 'price', NEW.price::text, 'is_active', NEW.is_active
                ));
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER products_events_insert AFTER INSERT ON products
        REFERENCING NEW TABLE AS new_products FOR EACH STATEMENT EXECUTE FUNCTION write_product_event()
        """
    )
    # Not of stock_quantity: a sale changes nothing else, and costs nothing here.
    op.execute(
        """
        CREATE TRIGGER products_events_update AFTER UPDATE OF
            name, slug, sku, description, price, compare_at_price, category_id, brand_id, attributes,
            tags, is_active, is_featured, track_inventory, deleted_at
        ON products
        FOR EACH ROW WHEN (
            (OLD.name, OLD.slug, OLD.sku, OLD.description, OLD.price, OLD.compare_at_price,
                OLD.category_id, OLD.brand_id, OLD.attributes, OLD.tags, OLD.is_active,
                OLD.is_featured, OLD.track_inventory, OLD.deleted_at)
            IS DISTINCT FROM
            (NEW.name, NEW.slug, NEW.sku, NEW.description, NEW.price, NEW.compare_at_price,
                NEW.category_id, NEW.brand_id, NEW.attributes, NEW.tags, NEW.is_active,
                NEW.is_featured, NEW.track_inventory, NEW.deleted_at)
        )
        EXECUTE FUNCTION write_product_event()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER products_events_update ON products")
    op.execute("DROP TRIGGER products_events_insert ON products")
    op.execute("DROP TRIGGER product_reviews_events_update ON product_reviews")
    op.execute("DROP TRIGGER product_reviews_events_insert ON product_reviews")
    op.execute("DROP TRIGGER users_events_update ON users")
    op.execute("DROP TRIGGER users_events_insert ON users")
    op.execute("DROP FUNCTION write_product_event()")
    op.execute("DROP FUNCTION write_review_event()")
    op.execute("DROP FUNCTION write_user_event()")
