"""A restore has what was committed before its target, nothing after, and refuses the rest."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

from shopflow.backup import (
    Backup,
    BackupError,
    Target,
    create,
    create_restore_point,
    restore,
)
from shopflow.backup.restoring import settings_for
from shopflow.errors import ConfigurationError, InvalidInputError, ServerError
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark


def canaries(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TEMPORARY TABLE takes_writes ()")
        return {name for (name,) in connection.execute("SELECT name FROM public.canary")}


def stop(settings: Settings, home: Path) -> None:
    Server(msgspec.structs.replace(settings, home=home)).stop()


def test_a_restore_has_what_was_before_the_time_and_nothing_after(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    target = mark(superuser, "before")
    mark(superuser, "after")
    archived(superuser)
    to = place / "at"
    restored = restore(live, to, Target(target))
    try:
        assert restored.backup == backup.name
        assert restored.last_transaction is not None
        assert restored.last_transaction <= target
        found = canaries(restored.url)
        assert "before" in found
        assert "after" not in found
        with psycopg.connect(restored.url) as connection:
            assert connection.execute("SHOW archive_mode").fetchone() == ("off",)
            assert connection.execute("SHOW restore_command").fetchone() == ("",)
    finally:
        stop(live, to)


def test_without_a_time_all_that_was_archived_comes_back(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    mark(superuser, "last")
    archived(superuser)
    mark(superuser, "too late for the archive")
    restored = restore(live, place / "latest")
    try:
        found = canaries(restored.url)
        assert "last" in found
        assert "too late for the archive" not in found
    finally:
        stop(live, place / "latest")
    # It starts again as any other home does.
    again = msgspec.structs.replace(live, home=place / "latest", backup_url=None)
    assert Server(again).start() == "started"
    stop(live, place / "latest")


def test_a_time_that_cannot_be_reached_is_refused_before_anything_is_made(
    live: Settings, backup: Backup, place: Path
) -> None:
    to = place / "refused"
    with pytest.raises(InvalidInputError, match="offset"):
        restore(live, to, Target(datetime(2026, 1, 1)))  # noqa: DTZ001 that is the fault
    with pytest.raises(InvalidInputError, match="future"):
        restore(live, to, Target(datetime.now(UTC) + timedelta(hours=1)))
    with pytest.raises(BackupError, match=f"earliest.*{backup.finished_at.isoformat()[:19]}"):
        restore(live, to, Target(backup.finished_at - timedelta(microseconds=1)))
    assert not to.exists()


def test_a_directory_in_use_is_refused(live: Settings, backup: Backup, place: Path) -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        restore(live, live.home)
    with pytest.raises(InvalidInputError, match="empty"):
        restore(live, live.home / "shopflow.conf")


def test_a_store_without_a_backup_and_no_store_say_what_to_do(live: Settings, place: Path) -> None:
    empty = msgspec.structs.replace(live, backup_url=f"file://{place}/empty")
    with pytest.raises(BackupError, match="shopflow backup create"):
        restore(empty, place / "nothing")
    with pytest.raises(ConfigurationError, match="SHOPFLOW_BACKUP_URL"):
        restore(msgspec.structs.replace(live, backup_url=None), place / "nothing")


def test_a_missing_segment_is_named(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    before = mark(superuser, "before the gap")
    archived(superuser)
    for name in ("in the gap", "after the gap"):
        mark(superuser, name)
        archived(superuser)
    segment = sorted((place / "store" / "wal").glob("0000000100*[0-9A-F].gz"))[-2]
    moved = segment.rename(place / "moved")
    try:
        with pytest.raises(BackupError, match=segment.stem):
            restore(live, place / "gap")
        restored = restore(live, place / "before", Target(before))
        assert "before the gap" in canaries(restored.url)
    finally:
        moved.rename(segment)
        stop(live, place / "before")


def test_a_segment_that_cannot_be_read_is_not_taken_for_the_end(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    row = superuser.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
    assert row is not None
    mark(superuser, "in the damaged segment")
    archived(superuser)
    segment = place / "store" / "wal" / f"{row[0]}.gz"
    content = segment.read_bytes()
    segment.write_bytes(content[: len(content) // 2])
    try:
        with pytest.raises(BackupError, match="could not restore file"):
            restore(live, place / "unreadable")
    finally:
        segment.write_bytes(content)


def test_an_archive_that_ends_before_the_time_is_told(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    archived(superuser)
    with pytest.raises(BackupError, match="--latest"):
        restore(live, place / "early", Target(datetime.now(UTC)))


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_backup_is_refused(
    damage: str, live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    data = place / "store" / backup.data
    content = data.read_bytes()
    half = len(content) // 2
    changed = content[:half] + bytes([content[half] ^ 255]) + content[half + 1 :]
    data.write_bytes(content[:half] if damage == "truncated" else changed)
    try:
        with pytest.raises(BackupError, match="damaged"):
            restore(live, place / damage)
    finally:
        data.write_bytes(content)


def test_a_server_that_does_not_archive_gets_no_backup(test_server: Settings, place: Path) -> None:
    with pytest.raises(BackupError, match="archives no WAL"):
        create(msgspec.structs.replace(test_server, backup_url=f"file://{place}/other"))


def test_a_restore_point_is_restored_to(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    mark(superuser, "before the point")
    made = create_restore_point(live, "release-1.2")
    assert made.created_at > backup.finished_at
    mark(superuser, "after the point")
    archived(superuser)
    with pytest.raises(InvalidInputError, match="earlier one"):
        create_restore_point(live, "release-1.2")
    restored = restore(live, place / "point", Target(restore_point="release-1.2"))
    try:
        assert restored.restore_point == "release-1.2"
        found = canaries(restored.url)
        assert "before the point" in found
        assert "after the point" not in found
    finally:
        stop(live, place / "point")


def test_a_restore_point_that_is_nowhere_is_told(
    live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    archived(superuser)
    with pytest.raises(InvalidInputError, match="letters"):
        restore(live, place / "slash", Target(restore_point="a/b"))
    with pytest.raises(BackupError, match=r"no restore point never-made .*--at"):
        restore(live, place / "nowhere", Target(restore_point="never-made"))
    # What failed is no server that `shopflow up` would go on with.
    with pytest.raises(ServerError, match="did not finish"):
        Server(settings_for(live, place / "nowhere")).start()


KILLED = """
import os, signal, sys
from pathlib import Path
from shopflow import settings
from shopflow.backup import restore

def die(what, done, total):
    if what == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

loaded = settings.load({}, home=Path("/nowhere"), backup_url=sys.argv[1])
restore(loaded, Path(sys.argv[2]), progress=die)
"""


@pytest.mark.parametrize("during", ["unpacking", "replaying"])
def test_a_restore_that_was_killed_is_no_server(
    during: str, live: Settings, superuser: psycopg.Connection, backup: Backup, place: Path
) -> None:
    archived(superuser)
    to = place / f"killed {during}"
    arguments = [sys.executable, "-c", KILLED, live.backup_url or "", str(to), during]
    killed = subprocess.run(arguments, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = Server(settings_for(live, to))
    with pytest.raises(ServerError, match="remove the directory"):
        left.start()
    if during == "replaying":
        with pytest.raises(InvalidInputError, match="holds a server that runs"):
            restore(live, to)
    assert left.stop() is (during == "replaying")
    with pytest.raises(InvalidInputError, match="remove the directory"):
        restore(live, to)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told(live: Settings, backup: Backup, place: Path) -> None:
    disk = place / "small"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=True)
    try:
        with pytest.raises(BackupError, match="is full"):
            restore(live, disk / "home")
    finally:
        subprocess.run(["umount", disk], check=True)
