"""How long from nothing to a ready server, and how long to find one that runs."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

from bench import servers
from bench.frame import Bench, Competitor, Scale
from shopflow import settings as settings_module
from shopflow.postgres import server_user
from shopflow.postgres.embedded import Server


@contextmanager
def _competitors(_scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    with servers.running() as settings:
        attached = Server(settings)
        yield {"new": _new, "bare": _bare, "attach": lambda: _seconds_to_start(attached)}


BENCH = Bench(
    name="start",
    purpose="from nothing to a ready server, against initdb and pg_ctl start",
    unit="s",
    rounds={"tiny": 1, "default": 5},
    ratios={"new_of_bare": ("new", "bare"), "attach_of_new": ("attach", "new")},
    competitors=_competitors,
)


def _new() -> float:
    with servers.home() as settings:
        return _seconds_to_start(Server(settings))


def _seconds_to_start(server: Server) -> float:
    begun = perf_counter()
    server.start()
    return perf_counter() - begun


def _bare() -> float:
    """The same binaries without ShopFlow: no roles, no password, no configuration."""
    account = server_user.find_account(settings_module.load({}).server_user)
    with servers.directory() as path:
        os.chown(path, account.uid, account.gid)
        data = path / "data"
        initdb = ["initdb", f"--pgdata={data}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        start = ["pg_ctl", f"--pgdata={data}", f"--log={path / 'log'}", "--wait"]
        options = f"--options=-c listen_addresses= -c unix_socket_directories={path}"
        begun = perf_counter()
        _run(account, initdb)
        _run(account, [*start, options, "start"])
        try:
            return perf_counter() - begun
        finally:
            _run(account, ["pg_ctl", f"--pgdata={data}", "--mode=fast", "--wait", "stop"])


def _run(account: server_user.Account, command: list[str]) -> None:
    binaries = server_user.installed() / server_user.PROGRAMS / "bin"
    subprocess.run(
        [binaries / command[0], *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        cwd="/",
        env=server_user.environment(),
        **account.process,
    )
