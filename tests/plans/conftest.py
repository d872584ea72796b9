"""A shop of 20,000 products and as many orders, loaded once, cloned for a module, and what a plan reads."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
from psycopg import sql

from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.queries import Query
from shopflow.settings import Settings
from tests.conftest import new_database

SHOP = (Path(__file__).parent / "shop.sql").read_bytes()
PLACEHOLDER = re.compile(rb"%\((\w+)\)s")


class Plan(msgspec.Struct):
    """What a plan reads: the indexes, and the tables from one end to the other."""

    indexes: set[str]
    scanned: set[str]
    text: str


Explain = Callable[[Query, Mapping[str, object]], list[Plan]]


@pytest.fixture(scope="session")
def large_template(
    test_server: Settings, admin: psycopg.Connection, template_database: str
) -> Iterator[str]:
    """The name of a database with the shop; nobody connects to it.

    It takes a minute, so that all tests that use it run in one of pytest's workers.
    """
    with new_database(admin, test_server, template=template_database) as settings:
        with psycopg.connect(conninfo(settings), autocommit=True) as connection:
            connection.execute("SET statement_timeout = 0")
            connection.execute(SHOP)
            connection.execute("VACUUM ANALYZE")
        yield urlsplit(str(settings.database_url)).path.removeprefix("/")


@pytest.fixture(scope="module")
def large_shop(
    test_server: Settings, admin: psycopg.Connection, large_template: str
) -> Iterator[psycopg.ClientCursor[Any]]:
    with (
        new_database(admin, test_server, template=large_template) as settings,
        psycopg.connect(conninfo(settings), autocommit=True) as connection,
    ):
        connection.execute("SET statement_timeout = 0")
        yield psycopg.ClientCursor(connection)


@pytest.fixture
def explain(large_shop: psycopg.ClientCursor[Any]) -> Explain:
    """The plans that a query's own text may get: for its values, and once prepared."""

    def plans_of(query: Query, params: Mapping[str, object]) -> list[Plan]:
        modes = ["custom"] if query.custom_plan else ["custom", "generic"]
        return [_plan(large_shop, mode, query, params) for mode in modes]

    return plans_of


@pytest.fixture
def planned_once(large_shop: psycopg.ClientCursor[Any]) -> Callable[[Query, str], bool]:
    """Whether PostgreSQL keeps the plan of a query of one parameter, run with this value."""

    def kept(query: Query, value: str) -> bool:
        large_shop.execute("DEALLOCATE ALL")
        large_shop.execute("SET plan_cache_mode = auto")
        large_shop.execute(b"PREPARE query AS " + PLACEHOLDER.sub(b"$1", query.sql))
        # The first five are planned for their values, and what that costs is compared then.
        for _ in range(6):
            large_shop.execute("EXECUTE query (%s)", [value])
        large_shop.execute("SELECT generic_plans > 0 FROM pg_prepared_statements")
        return large_shop.fetchall() == [(True,)]

    return kept


def _plan(
    cursor: psycopg.ClientCursor[Any], mode: str, query: Query, params: Mapping[str, object]
) -> Plan:
    # In the order in which PREPARE counts them.
    names = list(dict.fromkeys(name.decode() for name in PLACEHOLDER.findall(query.sql)))
    numbered = PLACEHOLDER.sub(
        lambda found: b"$%d" % (names.index(found[1].decode()) + 1), query.sql
    )
    values = sql.SQL(", ").join(sql.Placeholder(name) for name in names)
    explain = sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE query {}").format(
        sql.SQL("({})").format(values) if names else sql.SQL("")
    )
    cursor.execute("DEALLOCATE ALL")
    cursor.execute("SELECT set_config('plan_cache_mode', %s, false)", [f"force_{mode}_plan"])
    cursor.execute(b"PREPARE query AS " + numbered)
    cursor.execute(explain, params)
    ((document,),) = cursor.fetchall()
    nodes = list(_nodes(document[0]["Plan"]))
    return Plan(
        indexes={node["Index Name"] for node in nodes if "Index Name" in node},
        scanned={node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"},
        text=f"{mode} plan: {document}",
    )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)
