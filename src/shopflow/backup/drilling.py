"""The drill: restores for real, to a time nobody chose, and looks at what came back (§7.2)."""

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import psycopg

from shopflow.backup import archiving, canaries, catalogue, checks, reports, segments, source
from shopflow.backup.canaries import Canary
from shopflow.backup.catalogue import Backup
from shopflow.backup.errors import BackupError
from shopflow.backup.predicting import predict_rto
from shopflow.backup.reports import Report, seconds
from shopflow.backup.restoring import Progress, Restored, archived, restore, settings_for
from shopflow.backup.scratch import scratch
from shopflow.backup.store import Store
from shopflow.backup.targets import Target
from shopflow.errors import ShopflowError
from shopflow.invariants import Check
from shopflow.postgres.embedded import silent
from shopflow.settings import Settings

# Beyond archive_timeout: for a segment on its way.
PATIENCE = timedelta(minutes=3)


class _Plan(msgspec.Struct, frozen=True):
    """What a drill will do, drawn while the live server runs."""

    started_at: datetime
    seed: int
    backup: Backup
    window_from: datetime
    target: datetime
    before: list[Canary]
    after: Canary
    archive_timeout: timedelta


def drill(
    settings: Settings,
    *,
    scratch_in: Path | None = None,
    seed: int | None = None,
    report: Callable[[str], None] = silent,
    progress: Progress = lambda _what, _done, _total: None,
) -> Report:
    """Restore the newest backup to a random time beside the live server, check all, report it.

    A canary (a row) written before that time must be there and one written after must not. The
    report is signed and kept in the store, also of a drill that failed. The scratch directory is
    removed. Nothing of the live server is touched but that it gets a canary.

    Args:
        settings: of the embedded server, which runs, and `backup_url`.
        scratch_in: on which disk to restore: a directory that the server's user can enter; None
            for the home.
        seed: draws the same part of the window again; None for another each time.
        report: told what is done.
        progress: told how far it is, in bytes.

    Raises:
        ConfigurationError: when no store is set.
        BackupError: when there is no backup or no table of canaries, another drill is under way,
            or the store refuses the report. What fails later is in the report.
        ServerError: when the live server does not run.
    """
    store = Store(settings)
    backup = catalogue.choose(catalogue.read(store), None)
    with (
        scratch(settings, scratch_in) as directory,
        source.connect(settings) as live,
    ):
        plan = _plan(live, backup, seed)
        report(f"seed {plan.seed}: restoring to {plan.target.isoformat()}")
        found = _Findings(store, plan)
        found.run(live, settings, directory, report, progress)
        made = found.report(canaries.clock(live))
    reports.keep(store, settings, made)
    return made


class _Findings:
    """What a drill found so far."""

    def __init__(self, store: Store, plan: _Plan) -> None:
        self._store, self._plan = store, plan
        self._checks: list[Check] = []
        self._rpo: timedelta | None = None
        self._rto: timedelta | None = None
        self._restored: Restored | None = None

    def run(
        self,
        live: psycopg.Connection,
        settings: Settings,
        directory: Path,
        report: Callable[[str], None],
        progress: Progress,
    ) -> None:
        """Do it; what fails becomes a check that failed, and ends it."""
        plan = self._plan
        step = "archive"
        try:
            report("waiting for the archive to have this moment")
            patience = plan.archive_timeout + PATIENCE
            archived_at = archiving.wait_archived(live, plan.after.segment or "", patience)
            self._rpo = archived_at - plan.after.committed_by
            self._checks.append(Check("archive", "ok"))
            step = "restore"
            began = time.monotonic()
            self._restored = restore(
                settings,
                directory,
                Target(plan.target),
                check=False,
                report=report,
                progress=progress,
            )
            self._rto = timedelta(seconds=time.monotonic() - began)
            # A restore verifies the files of the backup before it starts a server on them.
            self._checks += [Check("restore", "ok"), Check("pg_verifybackup", "ok")]
            step = "checks"
            report("checking what came back")
            self._look(settings_for(settings, directory))
        except (ShopflowError, psycopg.Error) as error:
            self._checks.append(Check(step, "failed", str(error)))

    def _look(self, scratch: Settings) -> None:
        with source.connect(scratch) as connection:
            self._checks += _canary_checks(self._plan, canaries.read(connection))
            self._checks += checks.rules(connection, scratch.schema)
        self._checks.append(checks.pages(scratch))

    def report(self, now: datetime) -> Report:
        """Return what is to be kept."""
        plan, backup = self._plan, self._plan.backup
        _, wal = segments.extent(archived(self._store), backup.start_wal, backup.segment_size)
        return Report(
            name=f"drill-{plan.started_at:%Y%m%dT%H%M%S.%fZ}",
            outcome=reports.outcome_of(self._checks),
            started_at=plan.started_at,
            finished_at=now,
            seed=plan.seed,
            backup=backup.name,
            system_identifier=backup.system_identifier,
            window_from=plan.window_from,
            window_to=plan.after.written_at,
            target=plan.target,
            last_transaction=self._restored.last_transaction if self._restored else None,
            predicted_rpo=seconds(plan.archive_timeout),
            measured_rpo=None if self._rpo is None else seconds(self._rpo),
            predicted_rto=seconds(predict_rto(backup.content_size, wal)),
            measured_rto=None if self._rto is None else seconds(self._rto),
            checks=self._checks,
        )


def _plan(live: psycopg.Connection, backup: Backup, seed: int | None) -> _Plan:
    started = canaries.clock(live)
    row = live.execute("SELECT current_setting('archive_timeout')::interval").fetchone()
    sure = [each for each in canaries.read(live) if each.committed_by <= started]
    earlier = sure or [each for each in [canaries.write(live)] if each]
    after = canaries.write(live)
    if row is None or after is None:
        raise BackupError("the schema has no canaries yet: bring it up with shopflow migrate up")
    first = min(each.committed_by for each in earlier)
    window_from = max(backup.finished_at, first)
    chosen = random.SystemRandom().getrandbits(32) if seed is None else seed
    share = random.Random(chosen).random()  # noqa: S311 no secret: drawn again by its seed
    drawn = window_from + (after.written_at - window_from) * share
    # A restore is to after the backup's end.
    target = max(drawn, window_from + timedelta(microseconds=1))
    return _Plan(
        started_at=started,
        seed=chosen,
        backup=backup,
        window_from=window_from,
        target=target,
        before=[each for each in earlier if each.committed_by <= target],
        after=after,
        archive_timeout=row[0],
    )


def _canary_checks(plan: _Plan, found: list[Canary]) -> list[Check]:
    keys = {each.id for each in found}
    missing = [each for each in plan.before if each.id not in keys]
    too_late = [each for each in found if each.written_at > plan.target]
    return [
        Check("canary_before", "failed", f"missing: of {missing[0].written_at.isoformat()}")
        if missing
        else Check("canary_before", "ok"),
        Check("canary_after", "failed", f"there: of {too_late[0].written_at.isoformat()}")
        if too_late or plan.after.id in keys
        else Check("canary_after", "ok"),
    ]
