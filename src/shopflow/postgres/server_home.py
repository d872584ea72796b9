"""The embedded server's home directory: what lies where, whose it is, and the lock on it."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from shopflow.errors import ServerError
from shopflow.postgres.server_user import Account, first_closed

# sockaddr_un.sun_path holds 108 bytes with its closing zero.
LONGEST_SOCKET_PATH = 107
MARKER = "made-by-shopflow"
POLL_SECONDS = 0.01
# What may lie in a directory that becomes a home: settings given ahead, a disk's own, the lock.
WELCOME = {"conf.d", "lost+found", "lock"}


class Recorded(msgspec.Struct, frozen=True):
    """What `server.json` keeps from one start to the next; None until a port was chosen."""

    port: int | None = None


class Home(msgspec.Struct, frozen=True):
    """The directory of one embedded server."""

    path: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """Where the server's logs are."""
        return self.path / "log"

    @property
    def extra_config(self) -> Path:
        """The user's own settings, `*.conf`, which come last and so win."""
        return self.path / "conf.d"

    @property
    def config(self) -> Path:
        """The settings written for this machine at every start."""
        return self.path / "shopflow.conf"

    @property
    def spool(self) -> Path:
        """Where the server hands WAL over to the process that carries it to the store."""
        return self.path / "spool"

    @property
    def passwords(self) -> Path:
        """The generated passwords, in libpq's format."""
        return self.path / "pgpass"

    @property
    def record(self) -> Path:
        """The file that says that this directory is ours."""
        return self.path / "server.json"

    @property
    def restoring(self) -> Path:
        """The file that is there while a restore into this home is not finished."""
        return self.path / "restore-unfinished"

    def begin_restore(self, backup: str) -> None:
        """Say that this home is not usable yet; the caller holds the lock."""
        self.write(self.restoring, f"from backup {backup}\n".encode(), 0o644)

    def end_restore(self) -> None:
        """Say that this home is a server's like any other."""
        self.restoring.unlink()

    def check_restored(self) -> None:
        """Refuse a home whose restore is under way or was cut short.

        Raises:
            ServerError: saying what to do.
        """
        if self.restoring.exists():
            raise ServerError(
                f"{self.path} holds a restore that did not finish: let it end if it is under way,"
                " otherwise stop its server with shopflow down, remove the directory and restore"
                " again"
            )

    def socket(self, account: Account) -> Path:
        """Return the socket's directory: `run`, or one in /tmp when that path can't be one."""
        usual = self.path / "run"
        short = len(os.fsencode(usual / ".s.PGSQL.65535")) <= LONGEST_SOCKET_PATH
        # libpq reads a comma as the end of a host.
        if short and "," not in str(usual):
            return usual
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(f"/tmp/shopflow-{account.uid}-{digest}")  # noqa: S108 checked in `_private`

    def recorded(self) -> Recorded | None:
        """Return what the last start recorded, None when no server was ever made here."""
        try:
            return msgspec.json.decode(self.record.read_bytes(), type=Recorded)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise _not_allowed(self.path) from error
        except msgspec.MsgspecError as error:
            raise ServerError(
                f"{self.record} is damaged ({error}): put {{}} into it, and a port is chosen anew"
            ) from error

    def make(self, account: Account) -> None:
        """Make the home, private; one that existed keeps its permissions.

        Raises:
            ServerError: when the directory is somebody else's or `account` can't reach it.
        """
        try:
            if account.switch:
                self._check_reachable(account)
            _make_parents(self.path.parent)
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(0o700)
                os.chown(self.path, account.uid, account.gid)
            self._check_ours(account)
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise ServerError(
                f"cannot use {self.path} as the home: {error.strerror}: {error.filename}; "
                "set SHOPFLOW_HOME to a directory of your own"
            ) from error

    def make_directories(self, account: Account) -> None:
        """Make what belongs in the home; the caller holds the lock."""
        if self.recorded() is None:
            self.write(self.record, msgspec.json.encode(Recorded()))
        for directory in (self.log, self.extra_config, self.socket(account)):
            _private(directory, account)

    def _check_ours(self, account: Account) -> None:
        strangers = {
            entry.name
            for entry in self.path.iterdir()
            if entry.name not in WELCOME and not entry.name.startswith(f".{self.record.name}.")
        }
        if strangers and not self.record.exists():
            raise ServerError(
                f"{self.path} holds files that ShopFlow did not make ({min(strangers)!r}); "
                "set SHOPFLOW_HOME to a new or an empty directory"
            )
        if self.data.exists() and (owner := self.data.stat().st_uid) != account.uid:
            raise ServerError(
                f"{self.data} belongs to user id {owner}, the server would run as {account.name} "
                f"({account.uid}); run as its owner, or as root set SHOPFLOW_SERVER_USER to it"
            )

    def _check_reachable(self, account: Account) -> None:
        there = [path for path in (self.path, *self.path.parents) if path.is_dir()]
        closed = first_closed(account, reversed(there))
        if closed is not None:
            mode = stat.S_IMODE(closed.stat().st_mode)
            raise ServerError(
                f"the server's user {account.name!r} cannot enter {closed} (mode {mode:04o}); "
                "set SHOPFLOW_HOME to a directory that it can reach, such as /var/lib/shopflow"
            )

    def write(self, path: Path, content: bytes, mode: int = 0o600) -> None:
        """Put `content` at `path` in the home, whole or not at all, never through a link."""
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=self.path)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def lock(self, timeout: float, waiting: Callable[[], None]) -> Iterator[int]:
        """Let one process at a time start or stop the server; yields the lock's descriptor.

        Calls `waiting` once when another process holds it.

        Raises:
            ServerError: when it did not come free within `timeout` seconds.
        """
        file = self.path / "lock"
        with _opened(file) as handle:
            if not _taken(handle, timeout, waiting):
                raise ServerError(f"another process held {file} for {timeout:g} s")
            yield handle

    @contextlib.contextmanager
    def server_lock(
        self, timeout: float, waiting: Callable[[], None], patience: float
    ) -> Iterator[int]:
        """Hold what all processes of a server hold; yields the descriptor to start one with.

        The kernel gives it back when the last process ends that inherited the descriptor. It
        holds between containers too, which do not see each other's processes (not on a network
        file system that keeps flock to one machine). Calls `waiting` once after `patience`
        seconds.

        Raises:
            ServerError: when it did not come free within `timeout` seconds.
        """
        file = self.path / "server.lock"
        with _opened(file) as handle:
            if not _taken(handle, timeout, waiting, patience):
                raise ServerError(
                    f"{file} is held: a server runs on {self.data} in another container or on "
                    "another machine, or processes of a killed one are left; end those first"
                )
            yield handle

    @contextlib.contextmanager
    def unfinished(self, name: str, account: Account) -> Iterator[Path]:
        """Give a directory to make something in that is then renamed; it is gone afterwards.

        One that a killed process left is known by its name and the marker in it, and replaced.

        Raises:
            ServerError: when there is a directory of that name without the marker.
        """
        path = self.path / f"{name}.unfinished"
        _remove_marked(path)
        path.mkdir(0o755)
        try:
            (path / MARKER).touch()
            os.chown(path, account.uid, account.gid)
            yield path
        finally:
            _remove_marked(path)


