"""The server and the shop that a command works on: whether it may, and which one it is."""

import msgspec
from psycopg import ConnectionInfo

from shopflow.errors import ConfigurationError, ServerError
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings


def require_running(settings: Settings) -> None:
    """Raise ServerError when the embedded server is the one meant and does not run."""
    if settings.embedded and Server(settings).state() != "running":
        raise ServerError("the server does not run: start it with shopflow up")


def refuse_production(settings: Settings) -> None:
    """Raise ConfigurationError in production, where a generated row stands beside real ones."""
    if settings.environment == "production":
        source = settings.sources.get("environment", "argument")
        raise ConfigurationError(
            f"environment is production ({source}), and the demo writes invented products and"
            " orders beside the real ones: try it in another database with environment development"
        )


def login_conninfo(settings: Settings) -> str:
    """Return how to connect as the login itself, whatever role the pool takes."""
    return conninfo(msgspec.structs.replace(settings, database_role=None))


def described(info: ConnectionInfo, settings: Settings) -> list[tuple[str, object]]:
    """Return the server, database and user of a connection and the setting they are from."""
    return [
        ("server", f"{info.host}, port {info.port}"),
        ("database", info.dbname),
        ("user", info.user),
        ("from", settings.sources.get("database_url", "argument")),
    ]
