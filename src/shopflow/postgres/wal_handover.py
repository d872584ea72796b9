"""How the server hands WAL to a process of ShopFlow's, the carrier, where sh alone cannot take it.

That is for a store that is no directory, or encrypted. The server's user need not be able to run
our Python (an interpreter in /root answers 126, which PostgreSQL does not count as a failure): the
command is a shell script that asks through a spool directory, and the carrier is a process that
was started as we are and then became the server's user. Its credentials are in its environment
alone.
"""

import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from shopflow.errors import ConfigurationError, ServerError
from shopflow.postgres.server_home import POLL_SECONDS, Home
from shopflow.postgres.server_user import Account
from shopflow.settings import Settings

Role = Literal["push", "fetch"]

SCRIPT = Path(__file__).with_name("hand-over-wal.sh")
KEEPER = Path(__file__).with_name("keep-carrier.sh")
# By its name: what it needs stands above this package.
CARRIER = "shopflow.backup.wal_carrier"
START_SECONDS = 60.0
# Of what a carrier may need beside its settings: credentials, proxies, certificates.
KEPT = ("AWS_", "PYTHON", "SSL_CERT_", "LD_LIBRARY_PATH", "PATH")


def needed(settings: Settings) -> bool:
    """Return whether WAL goes through a carrier."""
    url = settings.backup_url
    encrypted = settings.backup_key is not None or settings.backup_key_file is not None
    return url is not None and (encrypted or not url.startswith("file://"))


def prepare(home: Home, account: Account) -> str:
    """Make the spool and the script; return the archive_command."""
    _make(home, account)
    place = _quoted(home.spool)
    # A script that a full disk left empty answers 0.
    return f"{_asking(home)} && [ -e {place}/%f.done ] || exit 1"


def ensure(home: Home, account: Account, settings: Settings) -> None:
    """Let the carrier that archives run; the caller holds the home's lock.

    Raises:
        ConfigurationError: when it refuses its settings, or cannot be run.
        ServerError: when it does not start.
    """
    if needed(settings) and not _runs(home):
        _start(home, account, settings, "push")


def stop(home: Home) -> None:
    """End the carrier and wait for its end."""
    while _runs(home):
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            os.kill(int((home.spool / "pid").read_text(encoding="utf-8")), signal.SIGTERM)
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def fetching(home: Home, account: Account, settings: Settings) -> Iterator[str]:
    """Run a carrier that brings WAL out of the store; give the restore_command that asks it.

    The command answers 1 for a file that is not there, which may be the end, and 200 for one that
    cannot be read: then recovery fails instead of going on without it.

    Raises:
        ConfigurationError: when the carrier refuses its settings, or cannot be run.
        ServerError: when it does not start.
    """
    _make(home, account)
    _start(home, account, settings, "fetch")
    try:
        brought = f"mv {_quoted(home.spool)}/%f.segment %p || exit 200"
        yield f"{_asking(home)}; case $? in 0) {brought} ;; 3) exit 1 ;; *) exit 200 ;; esac"
    finally:
        stop(home)
        for file in home.spool.iterdir():
            file.unlink()
        home.spool.rmdir()


def _make(home: Home, account: Account) -> None:
    with contextlib.suppress(FileExistsError):
        home.spool.mkdir(0o700)
        os.chown(home.spool, account.uid, account.gid)
    home.write(home.path / SCRIPT.name, SCRIPT.read_bytes(), 0o644)


def _asking(home: Home) -> str:
    return f"/bin/sh {_quoted(home.path / SCRIPT.name)} %f {_quoted(home.spool)}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path)).replace("%", "%%")


def _start(home: Home, account: Account, settings: Settings, role: Role) -> None:
    refused, ready = home.spool / "refused", home.spool / "pid"
    for file in (refused, ready):
        file.unlink(missing_ok=True)
    log = home.log / "wal-carrier.log"
    # The shell leaves at once, so that the keeper is nobody's child.
    script = '/bin/sh "$@" </dev/null >&2 &'
    command = [sys.executable, "-m", CARRIER, role, str(os.getpid())]
    with log.open("ab") as output:
        os.chown(log, account.uid, account.gid)
        with subprocess.Popen(  # noqa: S603 no shell reads it, or only our script
            ["/bin/sh", "-c", script, "sh", KEEPER, home.spool, *command],
            stdout=subprocess.DEVNULL,
            stderr=output,
            cwd="/",
            env=_environment(home, settings),
            start_new_session=True,
        ) as started:
            started.wait()
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if refused.exists():
            raise ConfigurationError(f"no WAL can be carried: {refused.read_text().strip()}")
        if time.monotonic() > deadline:
            os.killpg(started.pid, signal.SIGKILL)
            raise ServerError(f"the carrier of the WAL does not start; see {log}")
        time.sleep(POLL_SECONDS)


def _environment(home: Home, settings: Settings) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(KEPT) or name.lower().endswith("_proxy")
    }
    given = {
        "CONFIG": os.devnull,
        "HOME": str(home.path),
        "SERVER_USER": settings.server_user,
        "BACKUP_URL": settings.backup_url,
        "BACKUP_KEY": settings.backup_key,
        "BACKUP_KEY_FILE": settings.backup_key_file and str(settings.backup_key_file),
    }
    return kept | {f"SHOPFLOW_{name}": value for name, value in given.items() if value}


def _runs(home: Home) -> bool:
    """Whether a carrier lives: it holds the lock, which the kernel gives back at its end."""
    try:
        handle = os.open(home.spool / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
