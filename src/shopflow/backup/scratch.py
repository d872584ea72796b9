"""A directory to restore into and remove again, for one piece of work at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopflow.backup.errors import BackupError
from shopflow.backup.restoring import settings_for
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

NAME = "shopflow-scratch"


@contextmanager
def scratch(settings: Settings, parent: Path | None) -> Iterator[Path]:
    """Give the name of a directory that is not there yet, and remove it with its server at the end.

    What a killed process left under that name is removed first.

    Args:
        settings: of the live server.
        parent: on which disk: a directory that the server's user can enter; None for the home.

    Raises:
        BackupError: when another drill or comparison is under way.
    """
    place = (parent or settings.home).absolute()
    place.mkdir(parents=True, exist_ok=True)
    handle = os.open(place / f"{NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(settings, place / NAME)
        try:
            yield place / NAME
        finally:
            _remove(settings, place / NAME)
    except BlockingIOError as error:
        raise BackupError(f"another drill or comparison is under way in {place}") from error
    finally:
        os.close(handle)


def _remove(settings: Settings, directory: Path) -> None:
    if directory.exists():
        Server(settings_for(settings, directory)).stop()
        shutil.rmtree(directory)
