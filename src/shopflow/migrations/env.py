"""How Alembic works on a shop: the connections it gets and the context a migration runs in."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, LiteralString, TextIO

import msgspec
import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, RevisionStep
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url

from shopflow.errors import MigrationError, ServerError
from shopflow.migrations import checksums, ownership
from shopflow.migrations.files import Files
from shopflow.postgres.conninfo import check_server_version, conninfo
from shopflow.settings import Settings

# Long enough for the short transactions of a busy table, short enough that whoever queues
# behind us does not notice.
LOCK_TIMEOUT = 3.0
# CREATE INDEX CONCURRENTLY waits for every older transaction, and blocks nobody meanwhile.
PATIENT: LiteralString = "SET lock_timeout = '10min'"
IMPATIENT: LiteralString = "RESET lock_timeout"

# `alembic.op` is one for the whole process.
_op = threading.Lock()


def connect(settings: Settings, *, application_name: str) -> psycopg.Connection:
    """Open an autocommit connection as the login itself, which no timeout cuts off.

    The server notices within seconds when we die, so that no statement of a killed migrator
    works on beside the next one.
    """
    lasting = msgspec.structs.replace(
        settings,
        database_role=None,
        statement_timeout=0.0,
        lock_timeout=LOCK_TIMEOUT,
        idle_in_transaction_session_timeout=0.0,
    )
    try:
        connection = psycopg.connect(
            conninfo(lasting, application_name=application_name), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise ServerError(f"cannot connect to the database: {error}") from error
    check_server_version(connection)
    connection.execute(
        "SELECT set_config('idle_session_timeout', '0', false),"
        " set_config('client_connection_check_interval', '2s', false)"
    )
    return connection


@contextmanager
def connection(settings: Settings, *, application_name: str) -> Iterator[psycopg.Connection]:
    """Open a connection as `connect` does; what the database refuses is a MigrationError."""
    with closing(connect(settings, application_name=application_name)) as opened:
        try:
            yield opened
        except psycopg.Error as error:
            said = error.diag.message_primary or str(error)
            if isinstance(error, InsufficientPrivilege):
                said = "; ".join(filter(None, [said, ownership.advice(opened, settings.schema)]))
            raise MigrationError(f"the database refused: {said}") from error


@contextmanager
def engine_for(settings: Settings) -> Iterator[Engine]:
    """Give SQLAlchemy one connection at a time, kept from one migration to the next."""

    def creator() -> psycopg.Connection:
        connection = connect(settings, application_name="shopflow migrate")
        connection.autocommit = False
        return connection

    engine = create_engine("postgresql+psycopg://", creator=creator, pool_size=1, max_overflow=0)
    try:
        yield engine
    finally:
        engine.dispose()


def raw(connection: Connection) -> psycopg.Connection:
    """Return psycopg's connection inside SQLAlchemy's."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"not a psycopg connection: {driver!r}")
    return driver


class Context(MigrationContext):
    """Alembic's context, where an autocommit block is patient about locks."""

    @contextmanager
    def autocommit_block(self) -> Iterator[None]:
        """Commit, run each statement of the block on its own, and begin again."""
        with super().autocommit_block():
            self.execute(PATIENT)
            yield
            self.execute(IMPATIENT)


class Rehearsal(MigrationContext):
    """Alembic's context, where everything stays in the one transaction that is then undone."""

    @contextmanager
    def autocommit_block(self) -> Iterator[None]:
        """Run the block in the transaction; `rehearse` has made its statements fit for that."""
        yield


def apply(step: RevisionStep, *, files: Files, settings: Settings, connection: Connection) -> None:
    """Run one migration with its version and its checksum in one transaction, and commit."""
    _run(Context(connection.dialect, connection, _options([step], files, settings)))


def rehearse(
    steps: Sequence[RevisionStep], *, files: Files, settings: Settings, connection: Connection
) -> None:
    """Run `steps` in the transaction that `connection` is in, CONCURRENTLY or not."""
    event.listen(connection, "before_cursor_execute", _without_concurrently, retval=True)
    try:
        _run(Rehearsal(connection.dialect, connection, _options(steps, files, settings)))
    finally:
        event.remove(connection, "before_cursor_execute", _without_concurrently)


def write_sql(
    steps: Sequence[RevisionStep],
    *,
    files: Files,
    settings: Settings,
    heads: Sequence[str],
    output: TextIO,
) -> None:
    """Write the SQL of `steps` to `output`, as `apply` would run it on a schema at `heads`."""
    output.write(_preamble(settings, fresh=not heads))
    options = _options(steps, files, settings) | {
        "as_sql": True,
        "literal_binds": True,
        "output_buffer": output,
        "starting_rev": tuple(heads) or None,
    }
    # Named parameters, so that a % stays as it is.
    dialect: Callable[..., Dialect] = make_url("postgresql+psycopg://").get_dialect()
    _run(Context(dialect(paramstyle="named"), None, options))


def _preamble(settings: Settings, *, fresh: bool) -> str:
    statements = [
        sql.SQL("SET search_path = {}").format(
            sql.SQL(", ").join(map(sql.Identifier, settings.search_path.split(", ")))
        ),
        sql.SQL("SET lock_timeout = {}").format(f"{LOCK_TIMEOUT:g}s"),
        sql.SQL("SET statement_timeout = 0"),
    ]
    if fresh:
        schema = sql.Identifier(settings.schema)
        statements.append(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        statements += checksums.creation(settings.schema)
    return "".join(f"{statement.as_string(None)};\n\n" for statement in statements)


def _options(steps: Sequence[RevisionStep], files: Files, settings: Settings) -> dict[str, Any]:
    return {
        "script": files.directory,
        "fn": lambda _heads, _context: steps,
        "transaction_per_migration": True,
        "version_table_schema": settings.schema,
        "on_version_apply": (checksums.record,),
    }


def _run(context: MigrationContext) -> None:
    with _op, Operations.context(context):
        context.run_migrations()


def _without_concurrently(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    return re.sub(r"\bCONCURRENTLY\b", "", statement, flags=re.IGNORECASE), parameters
