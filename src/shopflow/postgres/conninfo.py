"""The connection string of every connection: the server, the session's settings, dead peers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from psycopg import AsyncConnection, Connection, ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shopflow.errors import ConfigurationError, ServerError
from shopflow.postgres import embedded
from shopflow.settings import Settings

OLDEST_SERVER = 18
# A peer that vanished is noticed after 20 s whether the connection was idle (10 s, then two
# probes 5 s apart) or had sent something (tcp_user_timeout, in milliseconds). Without them a
# reader waits for the kernel's two hours.
DEAD_PEER = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "20000",
}
# libpq's own floor; one attempt is made per host.
SHORTEST_CONNECT_TIMEOUT = 2


def conninfo(settings: Settings, *, application_name: str | None = None) -> str:
    """Return the libpq connection string that `settings` describe.

    The server is `settings.database_url`, or what the PG* variables name, or the embedded one;
    several hosts and every parameter in the URL stay. The session gets the search path, the
    three timeouts and the role of `settings`, after (so: over) `options` of the URL.

    Args:
        settings: where the server is and how sessions run.
        application_name: shown in pg_stat_activity; None means the URL's or PGAPPNAME, and
            then that of `settings`.

    Raises:
        ConfigurationError: when libpq cannot read the URL.
    """
    given = _from_environment() | _from_url(_server(settings))
    connect_timeout = max(SHORTEST_CONNECT_TIMEOUT, math.ceil(settings.pool_timeout))
    defaults = DEAD_PEER | {
        "connect_timeout": str(connect_timeout),
        "application_name": settings.application_name,
    }
    ours = {"options": " ".join([*filter(None, [given.get("options")]), *_options(settings)])}
    if application_name:
        ours["application_name"] = application_name
    return make_conninfo("", **(defaults | given | ours))


def check_server_version(connection: Connection[Any] | AsyncConnection[Any]) -> None:
    """Refuse a server that is older than PostgreSQL 18.

    Raises:
        ServerError: naming the version found.
    """
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10000:
        found = f"{version // 10000}.{version % 10000}"
        raise ServerError(
            f"ShopFlow needs PostgreSQL {OLDEST_SERVER} or later, and this server is"
            f" PostgreSQL {found}: upgrade it, or leave the database URL unset and ShopFlow"
            " runs a server of its own"
        )


def _server(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url
    return "" if settings.server_from_pg_variables else embedded.Server(settings).conninfo()


def _from_environment() -> dict[str, str]:
    # What we set in the string would hide these variables from libpq, which would otherwise
    # read them itself, as it does all other PG* variables.
    kept = {b"PGOPTIONS", b"PGCONNECT_TIMEOUT", b"PGAPPNAME"}
    return {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar in kept and option.val
    }


def _from_url(url: str) -> dict[str, str]:
    try:
        return {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        # libpq quotes the part that it could not read, which may be the password.
        raise ConfigurationError(
            "database_url: libpq cannot read it; it must look like"
            " postgresql://user:password@host:5432/database, with %XX for special characters"
        ) from None


def _options(settings: Settings) -> Iterator[str]:
    values = {"search_path": settings.search_path}
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        values[name] = f"{math.ceil(getattr(settings, name) * 1000)}ms"
    if settings.database_role is not None:
        values["role"] = settings.database_role
    for name, value in values.items():
        escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
        yield f"-c {name}={escaped}"
