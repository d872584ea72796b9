"""The server's process: whether it runs, start it on its own, wait for it, stop it."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil

from shopflow.errors import ServerError
from shopflow.postgres.server_home import POLL_SECONDS, Home
from shopflow.postgres.server_user import Account, environment

# Crash recovery replays up to max_wal_size; a minute here for 4 GB, ten where the disk is slow.
START_SECONDS = 600.0
STOP_SECONDS = 120.0
# Backends see at once that the postmaster is gone, unless a query keeps them busy.
ORPHANS_LEAVE_SECONDS = 1.0
ORPHANS_END_SECONDS = 30.0
NEARLY_FULL = 32 * 1024 * 1024


class Running(msgspec.Struct, frozen=True):
    """What postmaster.pid says about a server that runs."""

    pid: int
    started_at: datetime
    port: int
    ready: bool


class Launched(msgspec.Struct, frozen=True):
    """A server's process just started, and when, in seconds since 1970."""

    pid: int
    at: float


class StartError(ServerError):
    """The server ended while it started; its last messages are in the text."""


def running(data: Path) -> Running | None:
    """Return the server that runs on `data`, None when there is none or the file is stale."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid, started, port = int(lines[0]), int(lines[2]), int(lines[3])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    except PermissionError as error:
        raise ServerError(f"{data} belongs to another user; run as that user") from error
    if not _is_server(pid, data):
        return None
    ready = len(lines) > 7 and lines[7].strip() == "ready"  # noqa: PLR2004 LOCK_FILE_LINE_PM_STATUS
    return Running(pid, datetime.fromtimestamp(started, UTC), port, ready)


@contextlib.contextmanager
def alone(home: Home, report: Callable[[str], None]) -> Iterator[int]:
    """Wait until no process of a server is left; yields the descriptor to start one with.

    The children of a killed postmaster get SIGTERM: a new one beside them would ruin the data.

    Raises:
        ServerError: when some are still left after ORPHANS_END_SECONDS.
    """

    def hurry() -> None:
        report("waiting for the processes of another server to end")
        for pid in _orphans(home.data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    with home.server_lock(ORPHANS_END_SECONDS, hurry, ORPHANS_LEAVE_SECONDS) as lock:
        yield lock


def start(home: Home, account: Account, postgres: Path, lock: int) -> Launched:
    """Start the server; neither our end nor our Ctrl-C reaches it.

    Args:
        home: where.
        account: who runs it.
        postgres: the program.
        lock: what `alone` gave, which the server's processes inherit and so hold while they live.
    """
    _remove_misleading_locks(home.data, home.socket(account))
    # The shell leaves at once, so that the server is nobody's child and never a zombie of ours.
    script = 'umask 077; "$@" </dev/null >&2 & echo $!'
    log = home.log / "startup.log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    at = time.time()
    with os.fdopen(os.open(log, flags, 0o600), "wb") as output:
        started = subprocess.run(  # noqa: S603 no shell reads it, or only our script
            ["/bin/sh", "-c", script, "sh", postgres, "-D", home.data],
            stdout=subprocess.PIPE,
            stderr=output,
            check=True,
            cwd="/",
            env=environment(),
            start_new_session=True,
            pass_fds=(lock,),
            **account.process,
        )
    return Launched(int(started.stdout), at)


def wait_ready(home: Home, launched: Launched | None, report: Callable[[str], None]) -> Running:
    """Wait until the server takes connections; `launched` None if somebody else started it.

    Raises:
        StartError: as soon as it ends instead.
        ServerError: when it is not ready after START_SECONDS.
    """
    began = time.time()
    said = False
    while time.time() - began < START_SECONDS:
        found = running(home.data)
        if found is not None and found.ready:
            return found
        if found is None and (launched is None or not _alive(launched.pid)):
            # The logger, which ends last, may still be writing the reason.
            with alone(home, report):
                pass
            said_last = _last_messages(home, launched.at if launched else began)
            raise StartError(f"PostgreSQL ended while it started: {said_last}")
        if not said and time.time() - began > 2:  # noqa: PLR2004 seconds
            report("PostgreSQL is recovering what it had not written yet")
            said = True
        time.sleep(POLL_SECONDS)
    raise ServerError(f"PostgreSQL was not ready after {START_SECONDS:g} s; see {home.log}")


def ended(home: Home, launched: Launched) -> str | None:
    """Return the last messages of a server that ended after all, None while it lives."""
    if running(home.data) is not None or _alive(launched.pid):
        return None
    # The logger, which ends last, may still be writing the reason.
    with alone(home, lambda _message: None):
        return _last_messages(home, launched.at)


def stop(found: Running, data: Path) -> None:
    """End the server in good order: transactions under way are rolled back, a checkpoint is made.

    Raises:
        ServerError: when it still runs after STOP_SECONDS.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while _is_server(found.pid, data):
        if time.monotonic() > deadline:
            raise ServerError(
                f"PostgreSQL (process {found.pid}) still ran after {STOP_SECONDS:g} s"
            )
        time.sleep(POLL_SECONDS)


def _is_server(pid: int, data: Path) -> bool:
    """Whether `pid` is PostgreSQL on `data`: a server's processes all work in that directory."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.name() == "postgres" and Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _orphans(data: Path) -> Sequence[int]:
    found = [entry for entry in psutil.process_iter(["ppid"]) if _is_server(entry.pid, data)]
    pids = [entry.pid for entry in found]
    # With a parent among them it is a living server, seen from outside of its container.
    return [] if {entry.info["ppid"] for entry in found} & set(pids) else pids


def _remove_misleading_locks(data: Path, socket: Path) -> None:
    """Remove a stale postmaster.pid and socket lock where PostgreSQL would believe them.

    That is when their pid went to another process, or when nobody collected the killed server
    (a zombie still counts for the kernel). Otherwise PostgreSQL replaces them itself, after its
    own checks. The caller holds the server's lock: no process of a server is left, even where we
    could not see it.
    """
    for file in (data / "postmaster.pid", *socket.glob(".s.PGSQL.*.lock")):
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            if psutil.pid_exists(int(file.read_text(encoding="utf-8").splitlines()[0])):
                file.unlink()


def _last_messages(home: Home, since: float) -> str:
    """Return the last lines of the start, from its output and from the JSON log."""
    output = (home.log / "startup.log").read_text(encoding="utf-8", errors="replace")
    # Every start says where its log goes on.
    lines = [line for line in output.splitlines() if "log output" not in line]
    for file in sorted(home.log.glob("*.json"), key=lambda path: path.stat().st_mtime):
        lines += _messages(file, since)
    text = " | ".join(lines[-8:]) or "it said nothing"
    if shutil.disk_usage(home.path).free < NEARLY_FULL:
        text += f" (the disk of {home.path} is full)"
    return text


class _Entry(msgspec.Struct):
    timestamp: str = ""
    error_severity: str = ""
    message: str = ""


def _messages(file: Path, since: float) -> list[str]:
    # Milliseconds, in the form that sorts as the time does.
    first = datetime.fromtimestamp(since, UTC).isoformat(" ", "milliseconds")[:-6]
    found = []
    for line in file.read_bytes()[-20000:].splitlines():
        with contextlib.suppress(msgspec.MsgspecError):
            entry = msgspec.json.decode(line, type=_Entry)
            if entry.timestamp >= first:
                found.append(f"{entry.error_severity}: {entry.message}")
    return found
