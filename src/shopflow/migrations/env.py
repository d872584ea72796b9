"""How Alembic is told about a shop: where the files are, how to connect, one step at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec
import psycopg
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from shopflow.migrations import checksums
try:
    from shopflow.postgres.conninfo import conninfo
except ImportError:  # TEMPORARY until H2 has it
    from psycopg.conninfo import make_conninfo

    def conninfo(settings, *, application_name=None):
        return make_conninfo(settings.database_url, application_name=application_name, options=f"-c search_path={settings.schema},public -c statement_timeout={int(settings.statement_timeout*1000)} -c lock_timeout={int(settings.lock_timeout*1000)}")
from shopflow.settings import Settings

PACKAGE = Path(__file__).parent
VERSIONS = PACKAGE / "versions"
# Long enough for a busy table's short transactions, short enough that the readers who queue
# behind us do not notice.
LOCK_TIMEOUT = 3.0

# `alembic.op` is one for the whole process.
_op = threading.Lock()


def locations_of(settings: Settings) -> list[Path]:
    """Return where migrations are: ShopFlow's own, then the shop's if it has any."""
    return [VERSIONS] + ([settings.migrations] if settings.migrations else [])


def scripts_in(locations: Sequence[Path]) -> ScriptDirectory:
    """Read the migration files of `locations`; the template for new ones is ours."""
    config = Config()
    config.set_main_option("script_location", str(PACKAGE).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, locations)).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return ScriptDirectory.from_config(config)


def connect(settings: Settings, *, application_name: str) -> psycopg.Connection:
    """Open an autocommit connection as the login itself, never cut off by a timeout.

    The server notices within seconds that we died, so that no statement of a killed migrator
    works on behind the next one.
    """
    lasting = msgspec.structs.replace(
        settings,
        database_role=None,
        statement_timeout=0.0,
        lock_timeout=LOCK_TIMEOUT,
        idle_in_transaction_session_timeout=0.0,
    )
    connection = psycopg.connect(
        conninfo(lasting, application_name=application_name), autocommit=True
    )
    connection.execute(
        "SELECT set_config('idle_session_timeout', '0', false),"
        " set_config('client_connection_check_interval', '2s', false)"
    )
    return connection


@contextmanager
def engine_for(settings: Settings) -> Iterator[Engine]:
    """Give SQLAlchemy one connection, kept for all the migrations of a run."""

    def creator() -> psycopg.Connection:
        connection = connect(settings, application_name="shopflow migrate")
        connection.autocommit = False
        return connection

    engine = create_engine("postgresql+psycopg://", creator=creator, pool_size=1, max_overflow=0)
    try:
        yield engine
    finally:
        engine.dispose()


class Context(MigrationContext):
    """Alembic's context, where an autocommit block is patient about locks."""

    @contextmanager
    def autocommit_block(self) -> Iterator[None]:
        """Commit, run the block statement by statement, and begin again."""
        with super().autocommit_block():
            # CREATE INDEX CONCURRENTLY waits for every older transaction and blocks nobody.
            self.execute("SET lock_timeout = '10min'")
            yield
            self.execute("RESET lock_timeout")


def apply(
    step: RevisionStep, *, scripts: ScriptDirectory, settings: Settings, connection: Connection
) -> None:
    """Run one migration, its version and its checksum in one transaction, and commit."""
    options = _options(scripts, settings, [step])
    _run(Context(connection.dialect, connection, options))


def write_sql(
    steps: Sequence[RevisionStep],
    *,
    scripts: ScriptDirectory,
    settings: Settings,
    heads: Sequence[str],
    output: TextIO,
) -> None:
    """Write the SQL of `steps` to `output`, for a database that is at `heads`."""
    options = _options(scripts, settings, steps) | {
        "as_sql": True,
        "literal_binds": True,
        "output_buffer": output,
        "starting_rev": tuple(heads) or None,
    }
    # Named parameters, so that a % stays as it is.
    _run(Context(PGDialect_psycopg(paramstyle="named"), None, options))


def _options(
    scripts: ScriptDirectory, settings: Settings, steps: Sequence[RevisionStep]
) -> dict[str, object]:
    return {
        "script": scripts,
        "fn": lambda _heads, _context: steps,
        "transaction_per_migration": True,
        "version_table_schema": settings.schema,
        "on_version_apply": (checksums.record,),
    }


def _run(context: Context) -> None:
    with _op, Operations.context(context):
        context.run_migrations()
