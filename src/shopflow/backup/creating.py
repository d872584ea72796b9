"""Makes a base backup: pg_basebackup's tar, compressed, streamed into the store."""

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec
import zstandard

from shopflow.backup import canaries, catalogue, erasures, manifest, segments, source
from shopflow.backup.catalogue import Backup, Kind
from shopflow.backup.chunks import Hashed
from shopflow.backup.encryption import Key, key_of
from shopflow.backup.errors import BackupError
from shopflow.backup.source import Source
from shopflow.backup.store import CHUNK, Store
from shopflow.backup.unpacking import read_manifest
from shopflow.settings import Settings

# At 3, zstd's own default, one core keeps up with pg_basebackup.
LEVEL = 3
# Of backup_label, which PostgreSQL sends first.
START = re.compile(rb"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)")


class _Cluster(msgspec.Struct, frozen=True):
    now: datetime
    archive_mode: str
    segment_size: int
    system_identifier: str
    database: str
    superuser: str
    size: int
    version: int


class _Tar:
    """The tar as chunks, watched as they pass."""

    def __init__(self, source: IO[bytes], moved: Callable[[int], None]) -> None:
        self._source, self._moved = source, moved
        self.manifest = manifest.Found()
        self.size = 0
        self.start_wal: str | None = None

    def chunks(self, ended: Callable[[], None]) -> Iterator[bytes]:
        """Yield the chunks; `ended` is called after the last, and may raise."""
        while content := self._source.read(CHUNK):
            if not self.size and (start := START.search(content)):
                self.start_wal = start[1].decode()
            self.size += len(content)
            self.manifest.feed(content)
            self._moved(len(content))
            yield content
        ended()


def create(
    settings: Settings,
    moved: Callable[[int], None] = lambda _size: None,
    *,
    kind: Kind = "full",
) -> Backup:
    """Make a backup of the server while it runs, and return its catalogue entry.

    It is streamed: nothing is kept on this machine, and a few chunks of 8 MB in memory. Waits
    until the WAL that it needs is archived. What is cut short is no backup: the entry is written
    last (§7.1).

    Args:
        settings: whose server, `backup_url`, and the key when it is to be encrypted.
        moved: told the bytes read from the server, as they come.
        kind: full; archive, a full one with a storage class and retention of its own; or
            incremental, what changed since the newest backup that is no archive.

    Raises:
        ConfigurationError: when no store is set, or the key cannot be used.
        BackupError: when the server does not archive, pg_basebackup fails, the store refuses or
            an incremental backup has nothing to build on.
        ServerError: when there is no server.
    """
    store, server, key = Store(settings), Source(settings), key_of(settings)
    before = _look(settings)
    if before.archive_mode == "off":
        raise BackupError(
            "the server archives no WAL, and a backup without it cannot be restored: start the"
            " server again with SHOPFLOW_BACKUP_URL set"
        )
    with source.connect(settings) as connection:
        canaries.write(connection)
        erasures.export(connection, store)
    parent = _parent(catalogue.read(store), before) if kind == "incremental" else None
    name, suffix = f"{before.now:%Y%m%dT%H%M%S%f}Z", ".age" if key else ""
    data, listing = f"base/{name}.tar.zst{suffix}", f"base/{name}.manifest.zst{suffix}"
    archived = settings.backup_archive_storage_class
    storage_class = archived if kind == "archive" else settings.backup_storage_class

    def keep(path: str, chunks: Iterator[bytes]) -> Hashed:
        passing = Hashed(_packed(chunks, key))
        store.put(path, iter(passing), storage_class=storage_class, expected=before.size)
        return passing

    with _running(server, _incremental(store, parent, key)) as (output, ended):
        tar = _Tar(output, moved)
        kept = keep(data, tar.chunks(ended))
    if tar.start_wal is None:
        raise BackupError("the backup does not say where its WAL begins: there is no backup_label")
    content = tar.manifest.content()
    keep(listing, iter([content]))
    backup = Backup(
        name=name,
        started_at=before.now,
        finished_at=_look(settings).now,
        start_wal=tar.start_wal,
        segment_size=before.segment_size,
        system_identifier=before.system_identifier,
        version=before.version,
        data=data,
        size=kept.size,
        content_size=tar.size,
        sha256=kept.sha256(),
        kind=kind,
        parent=parent.name if parent else None,
        manifest=listing,
        encrypted=key is not None,
        end_wal=manifest.end_wal(content, before.segment_size),
        database=before.database,
        superuser=before.superuser,
    )
    _require_wal(store, backup)
    catalogue.add(store, backup)
    return backup


