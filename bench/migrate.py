"""How long from an empty database to the newest schema."""

import itertools
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import msgspec
import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql

from bench import servers
from bench.frame import Bench, Competitor, Scale
from shopflow.migrations import runner
from shopflow.migrations.files import VERSIONS
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

# Alembic as its own template has it, with what our files ask for: a transaction for each.
ENV = """
import psycopg
from alembic import context
from sqlalchemy import create_engine

url = context.config.attributes["url"]
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""
_numbers = itertools.count(1)


@contextmanager
def _competitors(_scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    with servers.running() as settings, servers.directory() as scratch:
        (scratch / "env.py").write_text(ENV, encoding="utf-8")
        script = scratch / "schema.sql"
        with _database(settings) as empty:
            script.write_text(runner.sql(empty), encoding="utf-8")
        yield {
            "shopflow": lambda: _shopflow(settings),
            "psql": lambda: _psql(settings, script),
            "alembic": lambda: _alembic(settings, scratch),
        }


BENCH = Bench(
    name="migrate",
    purpose="from an empty database to the newest schema, against psql (the limit) and alembic",
    unit="s",
    rounds={"tiny": 1, "default": 7},
    ratios={"of_limit": ("shopflow", "psql"), "of_alembic": ("shopflow", "alembic")},
    competitors=_competitors,
)


def _shopflow(server: Settings) -> float:
    with _database(server) as settings:
        begun = perf_counter()
        runner.up(settings)
        return perf_counter() - begun


def _psql(server: Settings, script: Path) -> float:
    """The same statements, already written down, sent by psql."""
    with _database(server) as settings:
        program = Server(server).binary("psql")
        quiet = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}"]
        begun = perf_counter()
        subprocess.run(
            [program, *quiet, settings.database_url or ""], stdout=subprocess.DEVNULL, check=True
        )
        return perf_counter() - begun


def _alembic(server: Settings, scratch: Path) -> float:
    """Alembic alone: no lock against other migrators, no checksums, no check of the outcome."""
    with _database(server) as settings:
        url = settings.database_url or ""
        with psycopg.connect(url) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(settings.schema)))
        config = Config(attributes={"url": url})
        config.set_main_option("script_location", str(scratch))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", str(VERSIONS))
        begun = perf_counter()
        command.upgrade(config, "heads")
        return perf_counter() - begun


@contextmanager
def _database(server: Settings) -> Iterator[Settings]:
    """Settings for a new, empty database, dropped afterwards."""
    name = f"bench_{next(_numbers)}"
    owner = sql.Identifier(f"{server.schema}_owner")
    with psycopg.connect(Server(server).superuser_conninfo(), autocommit=True) as admin:
        database = sql.Identifier(name)
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        try:
            url = urlsplit(Server(server).url())._replace(path=f"/{name}").geturl()
            yield msgspec.structs.replace(server, database_url=url)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
