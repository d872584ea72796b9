"""Backups and restores: what they cost beside pg_basebackup, and what a lost disk loses."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec
import psycopg

from bench import servers
from bench.frame import Bench, Competitor, Rounds, Scale
from shopflow.backup import Restored, create, restore
from shopflow.backup.archiving import archive_now
from shopflow.postgres import postmaster
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_user import environment
from shopflow.settings import Settings

GB, MB = 1024**3, 1024**2
SHOPFLOW = Path(sys.executable).with_name("shopflow")
# Random digits: what a real shop's rows compress to is less.
FILL = """
    INSERT INTO public.filler
    SELECT string_agg(md5(random()::text), '')
    FROM generate_series(1, %(kilobytes)s) AS row CROSS JOIN generate_series(1, 31)
    GROUP BY row
"""
WRITES_A_SECOND = 100


class Size(msgspec.Struct, frozen=True):
    """How much: of data, of WAL after the backup, and archive_timeout in seconds."""

    megabytes: int
    wal_megabytes: int
    archive_timeout: int


SIZES: Mapping[Scale, Size] = {
    "tiny": Size(megabytes=16, wal_megabytes=16, archive_timeout=1),
    "default": Size(megabytes=3_000, wal_megabytes=1_000, archive_timeout=60),
}


@contextmanager
def _competitors(scale: Scale) -> Iterator[Mapping[str, Competitor]]:
    size = SIZES[scale]
    with _archiving(size) as settings:
        with _superuser(settings) as connection:
            connection.execute("CREATE TABLE public.filler (digits TEXT)")
            _fill(connection, size.megabytes)
            connection.execute("CHECKPOINT")
        yield {
            "shopflow": partial(_backup, settings),
            "pg_basebackup": partial(_basebackup, settings),
            "restore": partial(_restore, settings, size),
            "rpo": partial(_rpo, size),
        }


def _summary(rounds: Rounds) -> Mapping[str, float]:
    pairs = zip(rounds["shopflow.backup"], rounds["pg_basebackup.backup"], strict=True)
    return {
        "backup_vs_basebackup": median(ours / theirs for ours, theirs in pairs),
        "restore_seconds_per_gb": median(rounds["restore.per_gb"]),
        "replay_mb_per_s": median(rounds["restore.replay"]),
        "rpo_archive_s": max(rounds["rpo.archive"]),
        "rpo_stream_s": max(rounds["rpo.stream"]),
        "rpo_sync_lost": sum(rounds["rpo.sync_lost"]),
    }


BENCH = Bench(
    name="backup",
    purpose="a full backup against pg_basebackup to a directory, a restore, and what a lost disk"
    " loses",
    unit={
        "backup": "s",
        "per_gb": "s",
        "replay": "1/s",
        "archive": "s",
        "stream": "s",
        "sync_lost": "count",
    },
    rounds={"tiny": 1, "default": 3},
    ratios={},
    meanings={
        "backup_vs_basebackup": "our seconds over pg_basebackup's; below 1: shopflow is quicker",
        "restore_seconds_per_gb": "seconds to unpack and verify a GB of data",
        "replay_mb_per_s": "MB of WAL that are replayed in a second",
        "rpo_archive_s": "age of the last commit that came back, with archiving alone",
        "rpo_stream_s": "the same with backup stream",
        "rpo_sync_lost": "acknowledged commits that did not come back, with backup stream"
        " --synchronous",
    },
    summary=_summary,
    competitors=_competitors,
)


def _backup(settings: Settings) -> Mapping[str, float]:
    begun = perf_counter()
    create(settings)
    return {"backup": perf_counter() - begun}


def _basebackup(settings: Settings) -> Mapping[str, float]:
    server = Server(settings)
    with servers.directory() as scratch:
        begun = perf_counter()
        subprocess.run(
            [
                *(server.binary("pg_basebackup"), "-d", server.superuser_conninfo()),
                *("-D", scratch / "data", "-X", "none", "-c", "fast"),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        return {"backup": perf_counter() - begun}


def _restore(settings: Settings, size: Size) -> Mapping[str, float]:
    """Restore the newest backup, and WAL that was written after it."""
    made = create(settings)
    with _superuser(settings) as connection:
        start = _position(connection)
        _fill(connection, size.wal_megabytes)
        archive_now(connection)
        wal = _position(connection) - start
    replaying = perf_counter()

    def report(message: str) -> None:
        nonlocal replaying
        if message.startswith("replaying"):
            replaying = perf_counter()

    with servers.directory() as scratch:
        begun = perf_counter()
        restored = restore(settings, scratch / "restored", check=False, report=report)
        ended = perf_counter()
        _stop(settings, restored)
    return {
        "per_gb": (replaying - begun) / (made.content_size / GB),
        "replay": wal / MB / (ended - replaying),
    }


def _rpo(size: Size) -> Mapping[str, float]:
    """Lose the disk of a server that is written to, three times."""
    archived, _ = _lose_disk(size, archived=True)
    streamed, _ = _lose_disk(size, "stream")
    _, lost = _lose_disk(size, "stream", "--synchronous")
    return {"archive": archived, "stream": streamed, "sync_lost": lost}


def _lose_disk(size: Size, *command: str, archived: bool = False) -> tuple[float, int]:
    """Return the age of the last commit that came back, and how many acknowledged ones did not.

    With the archive alone the disk is lost a moment before the next segment would be archived.
    """
    with _archiving(size) as settings:
        create(settings)
        with _running(settings, *command) if command else nullcontext():
            with _superuser(settings) as connection:
                connection.execute("CREATE TABLE public.canary (at TIMESTAMPTZ)")
                connection.execute("GRANT SELECT ON public.canary TO PUBLIC")
            acknowledged: list[datetime] = []
            writer = threading.Thread(target=_write, args=(settings, acknowledged))
            writer.start()
            if archived:
                _wait_archived(settings)
            time.sleep(max(size.archive_timeout - 1, 1))
            found = postmaster.running(settings.home / "data")
            if found is None:
                raise RuntimeError("the server does not run")
            os.kill(found.pid, signal.SIGKILL)
            killed = time.time()
            writer.join()
            shutil.rmtree(settings.home / "data")
        restored = restore(settings, settings.home.parent / "restored", check=False)
        try:
            with psycopg.connect(restored.url) as connection:
                row = connection.execute("SELECT max(at), count(*) FROM public.canary").fetchone()
        finally:
            _stop(settings, restored)
        if row is None or row[0] is None:
            raise RuntimeError("nothing came back")
        return killed - row[0].timestamp(), max(len(acknowledged) - row[1], 0)


def _write(settings: Settings, acknowledged: list[datetime]) -> None:
    """Commit a row at a time until the server is gone."""
    with _superuser(settings) as connection:
        while True:
            try:
                row = connection.execute(
                    "INSERT INTO public.canary VALUES (clock_timestamp()) RETURNING at"
                ).fetchone()
            except psycopg.OperationalError:
                return
            if row is not None:
                acknowledged.append(row[0])
            time.sleep(1 / WRITES_A_SECOND)


def _wait_archived(settings: Settings) -> None:
    """Return when a segment has been archived from now on."""
    with _superuser(settings) as connection:
        query = "SELECT archived_count FROM pg_stat_archiver"
        before = connection.execute(query).fetchone()
        while connection.execute(query).fetchone() == before:
            time.sleep(0.05)


@contextmanager
def _archiving(size: Size) -> Iterator[Settings]:
    """A server of its own that archives, with everything beside its home."""
    with servers.home() as plain:
        directory = plain.home.parent
        settings = msgspec.structs.replace(
            plain,
            backup_url=f"file://{directory}/store",
            backup_stream_directory=directory / "stream",
        )
        own = settings.home / "conf.d"
        own.mkdir(parents=True)
        (own / "bench.conf").write_text(f"archive_timeout = {size.archive_timeout}s\n")
        Server(settings).start()
        yield settings


@contextmanager
def _running(settings: Settings, *command: str) -> Iterator[None]:
    """`shopflow backup …`, from when it says what it does."""
    process = subprocess.Popen(
        [SHOPFLOW, "backup", *command],
        env={
            "PATH": os.environ["PATH"],
            "SHOPFLOW_HOME": str(settings.home),
            "SHOPFLOW_BACKUP_URL": str(settings.backup_url),
            "SHOPFLOW_BACKUP_STREAM_DIRECTORY": str(settings.backup_stream_directory),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        ready = "commits wait" if "--synchronous" in command else "receiving"
        for line in process.stderr or ():
            if line.startswith(ready):
                break
        try:
            yield
        finally:
            process.terminate()


def _superuser(settings: Settings) -> psycopg.Connection:
    return psycopg.connect(Server(settings).superuser_conninfo(), autocommit=True)


def _fill(connection: psycopg.Connection, megabytes: int) -> None:
    for _ in range(megabytes):
        connection.execute(FILL, {"kilobytes": 1024})


def _position(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint").fetchone()
    if row is None:
        raise RuntimeError("the server does not answer")
    return int(row[0])


def _stop(settings: Settings, restored: Restored) -> None:
    Server(msgspec.structs.replace(settings, home=Path(restored.home))).stop()
