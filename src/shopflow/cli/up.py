"""`shopflow up`: the database runs, its schema is the newest, and it is watched until Ctrl-C."""

import signal
import sys
import time
from types import FrameType

import psycopg

from shopflow import settings as settings_module
from shopflow.cli.demo import load_with_progress
from shopflow.cli.output import program, show_pairs, tell
from shopflow.cli.target import described, login_conninfo, refuse_production
from shopflow.cli.up_backups import backing_up
from shopflow.demo.loader import ShopNotEmptyError
from shopflow.migrations import runner
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

WATCH_SECONDS = 0.5


def up(*, demo: bool = False, once: bool = False) -> None:
    """Start the shop's database, or find it running, bring its schema up, and serve until Ctrl-C.

    The data stays when it stops. `SHOPFLOW_HOME` says where it is, `SHOPFLOW_PORT` which port to
    listen on. With `SHOPFLOW_DATABASE_URL` or `PGHOST` no server is started, only the schema is
    brought up there. With `SHOPFLOW_BACKUP_URL` the backups that are due are made while it serves.

    Args:
        demo: load a generated shop of 1,000 products if this one is empty; not in production.
        once: return when everything is ready, and leave the server running.
    """
    settings = settings_module.load()
    if demo:
        refuse_production(settings)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    server = Server(settings)
    started = server.start(tell) if settings.embedded else "attached"
    keep = started == "attached"
    try:
        if not settings.embedded:
            _tell_target(settings)
        runner.up(settings, report=tell)
        if demo:
            _load_demo(settings)
        _show_ready(settings)
        if once:
            keep = True
        elif settings.embedded:
            with backing_up(settings):
                _serve(server)
    finally:
        if not keep:
            server.stop()


def _load_demo(settings: Settings) -> None:
    try:
        load_with_progress(settings, products=1000, seed=1)
    except ShopNotEmptyError as error:
        first, *_ = error.what.split(", ")
        stay = "it stays" if first.startswith("1 ") else "they stay"
        tell(f"the shop holds {first} already: {stay}")


def _tell_target(settings: Settings) -> None:
    """Say where the schema goes, before anything is written there."""
    with psycopg.connect(login_conninfo(settings)) as connection:
        pairs = described(connection.info, settings)
    tell("working on " + ", ".join(f"{name} {value}" for name, value in pairs))


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _show_ready(settings: Settings) -> None:
    with psycopg.connect(login_conninfo(settings)) as connection:
        version = connection.info.parameter_status("server_version")
        target = described(connection.info, settings)
    pairs: list[tuple[str, object]] = [("PostgreSQL", version)]
    if settings.embedded:
        found = Server(settings).status()
        pairs += [("data", found.data), ("URL", found.url)]
    else:
        pairs += target
    # A machine without PostgreSQL has no psql of its own.
    show_pairs([*pairs, ("next", f"{program()} psql"), ("", f"{program()} status")])
    sys.stdout.flush()


def _serve(server: Server) -> None:
    """Wait for Ctrl-C; a server that crashed is started again, one that was stopped ends us."""
    try:
        tell("serving until Ctrl-C")
        while (state := server.state()) != "stopped":
            if state == "crashed":
                tell("PostgreSQL crashed, starting it again")
                server.start(tell)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        tell("stopping")
    else:
        tell("the server was stopped")
