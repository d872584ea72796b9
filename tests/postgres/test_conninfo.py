"""What every connection is made from, and that the server takes it as meant."""

import re

import msgspec
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from shopflow import settings as settings_module
from shopflow.errors import ConfigurationError
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings


def with_url(url: str, **overrides: object) -> Settings:
    return settings_module.load({}, file=None, database_url=url, **overrides)


def show(settings: Settings, *names: str) -> list[str]:
    with psycopg.connect(conninfo(settings)) as connection:
        rows = connection.execute(
            "SELECT current_setting(name) FROM unnest(%(names)s::text[]) AS name",
            {"names": list(names)},
        )
        return [value for (value,) in rows]


def test_the_session_settings_are_in_force(empty_settings: Settings) -> None:
    settings = msgspec.structs.replace(
        empty_settings,
        statement_timeout=7.0,
        lock_timeout=0.25,
        idle_in_transaction_session_timeout=9.0,
    )
    found = show(
        settings,
        "search_path",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "application_name",
    )
    assert found == ["shopflow, public, pg_temp", "7s", "250ms", "9s", "shopflow"]


def test_zero_switches_a_timeout_off(empty_settings: Settings) -> None:
    settings = msgspec.structs.replace(empty_settings, statement_timeout=0.0)
    assert show(settings, "statement_timeout") == ["0"]


def test_a_timeout_below_a_millisecond_does_not_become_none(empty_settings: Settings) -> None:
    settings = msgspec.structs.replace(empty_settings, lock_timeout=0.0001)
    assert show(settings, "lock_timeout") == ["1ms"]


def test_a_role_with_a_space_and_a_backslash_is_taken(
    empty_settings: Settings, admin: psycopg.Connection
) -> None:
    admin.execute(r'CREATE ROLE "odd \ role" NOLOGIN')
    try:
        admin.execute(r'GRANT "odd \ role" TO shopflow_owner')
        settings = msgspec.structs.replace(empty_settings, database_role=r"odd \ role")
        with psycopg.connect(conninfo(settings)) as connection:
            found = connection.execute("SELECT current_user, session_user").fetchone()
        assert found == (r"odd \ role", "shopflow_owner")
    finally:
        admin.execute(r'DROP ROLE "odd \ role"')


def test_options_of_the_url_are_kept_and_ours_win(empty_settings: Settings) -> None:
    url = empty_settings.database_url or ""
    joint = "&" if "?" in url else "?"
    given = f"{joint}options=-c%20work_mem%3D5MB%20-c%20lock_timeout%3D1ms"
    settings = msgspec.structs.replace(empty_settings, database_url=url + given)
    assert show(settings, "work_mem", "lock_timeout") == ["5MB", "5s"]


def test_pgoptions_is_kept(empty_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=6MB")
    url = re.sub("&options=[^&]*", "", empty_settings.database_url or "")
    settings = msgspec.structs.replace(empty_settings, database_url=url)
    assert show(settings, "work_mem") == ["6MB"]


def test_several_hosts_go_through(empty_settings: Settings) -> None:
    settings = with_url(
        "postgresql://shop@one:5433,two:5434,[::1]:5435/db"
        "?target_session_attrs=read-write&load_balance_hosts=random"
    )
    found = conninfo_to_dict(conninfo(settings))
    assert found["host"] == "one,two,::1"
    assert found["port"] == "5433,5434,5435"
    assert found["target_session_attrs"] == "read-write"
    assert found["load_balance_hosts"] == "random"


def test_the_second_host_serves_when_the_first_is_gone(empty_settings: Settings) -> None:
    given = conninfo_to_dict(empty_settings.database_url or "")
    url = (empty_settings.database_url or "").replace(
        f"{given['host']}:{given['port']}", f"{given['host']}:1,{given['host']}:{given['port']}"
    )
    settings = msgspec.structs.replace(empty_settings, database_url=url)
    assert show(settings, "application_name") == ["shopflow"]


def test_what_the_url_says_of_dead_peers_and_its_name_is_kept() -> None:
    settings = with_url("postgresql:///db?keepalives_idle=3&connect_timeout=9&application_name=x")
    found = conninfo_to_dict(conninfo(settings))
    assert (found["keepalives_idle"], found["connect_timeout"]) == ("3", "9")
    assert found["application_name"] == "x"
    assert conninfo_to_dict(conninfo(settings, application_name="y"))["application_name"] == "y"


def test_dead_peers_are_noticed() -> None:
    found = conninfo_to_dict(conninfo(with_url("postgresql://shop@db/shop")))
    assert found["tcp_user_timeout"] == "20000"
    assert found["keepalives"] == "1"
    # §5.1: 2 s for a new connection.
    assert found["connect_timeout"] == "2"


def test_pg_variables_fill_in_what_is_missing(
    empty_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = conninfo_to_dict(empty_settings.database_url or "")
    environ = {
        "PGHOST": str(given["host"]),
        "PGPORT": str(given["port"]),
        "PGDATABASE": str(given["dbname"]),
        "PGUSER": str(given["user"]),
        "PGPASSFILE": str(given["passfile"]),
        "PGAPPNAME": "named by the environment",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    for settings in (settings_module.load(environ), with_url("postgresql://")):
        assert show(settings, "application_name") == ["named by the environment"]


def test_a_url_that_libpq_cannot_read_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="%XX") as caught:
        conninfo(with_url("postgresql://shop:hunter%zz@db/shop"))
    assert "hunter" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_embedded_server_is_reached(test_server: Settings) -> None:
    assert test_server.embedded
    assert show(test_server, "application_name") == ["shopflow"]
