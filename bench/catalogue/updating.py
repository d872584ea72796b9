"""What our indexes cost a change of stock or price, against those of §3."""

from collections.abc import Iterator, Mapping
from functools import partial
from statistics import median

import psycopg
from psycopg.conninfo import make_conninfo

from bench import servers
from bench.catalogue import pgbench
from bench.frame import Competitor, Rounds
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

CLIENTS = 8
# 20,000 numbers, of which several are the same product where there are fewer.
TARGETS = """
    CREATE TABLE bench.targets (n, id) AS
    SELECT k, found.id
    FROM generate_series(1, 20000) AS k
    JOIN (
        SELECT
            id, row_number() OVER (ORDER BY hashtextextended(sku, 0)) - 1 AS place,
            count(*) OVER () AS many
        FROM products WHERE NOT has_variants
    ) AS found ON found.place = k % found.many
"""
WHICH = " WHERE id = (SELECT t.id FROM bench.targets AS t WHERE t.n = :n)"
CHANGES = {
    "stock": "\\set n random(1, 20000)\nUPDATE products SET stock_quantity = stock_quantity + 1",
    # A price goes up by a cent or down by one.
    "price": "\\set n random(1, 20000)\n\\set cents random(0, 1) * 2 - 1\n"
    "UPDATE products SET price = abs(price + :cents / 100.0)",
}


def competitors(size: int, settings: Settings, seconds: int) -> Iterator[tuple[str, Competitor]]:
    """Yield each way and change on one catalogue: as it is, without triggers, and literally."""
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        connection.execute(TARGETS)
        connection.execute("ALTER TABLE bench.targets ADD PRIMARY KEY (n)")
        connection.execute("ANALYZE bench.targets")
    admin = Server(settings).superuser_conninfo()

    def without_triggers(schema: str) -> str:
        options = f"-csession_replication_role=replica -csearch_path={schema}"
        return make_conninfo(admin, options=options)

    ways = {
        "ours": conninfo(settings),
        "indexes": without_triggers(settings.schema),
        "literal": without_triggers("literal"),
    }
    for kind, change in CHANGES.items():
        script = pgbench.Script(change + WHICH, prepared=True)
        for way, target in ways.items():
            client = pgbench.client(settings, target)
            yield f"{way}.{size}.{kind}", partial(_rate, client, script, seconds)


def _rate(client: pgbench.Client, script: pgbench.Script, seconds: int) -> Mapping[str, float]:
    with servers.directory() as path:
        rate = pgbench.rate(client, [script], clients=CLIENTS, seconds=seconds, directory=path)
    return {"rate": rate}


def summary(rounds: Rounds) -> Mapping[str, float]:
    """Return the ratios at the largest size, round by round."""
    most = max(int(name.split(".")[1]) for name in rounds)

    def ratio(way: str, kind: str) -> float:
        own, literal = (rounds[f"{each}.{most}.{kind}.rate"] for each in (way, "literal"))
        return median(a / b for a, b in zip(own, literal, strict=True))

    return {
        "stock_updates_vs_literal": ratio("indexes", "stock"),
        "price_updates_vs_literal": ratio("indexes", "price"),
        "stock_movements_vs_literal": ratio("ours", "stock"),
    }
