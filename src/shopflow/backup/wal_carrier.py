"""The process that carries WAL between the server and the store: `python -m` this, by ShopFlow.

The server's commands ask through files in the spool: `NAME.ask`, answered by `NAME.done`,
`NAME.missing` or `NAME.failed`. It looks ahead, so that several files are on their way at once
although PostgreSQL asks for one after the other.
"""

import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil

from shopflow import settings as settings_module
from shopflow.backup.encryption import key_of
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.backup.wal_files import NAME, WalFiles
from shopflow.errors import ShopflowError
from shopflow.postgres import postmaster, server_user
from shopflow.postgres.server_home import Home

AHEAD = 3
# How often it looks whether it is still needed, and how long a server may take to be there.
LOOK_SECONDS = 0.5
GONE_SECONDS = 60.0
REFUSED = 2


class Carrier:
    """Answers what is asked in the spool.

    Attributes:
        carry: moves the file of that name; False when there is none to move.
        ahead: the names that will be asked for after that one, as far as can be seen.
    """

    def __init__(
        self, spool: Path, carry: Callable[[str], bool], ahead: Callable[[str], Sequence[str]]
    ) -> None:
        self._spool, self.carry, self.ahead = spool, carry, ahead
        self._pool = ThreadPoolExecutor(AHEAD + 1)
        self._begun: dict[str, Future[bool]] = {}
        wake = spool / "wake"
        # What asked while nobody was here made a plain file of it.
        wake.unlink(missing_ok=True)
        os.mkfifo(wake, 0o600)
        # Also for writing, so that it never ends.
        self._wake = os.open(wake, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, needed: Callable[[], bool]) -> None:
        """Answer until it is not needed any more."""
        while True:
            for ask in sorted(self._spool.glob("*.ask")):
                self._answer(ask)
            if not any(select.select([self._wake], [], [], LOOK_SECONDS)):
                if not needed():
                    return
                continue
            os.read(self._wake, 4096)

    def _answer(self, ask: Path) -> None:
        name = ask.name.removesuffix(".ask")
        for answer in ("done", "failed", "missing"):
            for answered in self._spool.glob(f"*.{answer}"):
                answered.unlink(missing_ok=True)
        answer, said = "failed", "is no name of a WAL file"
        if NAME.fullmatch(name):
            try:
                answer, said = ("done" if self._carried(name) else "missing"), ""
            except (BackupError, OSError) as error:
                said = " ".join(str(error).split())
                print(f"{name}: {said}", file=sys.stderr, flush=True)  # noqa: T201 its log
        ask.unlink(missing_ok=True)
        unfinished = self._spool / f"{name}.answer"
        unfinished.write_text(said, encoding="utf-8")
        unfinished.rename(self._spool / f"{name}.{answer}")

    def _carried(self, name: str) -> bool:
        asked = self._begin(name)
        for other in self.ahead(name):
            self._begin(other)
        del self._begun[name]
        # What went wrong ahead of time is tried again.
        if asked.done() and asked.exception() is not None:
            asked = self._pool.submit(self.carry, name)
        return asked.result()

    def _begin(self, name: str) -> Future[bool]:
        if name not in self._begun:
            self._begun[name] = self._pool.submit(self.carry, name)
        return self._begun[name]


def pushing(files: WalFiles, data: Path, spool: Path) -> Carrier:
    """Return the carrier that archives the server's WAL."""

    def push(name: str) -> bool:
        files.push(name, (data / "pg_wal" / name).read_bytes())
        return True

    def ahead(name: str) -> Sequence[str]:
        ready = (data / "pg_wal" / "archive_status").glob("*.ready")
        names = sorted(each.name.removesuffix(".ready") for each in ready)
        return [each for each in names if each > name and NAME.fullmatch(each)][:AHEAD]

    return Carrier(spool, push, ahead)


def fetching(files: WalFiles, spool: Path) -> Carrier:
    """Return the carrier that brings WAL out of the store, for a recovery."""

    def fetch(name: str) -> bool:
        content = files.fetch(name)
        if content is None:
            return False
        unfinished = spool / f"{name}.unfinished"
        unfinished.write_bytes(content)
        unfinished.rename(spool / f"{name}.segment")
        return True

    return Carrier(spool, fetch, lambda name: files.following(name, AHEAD))


def main(role: str, starter: int) -> None:
    """Carry until the server, or for a recovery whoever started us, is gone."""
    settings = settings_module.load()
    home = Home(settings.home)
    account = server_user.find_account(settings.server_user)
    try:
        # PostgreSQL tries again what it could not archive, and at its end must not wait for S3.
        store = Store(settings, retries=1 if role == "push" else None)
        files = WalFiles(store, key_of(settings))
    except ShopflowError as error:
        (home.spool / "refused").write_text(str(error), encoding="utf-8")
        sys.exit(REFUSED)
    files.rehearse()
    _become(account)
    lock = os.open(home.spool / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(home))
    if role == "push":
        carrier = pushing(files, home.data, home.spool)
        needed = _while_served(home)
    else:
        carrier = fetching(files, home.spool)

        def needed() -> bool:
            return psutil.pid_exists(starter)

    unfinished = home.spool / "pid.unfinished"
    unfinished.write_text(f"{os.getpid()}\n", encoding="utf-8")
    unfinished.rename(home.spool / "pid")
    carrier.run(needed)
    _end(home)


def _end(home: Home) -> None:
    # What asks from now on does not wait for us.
    (home.spool / "pid").unlink(missing_ok=True)
    os._exit(0)


def _become(account: server_user.Account) -> None:
    """Be the server's user from now on, who may not be able to read our Python's files any more."""
    if account.switch:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)


def _while_served(home: Home) -> Callable[[], bool]:
    seen = time.monotonic()

    def needed() -> bool:
        nonlocal seen
        if postmaster.running(home.data) is not None:
            seen = time.monotonic()
        return time.monotonic() - seen < GONE_SECONDS

    return needed


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
