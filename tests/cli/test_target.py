"""Which server a command works on, and what it refuses to do there."""

from pathlib import Path

import msgspec
import psycopg
import pytest

from shopflow.settings import Settings
from tests.cli.conftest import Run, shopflow

pytestmark = pytest.mark.acceptance
NEWER = "shopflow.postgres.conninfo.OLDEST_SERVER"


@pytest.mark.parametrize(
    "arguments",
    [
        ("psql",),
        ("roles",),
        ("migrate", "status"),
        ("demo", "load"),
        ("demo", "order"),
        ("import", "shopify", "none.csv"),
    ],
)
def test_a_stopped_server_is_named_and_not_started(
    inside: Run, server_directory: Path, arguments: tuple[str, ...]
) -> None:
    home = server_directory / "none"
    ran = inside(*arguments, SHOPFLOW_HOME=home)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: the server does not run: start it with shopflow up\n"
    assert not home.exists()


@pytest.mark.parametrize("arguments", [("demo", "order"), ("demo", "load"), ("up", "--demo")])
def test_production_gets_no_demo(
    inside: Run, empty_settings: Settings, arguments: tuple[str, ...]
) -> None:
    given = {
        "DATABASE_URL": empty_settings.database_url,
        "SHOPFLOW_ENVIRONMENT": "production",
    }
    ran = inside(*arguments, **given)
    assert ran.returncode == 1
    assert ran.stderr.startswith(
        "error: environment is production (environment: SHOPFLOW_ENVIRONMENT), and the demo"
    )
    with psycopg.connect(empty_settings.database_url or "") as connection:
        found = connection.execute("SELECT to_regclass('shopflow.orders')").fetchone()
    assert found == (None,)


def test_up_says_where_before_it_writes(external: str) -> None:
    with psycopg.connect(external) as connection:
        host, port, database, user = (
            getattr(connection.info, name) for name in ("host", "port", "dbname", "user")
        )
    ran = shopflow("up", "--once", DATABASE_URL=external)
    assert ran.returncode == 0, ran.stderr
    told = ran.stderr.splitlines()
    assert told[0] == (
        f"working on server {host}, port {port}, database {database}, user {user},"
        " from environment: DATABASE_URL"
    )
    assert len(told) > 1
    assert f"database    {database}\n" in ran.stdout
    assert "from        environment: DATABASE_URL\n" in ran.stdout


def test_the_demo_finds_a_shop_that_it_leaves_alone(inside: Run, settings: Settings) -> None:
    url = settings.database_url or ""
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO shopflow.brands (name, slug) VALUES ('Acme', 'acme')")
    up = shopflow("up", "--once", "--demo", DATABASE_URL=url)
    assert up.returncode == 0, up.stderr
    assert up.stderr.splitlines()[1:] == ["the shop holds 1 brand already: it stays"]
    load = inside("demo", "load", DATABASE_URL=url)
    assert load.returncode == 1
    assert load.stderr.startswith("error: the shop holds 1 brand; the demo is")
    none = inside("demo", "load", "--products", "0", DATABASE_URL=url)
    assert none.stderr == "error: products: must be at least 1 (got 0)\n"


def test_a_second_demo_is_no_failure(settings: Settings) -> None:
    given = {"DATABASE_URL": settings.database_url}
    assert shopflow("demo", "load", "--products", "20", **given).returncode == 0
    up = shopflow("up", "--once", "--demo", **given)
    assert up.returncode == 0
    assert up.stderr.splitlines()[1:] == ["the shop holds 20 products already: they stay"]


def test_url_of_a_role_is_for_the_embedded_server(
    inside: Run, external: str, test_server: Settings
) -> None:
    for given in ({"DATABASE_URL": external}, {"PGHOST": "db.example.com"}):
        ran = inside("url", "--role", "app", **given)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith("error: --role is for the embedded server")
    given = {"SHOPFLOW_HOME": str(test_server.home), "SHOPFLOW_SCHEMA": "unmade"}
    for arguments in (("--role", "app"), ("--role", "app", "--with-password"), ("--role", "owner")):
        ran = inside("url", *arguments, **given)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr == (
            f"error: there is no role unmade_{arguments[1]} yet: make it with shopflow roles\n"
        )


def test_an_old_server_is_not_usable(
    inside: Run, external: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = inside("status", "--json", DATABASE_URL=external)
    assert good.returncode == 0
    assert msgspec.json.decode(good.stdout)["usable"] is True
    monkeypatch.setattr(NEWER, 99)
    old = inside("status", "--json", DATABASE_URL=external)
    assert old.returncode == 3
    found = msgspec.json.decode(old.stdout)
    assert found["usable"] is False
    assert found["problem"].startswith("ShopFlow needs PostgreSQL 99 or later")
    roles = inside("roles", DATABASE_URL=external)
    assert roles.returncode == 1
    assert roles.stderr.startswith("error: ShopFlow needs PostgreSQL 99 or later")


def test_what_the_database_refuses_is_one_line_without_detail(
    inside: Run, settings: Settings, admin: psycopg.Connection
) -> None:
    url = settings.database_url or ""
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE shopflow.brands CASCADE")
    ran = inside("demo", "load", "--products", "1", DATABASE_URL=url)
    assert ran.returncode == 1
    assert ran.stderr.startswith('error: relation "brands" does not exist: the schema is not')
    assert ran.stderr.count("\n") == 1
    admin.execute("CREATE ROLE nobody_special LOGIN PASSWORD 'for this test'")
    host, database = f"127.0.0.1:{admin.info.port}", url.split("?")[0].rpartition("/")[2]
    plain = f"postgresql://nobody_special:for%20this%20test@{host}/{database}"
    roles = inside(
        "roles",
        DATABASE_URL=plain,
        SHOPFLOW_SCHEMA="special",
        SHOPFLOW_DATABASE_ROLE="not_made_yet",
    )
    assert roles.returncode == 1
    assert roles.stderr.startswith("error: nobody_special may not make the shop's roles")
    assert roles.stderr.count("\n") == 1
    admin.execute("DROP ROLE nobody_special")
