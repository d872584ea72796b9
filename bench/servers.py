"""PostgreSQL servers of the benchmarks' own, in directories that go when they are done."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopflow import settings as settings_module
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that the server's user can enter: as root, it has one of its own."""
    path = Path(tempfile.mkdtemp(prefix="shopflow-bench-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def home() -> Iterator[Settings]:
    """Settings for a home where no server was made yet; one that is made there is stopped."""
    with directory() as path:
        settings = settings_module.load({}, home=path / "home")
        try:
            yield settings
        finally:
            Server(settings).stop()


@contextmanager
def running() -> Iterator[Settings]:
    """Settings for a new server that runs."""
    with home() as settings:
        Server(settings).start()
        yield settings
