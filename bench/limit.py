"""The limit: pgbench sends our own statements, with everything prepared that Python would do."""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psycopg

from bench.load import Load, Run
from bench.ours import ADDRESS
from shopflow.orders.reading import QUERIES
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

# What Python would send for the order of cart n.
REQUESTS = """
    TRUNCATE bench.requests;
    INSERT INTO bench.requests
    SELECT c.n, jsonb_build_array(jsonb_build_object(
        'n', 0,
        'cart_id', c.id,
        'user_id', c.user_id,
        'idempotency_key', %(tag)s || '-' || c.n,
        'fingerprint', repeat('00', 32),
        'customer_email', u.email,
        'currency_code', 'USD',
        'saved', 0,
        'subtotal', l.subtotal,
        'discount_amount', 0,
        'shipping_amount', 0,
        'tax_amount', 0,
        'included_tax_amount', 0,
        'total_amount', l.subtotal,
        'lines', l.lines,
        'addresses', %(addresses)s::jsonb
    ))
    FROM bench.carts AS c
    JOIN users AS u ON u.id = c.user_id
    CROSS JOIN LATERAL (
        SELECT sum(ci.quantity * p.price) AS subtotal, jsonb_agg(jsonb_build_object(
            'product_id', p.id,
            'quantity', ci.quantity,
            'unit_price', p.price,
            'discount_amount', 0,
            'tax_amount', 0,
            'tax_included', FALSE
        )) AS lines
        FROM cart_items AS ci
        JOIN products AS p ON p.id = ci.product_id
        WHERE ci.cart_id = c.id
    ) AS l
    WHERE c.n < %(orders)s;
    ANALYZE bench.requests;
"""
# What `place_orders` of orders/queries.sql is called with, for the request `:n`.
PARAMETERS = {
    "batch": "(SELECT r.request FROM bench.requests AS r WHERE r.n = :n)",
    "patient": "true",
}
_PARAMETER = re.compile(r"%\((\w+)\)s")


class _Transaction(msgspec.Struct, frozen=True):
    """A line of pgbench's log: seconds since the epoch, and how long it took."""

    number: int
    ended: float
    seconds: float


def our_statement() -> str:
    """Return what we send for the order of the request `:n` in `bench.requests`, for pgbench."""
    statement = QUERIES["place_orders"].sql.decode()
    return _PARAMETER.sub(lambda found: PARAMETERS[found[1]], statement)


def prepare(shop: Settings, orders: int, tag: str) -> None:
    """Write the requests for the carts that `shops.prepare` filled."""
    address = msgspec.structs.asdict(ADDRESS)
    addresses = [{"address_type": kind, **address} for kind in ("shipping", "billing")]
    given = {
        "orders": orders,
        "tag": tag,
        "addresses": msgspec.json.encode(addresses).decode(),
    }
    with psycopg.connect(conninfo(shop)) as connection:
        psycopg.ClientCursor(connection).execute(REQUESTS, given)


def run(shop: Settings, load: Load) -> Run:
    """Have pgbench place all orders of the load, however long it takes."""
    prepare(shop, load.orders, load.tag)
    each = load.orders // load.callers
    script = f"\\set i :i + 1\n\\set n :client_id * {each} + :i\n{our_statement()}\n"
    with tempfile.TemporaryDirectory(prefix="shopflow-pgbench-") as directory:
        path = Path(directory)
        (path / "order.sql").write_text(script, encoding="utf-8")
        subprocess.run(
            [
                Server(shop).binary("pgbench"),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={load.callers}",
                f"--jobs={min(load.callers, 2)}",
                f"--transactions={each}",
                "--define=i=-1",
                f"--file={path / 'order.sql'}",
                "--log",
                f"--log-prefix={path / 'log'}",
                conninfo(shop),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        logged = [_parsed(line) for log in path.glob("log.*") for line in _lines(log)]
    if len(logged) != each * load.callers:
        raise RuntimeError(f"pgbench placed {len(logged)} orders of {each * load.callers}")
    return _measured(logged, load.warm_up // load.callers)


def _lines(log: Path) -> Iterator[str]:
    yield from log.read_text(encoding="ascii").splitlines()


def _parsed(line: str) -> _Transaction:
    _client, number, microseconds, _script, epoch, fraction = line.split()[:6]
    return _Transaction(int(number), int(epoch) + int(fraction) / 1e6, int(microseconds) / 1e6)


def _measured(logged: Iterable[_Transaction], warm_up: int) -> Run:
    # pgbench numbers a client's transactions from 1 or from 0, by its version.
    kept = sorted(logged, key=lambda each: each.number)
    first = kept[0].number + warm_up
    kept = [each for each in kept if each.number >= first]
    return Run(
        begun=min(each.ended - each.seconds for each in kept),
        ended=max(each.ended for each in kept),
        seconds=[each.seconds for each in kept],
        refused=0,
    )
