"""A PostgreSQL that ShopFlow did not make, with names of its own, is backed up and restored."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.backup import Target, create, create_restore_point, restore, source
from shopflow.backup.restoring import settings_for
from shopflow.postgres import server_user, wal_archive
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.conftest import fast_disk, reachable_directory

SHOP = """
CREATE ROLE clerk;
CREATE SCHEMA shopflow AUTHORIZATION clerk;
CREATE TABLE shopflow.notes (note TEXT PRIMARY KEY);
ALTER TABLE shopflow.notes OWNER TO clerk;
INSERT INTO shopflow.notes VALUES ('before');
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with reachable_directory(fast_disk()) as path:
        yield path


@pytest.fixture(scope="module")
def given(place: Path) -> Iterator[Settings]:
    """Settings for a server with another superuser, database and configuration than ours."""
    account = server_user.find_account("shopflow")
    bundled = Server(settings_module.load({}, home=place / "home"))

    def run(name: str, *arguments: str | Path) -> None:
        subprocess.run(
            [bundled.binary(name), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/",
            env=server_user.environment(), **account.process,
        )  # fmt: skip

    own, store = place / "own", place / "store"
    for directory in (own, store, store / "wal"):
        directory.mkdir()
        os.chown(directory, account.uid, account.gid)
    data, url = own / "data", f"file://{store}"
    run("initdb", "-D", data, "-U", "admin", "--auth=trust", "--encoding=UTF8", "--no-sync")
    lines = {
        **wal_archive.server_settings(url),
        "listen_addresses": "''",
        "unix_socket_directories": f"'{own}'",
        "max_connections": "300",
        "fsync": "off",
    }
    with (data / "postgresql.conf").open("a") as config:
        config.writelines(f"{name} = {value}\n" for name, value in lines.items())
    run("pg_ctl", "-D", data, "-l", own / "log", "-w", "start")
    try:
        login = f"postgresql://admin@/trade?host={own}"
        with psycopg.connect(login.replace("trade", "postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE trade")
        with psycopg.connect(login, autocommit=True) as connection:
            connection.execute(SHOP)
        yield settings_module.load({}, home=place / "home", database_url=login, backup_url=url)
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def test_it_is_restored_as_an_embedded_server(given: Settings, place: Path) -> None:
    made = create(given)
    assert (made.database, made.superuser) == ("trade", "admin")
    with source.connect(given) as connection:
        connection.execute("INSERT INTO notes VALUES ('after the backup')")
        create_restore_point(given, "here")
        connection.execute("INSERT INTO notes VALUES ('after the point')")
    to = place / "restored"
    restored = restore(given, to, Target(restore_point="here"), check=False)
    server = Server(settings_for(given, to))
    try:
        notes = [("after the backup",), ("before",)]
        with psycopg.connect(restored.url) as connection:
            assert connection.info.dbname == "shopflow"
            assert connection.execute("SELECT note FROM notes ORDER BY 1").fetchall() == notes
        server.stop()
        assert server.start() == "started"
        with psycopg.connect(server.url(with_password=True)) as connection:
            assert connection.execute("SHOW archive_mode").fetchone() == ("off",)
            assert connection.execute("SELECT note FROM notes ORDER BY 1").fetchall() == notes
            connection.execute("INSERT INTO notes VALUES ('it takes writes')")
    finally:
        server.stop()
