"""What stock in a narrow table of its own would bring: the same checkout, with it and as it is."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import psycopg

from bench import limit, shops
from bench.checkout import SIZES, Competition, InShopflow
from bench.frame import Bench, Competitor, Scale
from bench.shops import PLENTY, Goods
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

CALLERS, LINES = 8, 3
# place_orders() locks and reads the narrow rows, and the trigger of the movements changes them.
NARROW = """
    CREATE TABLE bench.stock (
        product_id uuid PRIMARY KEY, quantity integer NOT NULL CHECK (quantity >= 0)
    ) WITH (fillfactor = 50);
    INSERT INTO bench.stock SELECT id, {plenty} FROM products;
    CREATE OR REPLACE FUNCTION apply_stock_movements() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM FROM bench.stock
        WHERE product_id IN (SELECT product_id FROM moved) ORDER BY product_id FOR NO KEY UPDATE;
        UPDATE bench.stock AS s
        SET quantity = s.quantity + m.change
        FROM (SELECT product_id, sum(change) AS change FROM moved GROUP BY product_id) AS m
        WHERE s.product_id = m.product_id AND m.change <> 0;
        RETURN NULL;
    END
    $$;
    DO $change$
    DECLARE
        now text := pg_get_functiondef('place_orders(jsonb, boolean)'::regprocedure);
        locked text := replace(
            now,
            'products AS p WHERE p.id = ANY (products_sold) ORDER BY p.id',
            'bench.stock AS s WHERE s.product_id = ANY (products_sold) ORDER BY s.product_id'
        );
        narrow text := replace(
            locked,
            'coalesce(v.stock_quantity, p.stock_quantity)',
            'coalesce(v.stock_quantity, (
                SELECT s.quantity FROM bench.stock AS s WHERE s.product_id = p.id
            ))'
        );
    BEGIN
        IF locked = now OR narrow = locked THEN
            RAISE EXCEPTION 'place_orders() is not as this benchmark knows it';
        END IF;
        EXECUTE narrow;
    END
    $change$;
    VACUUM ANALYZE bench.stock
"""


def _narrow(shop: Settings) -> Settings:
    with psycopg.connect(conninfo(shop), autocommit=True) as connection:
        for statement in NARROW.format(plenty=PLENTY).rsplit(";\n", 1):
            connection.execute(statement.encode())
    return shop


@contextmanager
def _competitors(scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    size = SIZES[scale]
    goods = Goods(size.products, LINES)
    with shops.filled(size.products, size.orders) as server:
        found = {
            "products": shops.clone(server, "wide"),
            "narrow": _narrow(shops.clone(server, "narrow")),
        }
        yield {
            f"{name}.c{CALLERS}": partial(
                Competition(name, InShopflow(shop, limit.run), goods, size).measure, CALLERS
            )
            for name, shop in found.items()
        }


BENCH = Bench(
    name="stock",
    purpose="our own checkout with stock in products, as it is, and in a narrow table",
    unit={"rate": "1/s", "p50": "s", "p99": "s"},
    rounds={"tiny": 1, "default": 7},
    ratios={"products_vs_narrow_c8": ("products.c8.rate", "narrow.c8.rate")},
    competitors=_competitors,
)
