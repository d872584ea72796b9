"""Orders by django-oscar on the same server, in an environment and a database of its own."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from bench import processes, shops
from bench.load import Load, Run
from bench.shops import PLENTY, STRIDE, Goods, Sold
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / ".venv-oscar"
REQUIREMENTS = ROOT / "bench" / "oscar-requirements.lock"
PYTHON = ENVIRONMENT / "bin" / "python"
# -P: what lies beside the program is not for it, `oscar` least of all.
PROGRAM = (str(PYTHON), "-P", str(ROOT / "bench" / "oscar_shop.py"))
# A copy of the lock file it was installed from: is it another one, it is installed anew.
INSTALLED = ENVIRONMENT / "installed.lock"
SECONDS_TO_INSTALL = 180
# Django's threads share one interpreter: processes for so many callers, each with its threads. Four
# were no faster than two on two cores.
PROCESSES: Mapping[int, int] = {1: 1, 8: 2, 32: 2}
REFILL = """
    UPDATE basket_basket SET status = 'Open', date_submitted = NULL WHERE status <> 'Open';
    DELETE FROM basket_line WHERE stockrecord_id >= (
        SELECT min(id) + %(products)s FROM partner_stockrecord
    );
    INSERT INTO basket_line (
        basket_id, line_reference, product_id, stockrecord_id, quantity,
        price_currency, price_excl_tax, price_incl_tax, date_created, date_updated
    )
    SELECT b.id, s.product_id || '_' || s.id, s.product_id, s.id, 1,
        s.price_currency, s.price, s.price, now(), now()
    FROM (SELECT min(id) AS basket FROM basket_basket) AS first
    CROSS JOIN (SELECT min(id) AS record FROM partner_stockrecord) AS record
    CROSS JOIN generate_series(0, %(orders)s - 1) AS n
    CROSS JOIN generate_series(0, %(lines)s - 1) AS line
    JOIN basket_basket AS b ON b.id = first.basket + n
    JOIN partner_stockrecord AS s
        ON s.id = record.record + (n * %(lines)s + line) * %(stride)s %% %(products)s
    WHERE NOT EXISTS (SELECT FROM basket_line AS l WHERE l.basket_id = b.id);
    UPDATE partner_stockrecord SET num_in_stock = %(stock)s, num_allocated = 0
    WHERE num_in_stock <> %(stock)s OR num_allocated > 0;
"""
SOLD = """
    SELECT
        coalesce(sum(sold), 0)::integer,
        coalesce(sum(greatest(sold - num_in_stock, 0)), 0)::integer
    FROM (
        SELECT stockrecord_id, sum(quantity) AS sold FROM order_line WHERE id > %s GROUP BY 1
    ) AS line
    JOIN partner_stockrecord AS s ON s.id = line.stockrecord_id
"""
VACUUM = "VACUUM (ANALYZE) basket_basket, basket_line, partner_stockrecord, order_order, order_line"


class MissingError(Exception):
    """django-oscar cannot be installed here; the message says why."""


class InOscar:
    """A shop of oscar's."""

    runs_short = True

    def __init__(
        self, server: Settings, products: int, baskets: int, callers: tuple[int, ...]
    ) -> None:
        """Install oscar, if it is not yet, and make its database.

        Raises:
            MissingError: when it cannot be installed.
        """
        _install()
        self.callers = callers
        self._shop = shops.create(server, "oscar")
        # By TCP and with its password, which goes through the program's input.
        url = urlsplit(Server(server).url(with_password=True))
        self._url = url._replace(path="/oscar", query="").geturl()
        self._last_line = 0
        task = {"url": self._url, "products": products, "baskets": baskets}
        subprocess.run([*PROGRAM, "make"], input=msgspec.json.encode(task), check=True)

    def prepare(self, goods: Goods, orders: int) -> None:
        """Open the baskets again, fill those that need it, and set the stock."""
        numbers = {
            "products": goods.products,
            "lines": goods.lines,
            "orders": orders,
            "stock": PLENTY if goods.stock is None else goods.stock,
            "stride": STRIDE,
        }
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            psycopg.ClientCursor(connection).execute(REFILL, numbers)
            connection.execute(VACUUM)
            last = connection.execute("SELECT coalesce(max(id), 0) FROM order_line").fetchone()
        self._last_line = last[0] if last else 0
        shops.checkpoint(self._shop)

    def run(self, load: Load) -> Run:
        """Place the orders by `oscar_shop.py`, in as many processes as suit it best."""
        given = processes.tasks(self._url, load, PROCESSES[load.callers])
        return processes.run([*PROGRAM, "take"], given)

    def sold(self) -> Sold:
        """Count what is in the lines of orders."""
        with psycopg.connect(self._conninfo()) as connection:
            row = connection.execute(SOLD, (self._last_line,)).fetchone()
        pieces, oversold = row or (0, 0)
        return Sold(pieces=pieces, oversold=oversold)

    def _conninfo(self) -> str:
        return make_conninfo(conninfo(self._shop), options="")


def _install() -> None:
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if INSTALLED.is_file() and INSTALLED.read_text(encoding="utf-8") == wanted:
        return
    uv = Path(sys.executable).with_name("uv")
    make = ["venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)]
    locked = ["--no-deps", "--require-hashes", "--requirements", str(REQUIREMENTS)]
    install = ["pip", "install", "--quiet", "--python", str(PYTHON), *locked]
    try:
        for command in (make, install):
            subprocess.run(
                [uv, *command],
                check=True,
                timeout=SECONDS_TO_INSTALL,
                capture_output=True,
                text=True,
            )
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"it was not installed within {SECONDS_TO_INSTALL} s") from error
    except OSError as error:
        raise MissingError(f"uv cannot be run: {error}") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        raise MissingError(f"it cannot be installed: {said[-1] if said else error}") from error
    INSTALLED.write_text(wanted, encoding="utf-8")
