"""The status tells of every failure of archiving, also those that PostgreSQL does not count."""

from datetime import timedelta

import psycopg
import pytest

from shopflow.backup import Backup, status
from shopflow.backup.status import problem
from shopflow.settings import Settings
from tests.backup.conftest import archived, mark


def test_what_waits_is_seen_where_postgresql_counts_no_failure(
    live: Settings, superuser: psycopg.Connection, backup: Backup
) -> None:
    mark(superuser, "archived")
    archived(superuser)
    fine = status(live)
    assert fine.restores_from is not None
    assert fine.restores_from <= backup.finished_at
    assert fine.last_archived is not None
    # 126 is what a script gives that the server's user may not run.
    superuser.execute("ALTER SYSTEM SET archive_command = 'exit 126'")
    superuser.execute("SELECT pg_reload_conf()")
    try:
        mark(superuser, "not yet archived")
        superuser.execute("SELECT pg_switch_wal()")
        found = status(live)
        assert found.waiting > 0
        assert found.oldest_wait is not None
    finally:
        superuser.execute("ALTER SYSTEM RESET archive_command")
        superuser.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("mode", "backups", "wait", "said"),
    [
        ("off", 1, None, "SHOPFLOW_BACKUP_URL"),
        ("on", 1, timedelta(minutes=3), "waited 180 s"),
        ("on", 0, None, "backup create"),
        ("on", 1, timedelta(seconds=50), None),
        ("on", 1, None, None),
    ],
)
def test_a_problem_is_told(
    mode: str, backups: int, wait: timedelta | None, said: str | None
) -> None:
    found = problem(mode, backups, wait)
    assert found is None if said is None else said in (found or "")
