"""`shopflow down`, `status`, `url` and `psql`: the server as its user meets it."""

import os
import sys
from typing import Annotated

import msgspec
import psycopg
from cyclopts import Parameter
from psycopg.conninfo import conninfo_to_dict

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs
from shopflow.errors import ServerError
from shopflow.postgres import roles
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings, without_password

# The answer of service managers and of pg_ctl for "not running".
NOT_RUNNING = 3


class ExternalStatus(msgspec.Struct, frozen=True):
    """A server that ShopFlow was told to use and does not run itself."""

    running: bool
    version: str
    host: str
    port: int
    database: str
    user: str
    embedded: bool = False


def down() -> None:
    """Stop the embedded server in good order; its data stays. Says so when it was not running."""
    settings = settings_module.load()
    if not settings.embedded:
        raise ServerError("this server is not ShopFlow's to stop: a database URL or PGHOST is set")
    print("stopped" if Server(settings).stop() else "was not running")


def status(*, json: bool = False) -> int:
    """Show whether the server runs, its version and where its data is; exit code 3 if it does not.

    Args:
        json: print a JSON object.
    """
    settings = settings_module.load()
    found = Server(settings).status() if settings.embedded else _external_status(settings)
    if json:
        show_json(found)
    else:
        pairs = msgspec.structs.asdict(found)
        show_pairs((name.replace("_", " "), value) for name, value in pairs.items())
    return 0 if found.running else NOT_RUNNING


def url(*, role: roles.Kind = "owner", with_password: bool = False, json: bool = False) -> None:
    """Print the URL to connect with, for psql and everything else that uses libpq.

    It names the file with the password, not the password.

    Args:
        role: who connects to the embedded server; `shopflow roles` makes the others.
        with_password: put the password in, for programs that do not know `passfile`.
        json: print a JSON object with `url`.
    """
    settings = settings_module.load()
    if settings.embedded:
        name = roles.name_of(settings, role)
        found = Server(settings).url(with_password=with_password, role=name)
    elif settings.database_url is None:
        raise ServerError("the server is given by PG* variables, which programs read themselves")
    else:
        given = settings.database_url
        found = given if with_password else without_password(given)
    if json:
        show_json({"url": found})
    else:
        print(found)


def psql(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Open psql on the shop's database; `shopflow psql -c "SELECT 1"` runs one statement.

    Args:
        arguments: handed on to psql.
    """
    settings = settings_module.load()
    server = Server(settings)
    environment = dict(os.environ)
    target: list[str] = []
    if settings.embedded:
        if server.state() != "running":
            raise ServerError("the server does not run: start it with shopflow up")
        environment = {key: value for key, value in environment.items() if key[:2] != "PG"}
        target = [server.url()]
    elif settings.database_url is not None:
        target = [without_password(settings.database_url)]
        # Not among the arguments, which every user of the machine can see.
        password = conninfo_to_dict(settings.database_url).get("password")
        if password is not None:
            environment["PGPASSWORD"] = str(password)
    program = server.binary("psql")
    sys.stdout.flush()
    os.execve(program, ["psql", *target, *arguments], environment)  # noqa: S606 no shell is wanted


def _external_status(settings: Settings) -> ExternalStatus:
    with psycopg.connect(conninfo(settings)) as connection:
        info = connection.info
        version = info.parameter_status("server_version") or ""
        return ExternalStatus(
            running=True,
            version=version,
            host=info.host,
            port=info.port,
            database=info.dbname,
            user=info.user,
        )
