"""The policy is the specification's by default, and its times are UTC wherever one is."""

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.backup.policy import Policy
from shopflow.errors import ConfigurationError
from shopflow.settings import load

# A Wednesday.
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_the_defaults_are_the_specifications() -> None:
    policy = Policy.of(load({}))
    assert policy == Policy()
    assert (policy.full_at, policy.full_kept) == (time(2), timedelta(days=30))
    assert policy.wal_kept == timedelta(days=7)
    assert (policy.archive_day, policy.archive_at) == (6, time(0))
    assert policy.archive_kept == timedelta(days=365)
    assert policy.incremental_every is None


def test_the_settings_say_another() -> None:
    given = {"BACKUP_ARCHIVE_AT": "never", "BACKUP_INCREMENTAL_HOURS": "6"}
    policy = Policy.of(load({f"SHOPFLOW_{name}": value for name, value in given.items()}))
    assert policy.incremental_every == timedelta(hours=6)
    assert policy.last_archive(NOON) is None


@pytest.mark.parametrize(
    ("setting", "days"), [("BACKUP_WAL_DAYS", "31"), ("BACKUP_ARCHIVE_DAYS", "29")]
)
def test_a_backup_is_not_kept_shorter_than_what_needs_it(setting: str, days: str) -> None:
    with pytest.raises(ConfigurationError, match="backup_full_days"):
        Policy.of(load({f"SHOPFLOW_{setting}": days}))


def test_what_was_due_last() -> None:
    policy = Policy()
    assert policy.last_full(NOON) == datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert policy.last_full(NOON.replace(hour=1)) == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert policy.last_archive(NOON) == datetime(2026, 11, 22, tzinfo=UTC)


@given(
    now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 as hypothesis wants
    offset=st.integers(-12, 14),
    day=st.integers(0, 6),
    at=st.times().map(lambda found: found.replace(microsecond=0)),
)
def test_the_last_time_due_is_the_newest_one_before_now(
    now: datetime, offset: int, day: int, at: time
) -> None:
    here = now.replace(tzinfo=timezone(timedelta(hours=offset)))
    policy = Policy(full_at=at, archive_day=day, archive_at=at)
    full, archive = policy.last_full(here), policy.last_archive(here)
    assert archive is not None
    assert timedelta(0) <= here - full < timedelta(days=1)
    assert timedelta(0) <= here - archive < timedelta(days=7)
    assert full.time() == archive.time() == at
    assert archive.weekday() == day
