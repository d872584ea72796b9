"""The server that is backed up: the embedded one, or a self-hosted PostgreSQL by its URL."""

import psycopg
from psycopg.conninfo import make_conninfo

from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings


def connect(settings: Settings) -> psycopg.Connection:
    """Connect to the shop's database in autocommit, its schema first: as the superuser if embedded.

    Raises:
        ServerError: when no embedded server was made.
        ConfigurationError: when libpq cannot read the URL.
    """
    if settings.embedded:
        login = make_conninfo(
            Server(settings).superuser_conninfo(),
            options=f"-csearch_path={settings.search_path.replace(' ', '')}",
        )
    else:
        login = conninfo(settings)
    return psycopg.connect(login, autocommit=True)


def has_table(connection: psycopg.Connection, name: str) -> bool:
    """Return whether the schema has the table, which an older one may not."""
    return connection.execute("SELECT to_regclass(%(name)s)", {"name": name}).fetchone() != (None,)
