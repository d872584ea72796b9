"""The policy: when backups are due and how long they are kept (§7.1)."""

from datetime import UTC, datetime, time, timedelta
from typing import Self

import msgspec

from shopflow.errors import ConfigurationError
from shopflow.settings import WEEKDAYS, Settings

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class Policy(msgspec.Struct, frozen=True):
    """When backups are due and how long they are kept; the defaults are the specification's.

    Attributes:
        full_at: the time of day, in UTC, from which the daily full backup is due.
        full_kept: how long full and incremental backups are kept.
        wal_kept: how far back every moment can be restored to.
        incremental_every: how long after a backup an incremental one is due; None for never.
        archive_day: the day from which the weekly archive is due, 0 for Monday; None for never.
        archive_at: the time of that day, in UTC.
        archive_kept: how long archives are kept.
    """

    full_at: time = time(2)
    full_kept: timedelta = timedelta(days=30)
    wal_kept: timedelta = timedelta(days=7)
    incremental_every: timedelta | None = None
    archive_day: int | None = 6
    archive_at: time = time(0)
    archive_kept: timedelta = timedelta(days=365)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the policy that the settings say.

        Raises:
            ConfigurationError: when backups would go before the WAL that needs them.
        """
        for longer, shorter in (
            ("backup_full_days", "backup_wal_days"),
            ("backup_archive_days", "backup_full_days"),
        ):
            if getattr(settings, longer) < getattr(settings, shorter):
                raise ConfigurationError(
                    f"{longer} is {getattr(settings, longer)}, less than {shorter}"
                    f" ({getattr(settings, shorter)})"
                )
        weekday, _, archive_at = settings.backup_archive_at.partition(" ")
        hours = settings.backup_incremental_hours
        return cls(
            full_at=time.fromisoformat(settings.backup_full_at),
            full_kept=timedelta(days=settings.backup_full_days),
            wal_kept=timedelta(days=settings.backup_wal_days),
            incremental_every=timedelta(hours=hours) if hours else None,
            archive_day=WEEKDAYS.index(weekday) if archive_at else None,
            archive_at=time.fromisoformat(archive_at or "00:00"),
            archive_kept=timedelta(days=settings.backup_archive_days),
        )

    def last_full(self, now: datetime) -> datetime:
        """Return when, at or before `now`, a daily full backup became due last."""
        today = _at(now, self.full_at)
        return today if today <= now else today - DAY

    def last_archive(self, now: datetime) -> datetime | None:
        """Return when, at or before `now`, a weekly archive became due last; None for never."""
        if self.archive_day is None:
            return None
        day = now.astimezone(UTC) - DAY * ((now.astimezone(UTC).weekday() - self.archive_day) % 7)
        found = _at(day, self.archive_at)
        return found if found <= now else found - WEEK


def _at(day: datetime, moment: time) -> datetime:
    return datetime.combine(day.astimezone(UTC).date(), moment, UTC)