def _make_parents(directory: Path) -> None:
    if not directory.is_dir():
        _make_parents(directory.parent)
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            directory.chmod(0o755)


def _private(directory: Path, account: Account) -> None:
    with contextlib.suppress(FileExistsError):
        directory.mkdir(0o700)
        os.chown(directory, account.uid, account.gid)
    found = directory.lstat()
    # The socket's directory may lie in /tmp, where anyone may have been first.
    outside = directory.parent == Path("/tmp")  # noqa: S108
    shared = found.st_uid != account.uid or found.st_mode & 0o077
    if not stat.S_ISDIR(found.st_mode) or (outside and shared):
        raise ServerError(
            f"{directory} must be a directory of {account.name} with mode 0700; "
            "remove it, or set SHOPFLOW_HOME to a shorter path"
        )


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[int]:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _taken(handle: int, timeout: float, waiting: Callable[[], None], patience: float = 0.0) -> bool:
    began = time.monotonic()
    told = False
    while not _locked(handle):
        waited = time.monotonic() - began
        if waited > timeout:
            return False
        if not told and waited >= patience:
            told = True
            waiting()
        time.sleep(POLL_SECONDS)
    return True


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_marked(path: Path) -> None:
    if not path.exists():
        return
    if not (path / MARKER).exists() and any(path.iterdir()):
        raise ServerError(f"{path} is in the way and not ShopFlow's: move it elsewhere")
    for entry in path.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()
    shutil.rmtree(path)


def _not_allowed(path: Path) -> ServerError:
    return ServerError(f"{path} belongs to another user; run as that user, or set SHOPFLOW_HOME")