def _require_wal(store: Store, backup: Backup) -> None:
    """Refuse a backup whose WAL the server has archived elsewhere."""
    if backup.end_wal is None:
        return
    there = segments.of_files(store.names("wal"))
    missing = segments.first_missing_to(
        there, backup.start_wal, backup.end_wal, backup.segment_size
    )
    if missing is not None:
        raise BackupError(
            f"the WAL segment {missing}, which the backup needs, is not in {store.url}: the server"
            " archives to another place, or to none; the embedded one has to be started again"
            " after a change of backup_url"
        )


def _packed(chunks: Iterator[bytes], key: Key | None) -> Iterator[bytes]:
    packed = _compressed(chunks)
    return key.encrypt(packed) if key else packed


def _compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj()
    for content in chunks:
        if chunk := compressor.compress(content):
            yield chunk
    yield compressor.flush()


def _parent(backups: Sequence[Backup], server: _Cluster) -> Backup:
    # An archive may lie where reading is slow and dear.
    usable = [
        each
        for each in catalogue.whole(backups)
        if each.manifest is not None
        and each.kind != "archive"
        and each.system_identifier == server.system_identifier
    ]
    if not usable:
        raise BackupError(
            "an incremental backup needs another of this server before it: make a full one first,"
            " with shopflow backup create"
        )
    return max(usable, key=lambda each: each.finished_at)


@contextlib.contextmanager
def _incremental(store: Store, parent: Backup | None, key: Key | None) -> Iterator[Sequence[str]]:
    """Give pg_basebackup's arguments for what changed since `parent`, whose manifest it reads."""
    if parent is None:
        yield ()
        return
    with tempfile.NamedTemporaryFile(prefix="shopflow-manifest-") as file:
        file.write(read_manifest(store, parent, key))
        file.flush()
        yield (f"--incremental={file.name}",)


@contextlib.contextmanager
def _running(
    server: Source, incremental: contextlib.AbstractContextManager[Sequence[str]]
) -> Iterator[tuple[IO[bytes], Callable[[], None]]]:
    """Run pg_basebackup; give its output, and what raises at its end when it failed."""
    with tempfile.TemporaryFile() as errors, incremental as arguments:
        # Without -X it waits itself until the last segment it needs is archived.
        command: list[str | Path] = [
            *(server.binary("pg_basebackup"), "-d", server.superuser_conninfo()),
            *("-D", "-", "-Ft", "-X", "none", "-c", "fast", *arguments),
        ]
        process = subprocess.Popen(  # noqa: S603 no shell reads it
            command, stdout=subprocess.PIPE, stderr=errors, env=server.environment()
        )

        def ended() -> None:
            if process.wait():
                errors.seek(0)
                said = errors.read().decode(errors="replace").splitlines()
                raise BackupError(f"pg_basebackup failed: {' | '.join(said[-3:])}")

        with process:
            if process.stdout is None:
                raise BackupError("pg_basebackup has no output")
            try:
                yield process.stdout, ended
            finally:
                process.kill()


def _look(settings: Settings) -> _Cluster:
    with source.connect(settings) as connection:
        row = connection.execute(
            """
            SELECT clock_timestamp(), current_setting('archive_mode'),
                (SELECT setting::int FROM pg_settings WHERE name = 'wal_segment_size'),
                (SELECT system_identifier::text FROM pg_control_system()),
                (SELECT sum(pg_database_size(oid))::bigint FROM pg_database),
                current_database(), (SELECT rolname FROM pg_roles WHERE oid = 10)
            """
        ).fetchone()
        if row is None:
            raise BackupError("the server does not answer")
        now, mode, segment, system, size, database, superuser = row
        version = connection.info.server_version
        return _Cluster(now, mode, segment, system, database, superuser, size, version)
