"""The backups that are due while `shopflow up` serves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg import Error as DatabaseError

from shopflow.backup import due
from shopflow.cli.output import tell
from shopflow.errors import ShopflowError
from shopflow.settings import Settings

CHECK_SECONDS = 600


@contextmanager
def backing_up(settings: Settings) -> Iterator[None]:
    """Do what is due, now and every ten minutes, in a thread, until the block ends.

    A backup that is under way then fails when the server stops, or goes with this process; what
    it left in the store is removed a day later.
    """
    ended = threading.Event()
    if settings.backup_url is not None:
        # One that waits for the server or the store must not keep the process from ending.
        threading.Thread(target=_run, args=(settings, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _run(settings: Settings, ended: threading.Event) -> None:
    def say(message: str) -> None:
        if not ended.is_set():
            tell(message)

    while not ended.is_set():
        try:
            made = due(settings, now=datetime.now(UTC), report=say).made
        except (ShopflowError, DatabaseError) as error:
            said = " ".join(str(error).split())
            say(f"backup due: {said}; tried again in {CHECK_SECONDS // 60} minutes")
        else:
            if made is not None:
                say(f"backup {made.name} is made")
        ended.wait(CHECK_SECONDS)
