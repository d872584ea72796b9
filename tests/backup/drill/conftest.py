"""A server with the whole schema that archives every second, and its store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopflow import settings as settings_module
from shopflow.backup import Backup, create
from shopflow.migrations import runner
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.conftest import fast_home


@pytest.fixture(scope="package")
def place(place: Path) -> Path:
    """Where the homes and the store are."""
    own = place / "drill"
    own.mkdir()
    return own


@pytest.fixture(scope="package")
def live(place: Path) -> Iterator[Settings]:
    home = fast_home(place)
    (home / "conf.d" / "archive.conf").write_text("archive_timeout = 1s\n")
    settings = settings_module.load({}, home=home, backup_url=f"file://{place}/store")
    Server(settings).start()
    try:
        runner.up(settings)
        yield settings
    finally:
        Server(settings).stop()


@pytest.fixture(scope="package")
def backup(live: Settings) -> Backup:
    return create(live)
