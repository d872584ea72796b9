"""The status tells of every failure, says what would be lost, and says so when it cannot know."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from shopflow.backup import Backup, Policy, Store, archiver, status
from shopflow.backup.archiver import Archiver
from shopflow.backup.status import Drilled, Status, assess
from shopflow.backup.store import Stored
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark
from tests.backup.test_schedule import made

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=each) for each in (1, 60, 3600, 86400))
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NIGHT = made(NOON - 10 * HOUR)
LIVE = Archiver(
    now=NOON,
    system_identifier="1",
    archive_mode="on",
    archive_timeout=MINUTE,
    checkpoint_timeout=5 * MINUTE,
    last_archived="000000010000000000000004",
    waiting=0,
    waiting_since=None,
    waiting_segment=None,
    waiting_finished_at=None,
    nothing_written=False,
    begun_at=None,
    written_at=NOON,
)


def wal(*numbers: int, last: datetime = NOON - MINUTE) -> list[Stored]:
    return [
        Stored(f"wal/0000000100000000{each:08X}.gz", 1, last - MINUTE * (max(numbers) - each))
        for each in numbers
    ]


def changed(**given: Any) -> Archiver:
    return msgspec.structs.replace(LIVE, **given)


def assessed(
    *,
    backups: list[Backup] | None = None,
    archive: list[Stored] | None = None,
    live: Archiver | None = LIVE,
    now: datetime = NOON,
    drilled: Drilled | None = None,
) -> Status:
    return assess(
        [NIGHT] if backups is None else backups,
        wal(2, 3, 4) if archive is None else archive,
        live,
        policy=Policy(),
        now=now,
        drilled=drilled,
    )


def test_of_a_shop_in_order_it_says_where_a_restore_can_go() -> None:
    found = assessed()
    assert found.problems == ()
    assert (found.restores_from, found.restores_to) == (NIGHT.finished_at, NOON - MINUTE)
    assert found.last_backup == NIGHT.finished_at
    # Nothing is sure but what the backup itself holds.
    new = msgspec.structs.replace(NIGHT, finished_at=NOON - SECOND)
    assert assessed(backups=[new]).restores_to == new.finished_at
    assert found.last_archived == NOON - MINUTE


@pytest.mark.parametrize(
    ("live", "seconds"),
    [
        # A quiet server would lose nothing, however long ago it archived.
        (changed(nothing_written=True, begun_at=NOON - DAY), 0),
        # A segment goes on for a minute after its first change, and less when it began later.
        (changed(begun_at=NOON - HOUR), 60),
        (changed(begun_at=NOON - 20 * SECOND), 20),
        (changed(), 60),
        # What waits began a minute before it ended at the earliest.
        (
            changed(
                waiting=1,
                waiting_since=NOON - MINUTE,
                waiting_segment="000000010000000000000005",
                waiting_finished_at=NOON - MINUTE,
                nothing_written=True,
            ),
            120,
        ),
        # Nothing ends the segment: since when it is written is known from the one before it.
        (changed(archive_timeout=0 * MINUTE, begun_at=NOON - 3 * HOUR), 3 * 3600),
        (changed(archive_timeout=0 * MINUTE), None),
        (changed(archive_mode="off"), None),
    ],
)
def test_what_would_be_lost(live: Archiver, seconds: float | None) -> None:
    assert assessed(live=live).rpo_seconds == seconds


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"live": changed(archive_mode="off")}, "SHOPFLOW_BACKUP_URL"),
        ({"live": changed(waiting=1, waiting_since=NOON - 3 * MINUTE)}, "waited 180 s"),
        ({"archive": wal(2, 3, 4, last=NOON - 12 * MINUTE)}, "archive_timeout"),
        ({"live": changed(last_archived="000000010000000000000005")}, "does not have it"),
        ({"live": changed(system_identifier="2")}, "another server"),
        ({"live": None}, "shopflow up"),
        ({"backups": []}, "backup create"),
        ({"backups": [made(NOON - 27 * HOUR)]}, "27 h old"),
        # At 04:01 on Monday only Sunday's early one is there, as if the timer had stopped.
        (
            {"backups": [made(NOON - 26 * HOUR)], "now": NOON - 7 * HOUR - 59 * MINUTE},
            "more than 2 h ago",
        ),
        ({"archive": wal(2, 4)}, "000000010000000000000003 is missing"),
    ],
)
def test_a_problem_is_told_with_what_to_do(given: dict[str, Any], said: str) -> None:
    (problem,) = assessed(**given).problems
    assert said in problem


@pytest.mark.parametrize(
    "given",
    [
        {"live": changed(waiting=1, waiting_since=NOON - 50 * SECOND)},
        # Its last writes are those of the checkpoint after its last change.
        {
            "live": changed(written_at=NOON - DAY + 10 * MINUTE),
            "archive": wal(2, 3, 4, last=NOON - DAY),
        },
        {"live": changed(last_archived="00000002.history")},
        {"live": changed(last_archived=None)},
        {"backups": [made(NOON - 25 * HOUR)], "now": NOON - 8 * HOUR - MINUTE},
    ],
)
def test_what_is_in_order_is_no_problem(given: dict[str, Any]) -> None:
    assert assessed(**given).problems == ()


def test_every_moment_is_restorable_only_after_the_last_gap() -> None:
    later = msgspec.structs.replace(
        made(NOON - 5 * HOUR),
        start_wal="000000010000000000000004",
        end_wal="000000010000000000000004",
    )
    assert assessed(backups=[NIGHT, later]).restores_from == NIGHT.finished_at
    assert assessed(backups=[NIGHT, later], archive=wal(2, 4)).restores_from == later.finished_at
    assert assessed(archive=wal(2, 4)).restores_from is None


def test_a_restore_is_predicted_and_a_drill_corrects_the_prediction() -> None:
    gigabyte = msgspec.structs.replace(NIGHT, content_size=1024**3)
    plain = assessed(backups=[gigabyte])
    # 3 s, 5 s for a gigabyte, three segments of 16 MiB at 100 MB/s.
    assert plain.rto_seconds == pytest.approx(8.5, abs=0.05)
    twice = Drilled(NOON - DAY, predicted_rto=10, measured_rto=20)
    drilled = assessed(backups=[gigabyte], drilled=twice)
    assert drilled.rto_seconds == pytest.approx(17, abs=0.1)
    assert "2026-11-24" in (drilled.rto_from or "")
    second = msgspec.structs.replace(
        made(NOON - 4 * HOUR, "incremental", parent=NIGHT.name), content_size=1024**3
    )
    both = assessed(backups=[gigabyte, second])
    assert both.rto_seconds == pytest.approx(13.5, abs=0.05)
    assert assessed(backups=[]).rto_seconds is None


def test_what_waits_is_seen_where_postgresql_counts_no_failure(
    live: Settings, superuser: psycopg.Connection, backup: Backup
) -> None:
    mark(superuser, "archived")
    archived(superuser)
    # Nothing has been written since, or what PostgreSQL writes for itself.
    before = archiver.look(superuser)
    assert before.waiting == 0
    assert (archiver.unarchived(before) or 0 * SECOND) <= MINUTE
    fine = status(live)
    assert fine.restores_from is not None
    assert fine.restores_from <= backup.finished_at
    assert fine.last_archived is not None
    # 126 is what a script gives that the server's user may not run.
    superuser.execute("ALTER SYSTEM SET archive_command = 'exit 126'")
    superuser.execute("SELECT pg_reload_conf()")
    try:
        wrote = mark(superuser, "not yet archived")
        superuser.execute("SELECT pg_switch_wal()")
        found = archiver.look(superuser)
        assert found.waiting > 0
        assert found.waiting_segment is not None
        lost = archiver.unarchived(found)
        assert lost is not None
        assert lost >= found.now - wrote
        assert status(live).oldest_wait is not None
    finally:
        superuser.execute("ALTER SYSTEM RESET archive_command")
        superuser.execute("SELECT pg_reload_conf()")


def test_the_last_drill_is_read_from_its_report_and_without_a_server_the_rest_is_unknown(
    live: Settings, tmp_path: Path
) -> None:
    gone = msgspec.structs.replace(live, home=tmp_path, backup_url=f"file://{tmp_path}/store")
    store = Store(gone)
    report = '{"report": {"finished_at": "2026-11-2%dT02:00:00Z", "predicted_rto": 2, %s}}'
    for name, content in (
        ("drill-1", report % (1, '"measured_rto": 3')),
        ("drill-2", report % (2, '"measured_rto": null')),
        ("drill-3", "no report"),
    ):
        store.put_new(f"reports/{name}.json", content.encode())
    store.put_new(f"catalogue/{NIGHT.name}.json", msgspec.json.encode(NIGHT))
    found = status(gone)
    assert found.rto_from == "the drill of 2026-11-21 02:00Z"
    assert (found.waiting, found.rpo_seconds, found.restores_to) == (None, None, None)
    assert any("does not run" in problem for problem in found.problems)
