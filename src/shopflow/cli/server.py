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
from shopflow.cli.target import require_running
from shopflow.errors import ServerError
from shopflow.postgres import pgpass, roles
from shopflow.postgres.conninfo import check_server_version, conninfo
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import Home
from shopflow.settings import Settings, without_password

# The answer of service managers and of pg_ctl for "not running".
NOT_RUNNING = 3


class ExternalStatus(msgspec.Struct, frozen=True):
    """A server that ShopFlow was told to use and does not run itself.

    Attributes:
        usable: whether ShopFlow can work with it.
        problem: why not.
    """

    running: bool
    usable: bool
    version: str
    host: str
    port: int
    database: str
    user: str
    embedded: bool = False
    problem: str | None = None


def down() -> None:
    """Stop the embedded server in good order; its data stays. Says so when it was not running."""
    settings = settings_module.load()
    if not settings.embedded:
        raise ServerError("this server is not ShopFlow's to stop: a database URL or PGHOST is set")
    print("stopped" if Server(settings).stop() else "was not running")


def status(*, json: bool = False) -> int:
    """Show whether the server runs, its version and where its data is; exit code 3 if it does not.

    The exit code is 3, too, for a server of your own that is too old.

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
    usable = found.usable if isinstance(found, ExternalStatus) else found.running
    return 0 if usable else NOT_RUNNING


def url(*, role: roles.Kind | None = None, with_password: bool = False, json: bool = False) -> None:
    """Print the URL to connect with, for psql and everything else that uses libpq.

    It names the file with the password, not the password.

    Args:
        role: who connects to the embedded server, by default the owner; `shopflow roles` makes
            the others.
        with_password: put the password in, for programs that do not know `passfile`.
        json: print a JSON object with `url`.
    """
    settings = settings_module.load()
    if settings.embedded:
        found = _embedded_url(settings, role or "owner", with_password=with_password)
    elif role is not None:
        raise ServerError(
            "--role is for the embedded server: on your own, put the role's name and password"
            " in the database URL"
        )
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
        require_running(settings)
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


def _embedded_url(settings: Settings, role: roles.Kind, *, with_password: bool) -> str:
    server, name = Server(settings), roles.name_of(settings, role)
    # Says so when there is no server at all.
    plain = server.url(role=name)
    if name not in pgpass.read(Home(settings.home)):
        raise ServerError(f"there is no role {name} yet: make it with shopflow roles")
    return server.url(with_password=True, role=name) if with_password else plain


def _external_status(settings: Settings) -> ExternalStatus:
    with psycopg.connect(conninfo(settings)) as connection:
        info = connection.info
        problem = _problem(connection)
        version = info.parameter_status("server_version") or ""
        return ExternalStatus(
            running=True,
            usable=problem is None,
            problem=problem,
            version=version,
            host=info.host,
            port=info.port,
            database=info.dbname,
            user=info.user,
        )


def _problem(connection: psycopg.Connection) -> str | None:
    try:
        check_server_version(connection)
    except ServerError as error:
        return str(error)
    return None
