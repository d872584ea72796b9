"""How the embedded server archives its WAL: a shell script that its own user can run."""

import os
import shlex
from pathlib import Path

from shopflow.errors import ConfigurationError
from shopflow.postgres import wal_handover
from shopflow.postgres.server_config import quoted
from shopflow.postgres.server_home import Home
from shopflow.postgres.server_user import Account, first_closed
from shopflow.settings import Settings

SCRIPT = Path(__file__).with_name("archive-wal.sh")
# Of a quiet shop: a segment is archived a minute after its first change.
TIMEOUT = "60s"


def directory(backup_url: str) -> Path:
    """Return where the segments of a `file://` store lie."""
    return Path(backup_url.removeprefix("file://")) / "wal"


def prepare(home: Home, account: Account, settings: Settings) -> dict[str, str]:
    """Make what archives; return the server's settings for it.

    Without a store the server archives nothing.

    Raises:
        ConfigurationError: when the server's user cannot write there.
    """
    url = settings.backup_url
    if url is None:
        return {}
    archive = directory(url)
    if url.startswith("file://"):
        _make(archive, account)
    if wal_handover.needed(settings):
        archiving = wal_handover.prepare(home, account)
    else:
        script = home.path / SCRIPT.name
        home.write(script, SCRIPT.read_bytes(), 0o644)
        archiving = command(script, archive)
    return {
        "archive_mode": "on",
        "archive_command": quoted(archiving),
        "archive_timeout": TIMEOUT,
    }


def _make(archive: Path, account: Account) -> None:
    try:
        archive.mkdir(parents=True, exist_ok=True)
        os.chown(archive, account.uid, account.gid)
    except OSError as error:
        raise ConfigurationError(
            f"backup_url: the WAL archive {archive} cannot be made: {error.strerror}"
        ) from error
    closed = first_closed(account, [*reversed(archive.parents), archive])
    if closed is not None:
        raise ConfigurationError(
            f"backup_url: the server's user {account.name!r} cannot enter {closed};"
            " give a directory that it can reach"
        )


def server_settings(backup_url: str) -> dict[str, str]:
    """Return the settings with which a server that is not embedded archives into the store.

    Its user must be able to read the script of the installed package, and to write there.
    """
    return {
        "wal_level": "replica",
        "summarize_wal": "on",
        "archive_mode": "on",
        "archive_timeout": TIMEOUT,
        "archive_command": quoted(command(SCRIPT, directory(backup_url))),
    }


def restore_command(archive: Path) -> str:
    """Return the restore_command: 1 for a segment that is not there, which may be the end.

    One that cannot be read is no end: at a code above 125 recovery fails instead of going on
    without it.
    """
    found = f"{shlex.quote(str(archive)).replace('%', '%%')}/%f.gz"
    return f"[ -e {found} ] || exit 1; gzip -d -c {found} >%p || exit 200"


def command(script: Path, archive: Path) -> str:
    """Return the archive_command.

    PostgreSQL ends the archiver at an exit code above 125 (not found, not allowed) and counts no
    failure; ours never gives one. A shell answers 0 for a script that is empty, as a full disk
    leaves one, or a directory: so what the script says counts only when the segment is there.
    """
    places = [shlex.quote(str(path)).replace("%", "%%") for path in (script, archive)]
    return f"/bin/sh {places[0]} %p %f {places[1]} && [ -s {places[1]}/%f.gz ] || exit 1"
