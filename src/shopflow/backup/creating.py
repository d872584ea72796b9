"""Makes a base backup: pg_basebackup's tar, compressed, streamed into the store."""

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec
import zstandard

from shopflow.backup import canaries, catalogue, erasures, source
from shopflow.backup.catalogue import Backup
from shopflow.backup.errors import BackupError
from shopflow.backup.source import Source
from shopflow.backup.store import CHUNK, Store
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
    version: int


class _Stream:
    """The compressed tar as chunks, counted and hashed as they pass."""

    def __init__(self, source: IO[bytes], moved: Callable[[int], None]) -> None:
        self._source, self._moved = source, moved
        self._digest = hashlib.sha256()
        self.content_size = self.size = 0
        self.start_wal: str | None = None

    def chunks(self, ended: Callable[[], None]) -> Iterator[bytes]:
        """Yield the chunks; `ended` is called before the last, and may raise."""
        compressor = zstandard.ZstdCompressor(level=LEVEL).compressobj()
        while content := self._source.read(CHUNK):
            if not self.content_size and (start := START.search(content)):
                self.start_wal = start[1].decode()
            self.content_size += len(content)
            self._moved(len(content))
            if chunk := compressor.compress(content):
                yield self._counted(chunk)
        ended()
        yield self._counted(compressor.flush())

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _counted(self, chunk: bytes) -> bytes:
        self._digest.update(chunk)
        self.size += len(chunk)
        return chunk


def create(settings: Settings, moved: Callable[[int], None] = lambda _size: None) -> Backup:
    """Make a full backup of the server while it runs, and return its catalogue entry.

    It is streamed: nothing is kept on this machine, and a few chunks of 4 MB in memory. Waits
    until the WAL that it needs is archived. What is cut short is no backup: the entry is written
    last (§7.1).

    Args:
        settings: whose server, and `backup_url`.
        moved: told the bytes read from the server, as they come.

    Raises:
        ConfigurationError: when no store is set.
        BackupError: when the server does not archive, pg_basebackup fails or the store refuses.
        ServerError: when there is no server.
    """
    store, server = Store(settings), Source(settings)
    before = _look(settings)
    if before.archive_mode == "off":
        raise BackupError(
            "the server archives no WAL, and a backup without it cannot be restored: start the"
            " server again with SHOPFLOW_BACKUP_URL set"
        )
    with source.connect(settings) as connection:
        canaries.write(connection)
        erasures.export(connection, store)
    name = f"{before.now:%Y%m%dT%H%M%S}Z"
    data = f"base/{name}.tar.zst"
    stream = _run(server, store, data, moved)
    if stream.start_wal is None:
        store.delete(data)
        raise BackupError("the backup does not say where its WAL begins: there is no backup_label")
    backup = Backup(
        name=name,
        started_at=before.now,
        finished_at=_look(settings).now,
        start_wal=stream.start_wal,
        segment_size=before.segment_size,
        system_identifier=before.system_identifier,
        version=before.version,
        data=data,
        size=stream.size,
        content_size=stream.content_size,
        sha256=stream.sha256(),
        database=before.database,
        superuser=before.superuser,
    )
    catalogue.add(store, backup)
    return backup


def _run(server: Source, store: Store, data: str, moved: Callable[[int], None]) -> _Stream:
    # Without -X it waits itself until the last segment it needs is archived.
    command: list[str | Path] = [
        *(server.binary("pg_basebackup"), "-d", server.superuser_conninfo()),
        *("-D", "-", "-Ft", "-X", "none", "-c", "fast"),
    ]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 no shell reads it
            command, stdout=subprocess.PIPE, stderr=errors, env=server.environment()
        )

        def said() -> str:
            errors.seek(0)
            return errors.read().decode(errors="replace")

        def ended() -> None:
            if process.wait():
                raise BackupError(f"pg_basebackup failed: {' | '.join(said().splitlines()[-3:])}")

        with process:
            if process.stdout is None:
                raise BackupError("pg_basebackup has no output")
            try:
                stream = _Stream(process.stdout, moved)
                store.put(data, stream.chunks(ended))
            finally:
                process.kill()
        return stream


def _look(settings: Settings) -> _Cluster:
    with source.connect(settings) as connection:
        row = connection.execute(
            """
            SELECT clock_timestamp(), current_setting('archive_mode'),
                (SELECT setting::int FROM pg_settings WHERE name = 'wal_segment_size'),
                (SELECT system_identifier::text FROM pg_control_system()),
                current_database(), (SELECT rolname FROM pg_roles WHERE oid = 10)
            """
        ).fetchone()
        if row is None:
            raise BackupError("the server does not answer")
        now, mode, size, system, database, superuser = row
        version = connection.info.server_version
        return _Cluster(now, mode, size, system, database, superuser, version)
