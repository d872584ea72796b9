"""A risky change waits for a backup from which this very moment can be restored to."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from shopflow.backup import Backup, BackupError, Store, catalogue, require_fresh, segments
from shopflow.errors import MigrationError
from shopflow.migrations import runner
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark
from tests.migrations.conftest import Versions


@contextmanager
def entered(settings: Settings, **given: Any) -> Iterator[Backup]:
    """The newest backup, with another entry in the catalogue meanwhile."""
    store = Store(settings)
    newest = max(catalogue.read(store), key=lambda backup: backup.finished_at)
    store.delete(catalogue.path(newest.name))
    catalogue.add(store, msgspec.structs.replace(newest, **given))
    try:
        yield newest
    finally:
        store.delete(catalogue.path(newest.name))
        catalogue.add(store, newest)


def test_what_was_just_written_is_in_the_archive_then(
    live: Settings, superuser: psycopg.Connection, backup: Backup
) -> None:
    mark(superuser, "before the change")
    row = superuser.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())").fetchone()
    assert row is not None
    assert require_fresh(live).finished_at >= backup.finished_at
    assert row[0] in {segments.of_file(name) for name in Store(live).names("wal")}
    # Nothing was written since.
    require_fresh(live)


def test_a_backup_that_is_too_old_or_another_servers_is_none(
    live: Settings, backup: Backup
) -> None:
    with (
        entered(live, finished_at=backup.finished_at - timedelta(hours=26)),
        pytest.raises(BackupError, match=r"more than 26 hours ago: .*backup create"),
    ):
        require_fresh(live)
    with (
        entered(live, system_identifier="1"),
        pytest.raises(BackupError, match="another server's"),
    ):
        require_fresh(live)


def test_wal_that_is_missing_or_does_not_come_is_told(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    mark(superuser, "after the backup")
    archived(superuser)
    with entered(live) as newest:
        segment = next(
            path
            for path in (place / "store" / "wal").iterdir()
            if segments.of_file(path.name) == newest.start_wal
        )
        moved = segment.rename(place / "moved")
        try:
            with pytest.raises(BackupError, match=f"{newest.start_wal} .* is not in the store"):
                require_fresh(live)
        finally:
            moved.rename(segment)
    superuser.execute("ALTER SYSTEM SET archive_command = 'exit 1'")
    superuser.execute("SELECT pg_reload_conf()")
    try:
        mark(superuser, "not archived")
        with pytest.raises(BackupError, match="did not come into the store within 0 s"):
            require_fresh(live, timedelta(0))
    finally:
        superuser.execute("ALTER SYSTEM RESET archive_command")
        superuser.execute("SELECT pg_reload_conf()")


def test_production_is_migrated_after_a_backup(
    live: Settings, backup: Backup, place: Path, tmp_path: Path
) -> None:
    versions = Versions(tmp_path)
    production = msgspec.structs.replace(live, environment="production", schema="in_production")
    Server(production).start()
    versions.add("CREATE TABLE one (id int)")
    assert len(runner.up(production, locations=[tmp_path])) == 1
    versions.add("CREATE TABLE two (id int)")
    without = msgspec.structs.replace(production, backup_url=f"file://{place}/no-backup")
    with pytest.raises(MigrationError, match=r"no backup: .* create; or, .* --i-have-a-backup"):
        runner.up(without, locations=[tmp_path])
    nowhere = msgspec.structs.replace(production, backup_url=None)
    with pytest.raises(MigrationError, match=r"SHOPFLOW_BACKUP_URL.*--i-have-a-backup"):
        runner.down(nowhere, confirm=lambda _: True, locations=[tmp_path])
    said: list[str] = []
    assert len(runner.up(production, locations=[tmp_path], report=said.append)) == 1
    assert any("this moment can be restored to, from backup" in line for line in said)
