"""What is due is made once, by whoever asks, and what is too old goes without breaking the rest."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest

from shopflow import settings as settings_module
from shopflow.backup import (
    Backup,
    BackupError,
    Policy,
    Store,
    Target,
    catalogue,
    due,
    keeping,
    prune,
    restore,
    segments,
)
from shopflow.backup.schedule import wanted
from shopflow.backup.targets import LATEST
from shopflow.errors import NotFoundError
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark
from tests.conftest import fast_disk, fast_home, reachable_directory

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SUNDAY = datetime(2026, 11, 29, tzinfo=UTC)
EVERY_SIX_HOURS = Policy(incremental_every=6 * HOUR)


def made(started: datetime, kind: catalogue.Kind = "full", parent: str | None = None) -> Backup:
    name = f"{started:%Y%m%dT%H%M%S}Z"
    return Backup(
        name=name,
        started_at=started,
        finished_at=started + HOUR / 4,
        start_wal="000000010000000000000002",
        segment_size=16 * 1024 * 1024,
        system_identifier="1",
        version=180006,
        data=f"base/{name}",
        size=1,
        content_size=1,
        sha256="",
        kind=kind,
        parent=parent,
        end_wal="000000010000000000000002",
    )


# Hours from Sunday 00:00, kinds of the backups before them.
@pytest.mark.parametrize(
    ("before", "hours", "expected"),
    [
        # A new shop begins with a full one, whenever it is; on the archive's day with that.
        ({}, 60, "full"),
        ({}, 3, "archive"),
        ({60: "full"}, 60, None),
        # Saturday's full one until the archive, which is Sunday's; at 02:00 on Monday a full one.
        ({-22: "full"}, -1, None),
        ({-22: "full"}, 0, "archive"),
        ({-22: "full", 0: "archive"}, 23, None),
        ({-22: "full", 0: "archive"}, 25, None),
        ({-22: "full", 0: "archive"}, 26, "full"),
        # Missed ones are made later.
        ({-22: "full"}, 40, "archive"),
        ({-46: "full", -22: "full", 0: "archive"}, 90, "full"),
    ],
)
def test_what_is_due(before: dict[int, catalogue.Kind], hours: int, expected: str | None) -> None:
    backups = [made(SUNDAY + at * HOUR, kind) for at, kind in before.items()]
    assert wanted(backups, Policy(), SUNDAY + hours * HOUR) == expected


def test_an_incremental_one_is_due_some_hours_after_any_backup() -> None:
    full = made(SUNDAY + 26 * HOUR)
    assert wanted([full], EVERY_SIX_HOURS, SUNDAY + 31 * HOUR) is None
    assert wanted([full], EVERY_SIX_HOURS, SUNDAY + 32 * HOUR) == "incremental"
    second = made(SUNDAY + 32 * HOUR, "incremental", parent=full.name)
    assert wanted([full, second], EVERY_SIX_HOURS, SUNDAY + 37 * HOUR) is None
    assert wanted([full, second], EVERY_SIX_HOURS, SUNDAY + 51 * HOUR) == "full"
    # It does not build on an archive.
    archive = made(SUNDAY, "archive")
    assert wanted([archive], EVERY_SIX_HOURS, SUNDAY + 9 * HOUR) is None
    saturday = made(SUNDAY - 22 * HOUR)
    assert wanted([saturday, archive], EVERY_SIX_HOURS, SUNDAY + 9 * HOUR) == "incremental"
    # What it builds on is gone: it is none.
    assert wanted([second], EVERY_SIX_HOURS, SUNDAY + 33 * HOUR) == "full"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(settings_module.load({}, backup_url=f"file://{tmp_path}/store"))


@pytest.fixture
def old(store: Store) -> Backup:
    """A backup that is too old, and a newer one."""
    for backup in (made(SUNDAY - 40 * DAY), made(SUNDAY - 10 * DAY)):
        catalogue.add(store, backup)
        store.put(backup.data, iter([b"1"]))
    return catalogue.read(store)[0]


def test_what_is_marked_stays_until_it_is_not(store: Store, old: Backup) -> None:
    keeping.keep(store, old.name)
    assert prune(store, Policy(), now=SUNDAY).backups == ()
    keeping.release(store, old.name)
    assert prune(store, Policy(), now=SUNDAY, dry_run=True).backups == (old.name,)
    assert len(catalogue.read(store)) == 2
    assert prune(store, Policy(), now=SUNDAY).backups == (old.name,)
    assert store.names("base") == [catalogue.read(store)[0].name]
    for change in (keeping.keep, keeping.release):
        with pytest.raises(NotFoundError, match=old.name):
            change(store, old.name)
    assert keeping.marked(store) == set()


def test_a_backup_that_is_marked_while_it_is_removed_is_put_back(store: Store, old: Backup) -> None:
    class Removing(Store):
        def delete(self, path: str) -> None:
            if path == catalogue.path(old.name):
                keeping.keep(self, old.name)
            super().delete(path)

    settings = settings_module.load({}, backup_url=store.url)
    assert prune(Removing(settings), Policy(), now=SUNDAY).backups == ()
    assert catalogue.read(store)[0] == old
    assert len(store.names("base")) == 2


def test_a_prune_that_is_killed_leaves_whole_backups_and_the_next_does_the_rest(
    store: Store, old: Backup
) -> None:
    class Killed(Exception):  # noqa: N818 it is none of ours
        pass

    class Dying(Store):
        steps = 1

        def delete(self, path: str) -> None:
            self.steps -= 1
            if self.steps < 0:
                raise Killed
            super().delete(path)

    with pytest.raises(Killed):
        prune(Dying(settings_module.load({}, backup_url=store.url)), Policy(), now=SUNDAY)
    (left,) = catalogue.read(store)
    assert left != old
    assert store.names("base") == [old.name, left.name]
    # Its content is an orphan now.
    later = datetime.now(UTC) + 2 * DAY
    assert prune(store, Policy(), now=later).orphans == (old.data,)
    assert store.names("base") == [left.name]


@pytest.fixture(scope="module")
def shop() -> Iterator[Settings]:
    """A server that archives into a store of its own."""
    with reachable_directory(fast_disk()) as place:
        settings = settings_module.load(
            {},
            home=fast_home(place),
            backup_url=f"file://{place}/store",
            # So that whatever the clock says, none is due in the next hours but the incremental.
            backup_full_at=f"{datetime.now(UTC) - HOUR:%H:%M}",
            backup_incremental_hours=6,
            backup_archive_at="never",
        )
        Server(settings).start()
        try:
            yield settings
        finally:
            Server(settings).stop()


def test_what_is_due_is_made_once_and_what_is_left_after_a_month_can_be_restored(
    shop: Settings,
) -> None:
    now, store = datetime.now(UTC), Store(shop)
    with psycopg.connect(Server(shop).superuser_conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE canary (name TEXT PRIMARY KEY)")
        connection.execute("GRANT SELECT ON canary TO PUBLIC")
        # Two at once, as from cron and from `shopflow up`.
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(lambda _: due(shop, now=now), range(2)))
        first = next(done.made for done in both if done.made)
        assert catalogue.read(store) == [first]
        assert first.end_wal is not None
        assert first.start_wal <= first.end_wal
        assert due(shop, now=now).made is None
        mark(connection, "between")
        archived(connection)
        second = due(shop, now=now + 7 * HOUR).made
        assert second is not None
        assert (second.kind, second.parent) == ("incremental", first.name)
        keeping.keep(store, first.name)
        # A month later: another is due, and the others go with their WAL.
        later = due(shop, now=now + 31 * DAY)
        assert later.made is not None
        assert later.pruned is not None
        assert later.pruned.backups == (second.name,)
        assert later.pruned.wal > 0
        left = {segments.of_file(name) for name in store.names("wal")}
        assert {first.start_wal, first.end_wal} <= left
        assert catalogue.read(store) == [first, later.made]
        mark(connection, "after")
        archived(connection)
    assert _restored(shop, LATEST) == (later.made.name, [("after",), ("between",)])
    # Of what was kept by its name there is the backup itself, and no moment after it.
    with pytest.raises(BackupError, match="the archived WAL ends before"):
        restore(shop, shop.home.parent / "gap", Target(second.finished_at))
    assert _restored(shop, Target(backup=first.name)) == (first.name, [])
    with pytest.raises(NotFoundError, match="nosuch"):
        restore(shop, shop.home.parent / "none", Target(backup="nosuch"))


def _restored(shop: Settings, target: Target) -> tuple[str, list[tuple[str]]]:
    """Restore to a target: the backup it began with, and the canaries it has."""
    with reachable_directory(fast_disk()) as to:
        restored = restore(shop, to, target)
        try:
            with psycopg.connect(restored.url) as connection:
                query = "SELECT name FROM public.canary ORDER BY name"
                return restored.backup, connection.execute(query).fetchall()
        finally:
            Server(msgspec.structs.replace(shop, home=to)).stop()
