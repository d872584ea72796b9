"""Where generated catalogues are kept between runs, one server each."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from bench import servers
from shopflow import settings as settings_module
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

VARIABLE = "SHOPFLOW_BENCH_DATA"
# As root the server runs as a user of its own, who cannot enter root's home.
ROOTS_DIRECTORY = Path("/var/cache/shopflow-bench")


def directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where they are: `SHOPFLOW_BENCH_DATA`, or among the user's caches."""
    if given := environ.get(VARIABLE):
        return Path(given)
    if os.geteuid() == 0:
        return ROOTS_DIRECTORY
    return platformdirs.user_cache_path("shopflow-bench")


def settings(products: int) -> Settings:
    """Return the settings of the server with so many products."""
    path = directory() / str(products)
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    # A slow answer is measured, not cut off.
    return settings_module.load({}, home=path / "home", statement_timeout=600.0)


@contextmanager
def copied(products: int) -> Iterator[Settings]:
    """Start a server on a copy, for what changes the catalogue; it is removed afterwards."""
    with servers.directory() as path:
        source = settings(products).home
        subprocess.run(["cp", "--archive", "--reflink=auto", source, path / "home"], check=True)
        copy = settings_module.load({}, home=path / "home")
        Server(copy).start()
        try:
            yield copy
        finally:
            Server(copy).stop()


@contextmanager
def running(products: int) -> Iterator[Settings]:
    """Start the server with so many products, and stop it if it was not running before."""
    found = settings(products)
    server = Server(found)
    ran = server.state() == "running"
    if not ran:
        server.start()
    try:
        yield found
    finally:
        if not ran:
            server.stop()
