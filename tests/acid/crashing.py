"""A server of the test's own that keeps what it says it keeps, and is killed again and again."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import psutil

from shopflow import TransactionConflictError
from shopflow import settings as settings_module
from shopflow.migrations import runner
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.acid.world import AWAY
from tests.conftest import fast_disk, reachable_directory

T = TypeVar("T")
# As a shop has it, but for the memory; the tests' own servers do without fsync.
CONFIG = """
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 128MB
max_wal_size = 1GB
"""


@contextmanager
def durable_server() -> Iterator[Settings]:
    """Settings for the database of a server of one's own, with the newest schema."""
    with reachable_directory(fast_disk()) as directory:
        home = directory / "home"
        (home / "conf.d").mkdir(parents=True)
        (home / "conf.d" / "test.conf").write_text(CONFIG)
        settings = settings_module.load({}, home=home)
        server = Server(settings)
        server.start()
        try:
            runner.up(settings)
            yield settings
        finally:
            server.stop()


def for_programs(settings: Settings) -> Settings:
    """Settings with which a program does not start the server itself."""
    return msgspec.structs.replace(settings, database_url=Server(settings).url())


class Crashes:
    """Kills the server when so much has been acknowledged, at moments that a seed chooses."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._server = Server(settings)
        self._chance = random.Random(seed)
        self._heard = asyncio.Condition()
        self._acknowledged = 0
        self.kinds: list[str] = []

    async def acknowledged(self) -> None:
        """Say that somebody was told that something was done."""
        async with self._heard:
            self._acknowledged += 1
            self._heard.notify_all()

    async def crash(self, times: int, between: tuple[int, int]) -> None:
        """Kill it so often, each time after another so many acknowledgements."""
        for _ in range(times):
            async with self._heard:
                until = self._acknowledged + self._chance.randint(*between)
                while self._acknowledged < until:
                    await self._heard.wait()
            # Anywhere in what is being done at this moment.
            for _ in range(self._chance.randint(0, 20)):
                await asyncio.sleep(0)
            if self._chance.random() < 0.5:
                self.kinds.append("server")
                await kill_all(self._server)
            else:
                self._kill_a_child()

    def _kill_a_child(self) -> None:
        """One that serves a client: the postmaster ends all others and recovers by itself."""
        self.kinds.append("child")
        children = psutil.Process(self._server.status().pid).children()
        serving = [
            each for each in children if "127.0.0.1" in _title(each) or "[local]" in _title(each)
        ]
        _kill(self._chance.choice(serving or children).pid)


async def kill_all(server: Server) -> None:
    """Kill postmaster and children at once, as the machine would go down; start it again."""
    postmaster = psutil.Process(server.status().pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for each in processes:
        _kill(each.pid)
    await asyncio.to_thread(psutil.wait_procs, processes, timeout=30)
    await asyncio.to_thread(server.start)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It went with the postmaster.
        return


async def until_known(call: Callable[[], Awaitable[T]]) -> T:
    """Do as a client does whose server is away: ask again for the same until there is an answer."""
    pause = 0.01
    while True:
        try:
            return await call()
        except (*AWAY, TransactionConflictError):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.2)
