-- name: create_zone
-- A new zone, without methods.
INSERT INTO shipping_zones (name, countries, states, priority, is_active)
VALUES (%(name)s, %(countries)s::text[], %(states)s::text[], %(priority)s, %(is_active)s)
RETURNING id;

-- name: list_zones
-- Every zone with its methods, in the order in which they are taken where they overlap.
SELECT coalesce(json_agg(json_build_object(
    'id', z.id,
    'name', z.name,
    'countries', z.countries,
    'states', z.states,
    'priority', z.priority,
    'is_active', z.is_active,
    'methods', (
        SELECT coalesce(json_agg(json_build_object(
            'id', m.id,
            'name', m.name,
            'carrier', m.carrier,
            'price', m.price,
            'estimated_days', m.estimated_days,
            'free_above', m.free_above,
            'is_active', m.is_active
        ) ORDER BY m.price, m.id), '[]')
        FROM shipping_methods AS m
        WHERE m.zone_id = z.id
    )
) ORDER BY z.priority DESC, z.states = '{}', z.id), '[]')
FROM shipping_zones AS z;

-- name: delete_zone
-- A zone and its methods go; orders keep what they were charged.
DELETE FROM shipping_zones WHERE id = %(id)s;

-- name: create_method
-- A new method of a zone.
INSERT INTO shipping_methods (
    zone_id, name, carrier, price, estimated_days, free_above, is_active
)
VALUES (
    %(zone_id)s, %(name)s, %(carrier)s, %(price)s, %(estimated_days)s, %(free_above)s, %(is_active)s
)
RETURNING id;

-- name: delete_method
-- A method goes; orders keep what they were charged.
DELETE FROM shipping_methods WHERE id = %(id)s;
