"""A second running shop as of a moment, beside the live one, for looking."""

import time
from collections.abc import Callable
from pathlib import Path

from shopflow.backup import source
from shopflow.backup.errors import BackupError
from shopflow.backup.restoring import Progress, Restored, restore, settings_for
from shopflow.backup.targets import LATEST, Target
from shopflow.postgres.embedded import silent
from shopflow.postgres.server_home import Home
from shopflow.settings import Settings

READ_ONLY = "zz-clone.conf"
POLL_SECONDS = 0.05
RELOAD_SECONDS = 60.0


def clone(
    settings: Settings,
    to: Path,
    target: Target = LATEST,
    *,
    report: Callable[[str], None] = silent,
    progress: Progress = lambda _what, _done, _total: None,
) -> Restored:
    """Restore into `to` for looking: its sessions are read-only, and it archives nothing.

    So a worker or a shop that is started on it by mistake sends nothing and takes no order. The
    rules are not checked.

    Args:
        settings: `backup_url` says from where; what else they say holds for the clone.
        to: becomes a home of its own; must not exist, or be empty.
        target: the moment.
        report: told what is done.
        progress: told how far it is, in bytes.

    Raises:
        InvalidInputError: as `restore` does.
        ConfigurationError: when no store is set.
        BackupError: as `restore` does.
    """
    made = restore(settings, to, target, check=False, report=report, progress=progress)
    home = Home(to)
    home.extra_config.joinpath(READ_ONLY).write_text(
        "# A clone is for looking. Remove this file and start it again, and it can be written.\n"
        "default_transaction_read_only = on\n",
        encoding="utf-8",
    )
    home.extra_config.joinpath(READ_ONLY).chmod(0o644)
    _reload(settings_for(settings, to))
    return made


def _reload(settings: Settings) -> None:
    """Return once a new session is read-only: the server reads its files when it comes to it."""
    with source.connect(settings) as connection:
        connection.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + RELOAD_SECONDS
    while True:
        with source.connect(settings) as connection:
            if connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",):
                return
        if time.monotonic() > deadline:
            raise BackupError(f"the clone in {settings.home} did not become read-only: stop it")
        time.sleep(POLL_SECONDS)
