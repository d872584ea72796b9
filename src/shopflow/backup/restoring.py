"""Restores a backup and the WAL after it into a new home, up to a target or to the end."""

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from shopflow.backup import (
    adopting,
    catalogue,
    checks,
    recovery,
    replaying,
    restore_points,
    segments,
    streaming,
    targets,
    wal_files,
)
from shopflow.backup.catalogue import Backup
from shopflow.backup.encryption import key_of
from shopflow.backup.errors import BackupError
from shopflow.backup.replaying import Place
from shopflow.backup.store import Store
from shopflow.backup.targets import LATEST, Target
from shopflow.backup.unpacking import materialise
from shopflow.errors import InvalidInputError
from shopflow.invariants import Check
from shopflow.postgres import postmaster, server_user
from shopflow.postgres.cluster import DATABASE
from shopflow.postgres.embedded import Server, silent
from shopflow.postgres.server_home import Home
from shopflow.settings import Settings

LOCK_SECONDS = 60.0
RECORD = "restored.json"

# What is being done, bytes done, and of how many.
Progress = Callable[[str, int, int], None]


class Restored(msgspec.Struct, frozen=True):
    """A restored server, which runs.

    Attributes:
        url: how to connect.
        home: its `SHOPFLOW_HOME`.
        backup: the name of the base backup.
        target: the time that was asked for; None for another target.
        last_transaction: when the last transaction that it holds was committed, None when none
            was after the backup.
        restore_point: the name that was asked for, None for another target.
        restored_at: when it was ready.
        checks: how the shop's rules stand in it; empty when they were not looked at.
    """

    url: str
    home: str
    backup: str
    target: datetime | None
    last_transaction: datetime | None
    restore_point: str | None
    restored_at: datetime
    checks: list[Check]


def restore(
    settings: Settings,
    to: Path,
    target: Target = LATEST,
    *,
    check: bool = True,
    report: Callable[[str], None] = silent,
    progress: Progress = lambda _what, _done, _total: None,
) -> Restored:
    """Restore into the new directory `to` and leave the server there running (§7.2).

    Returns when recovery has reached the target, the rules were checked and the server takes
    writes; what breaks a rule is told and stays. It archives nothing. Nothing of the live server
    is touched, and it need not be there. Should this process be killed, the directory says that
    it is unfinished: `shopflow up` refuses it.

    Args:
        settings: `backup_url` says from where; what else they say holds for the new server.
        to: becomes a home of its own; must not exist, or be empty.
        target: the last moment to have.
        check: whether to check the shop's rules, which reads its tables.
        report: told what is done.
        progress: told how far it is, in bytes.

    Raises:
        InvalidInputError: for a time without an offset or in the future, and a `to` in use.
        ConfigurationError: when no store is set.
        BackupError: when no backup fits, one is damaged, WAL is missing or ends too early, and
            when the disk is full.
    """
    targets.check(target)
    _check_directory(to)
    store = Store(settings)
    key, backups = key_of(settings), catalogue.read(store)
    backup = choose(store, backups, target)
    chain = catalogue.chain(backups, backup)
    _check_wal(store, backup, target)
    new = settings_for(settings, to)
    account = server_user.find_account(new.server_user)
    place = Place(Server(new), Home(to), account, backup.superuser, backup.database)
    home = place.home
    with ExitStack() as carrying:
        with _full_disk_told(home):
            home.make(place.account)
            with home.lock(LOCK_SECONDS, lambda: None):
                home.begin_restore(backup.name)
                home.make_directories(place.account)
                report(f"unpacking backup {backup.name}")
                materialised = partial(
                    materialise, store, chain, key=key, moved=_moved(chain, progress)
                )
                command = carrying.enter_context(
                    wal_files.restore_command(settings, store, home, account)
                )
                hba, foreign = _lay_out(command, place, target, materialised)
                if settings.backup_stream_directory is not None:
                    streaming.bring(
                        settings.backup_stream_directory,
                        home.data,
                        archived(store),
                        account,
                        report,
                    )
            report("replaying the archived WAL")
            launched = place.server.launch_recovery(report)
        start, total = segments.extent(archived(store), backup.start_wal, backup.segment_size)
        try:
            last = replaying.finish(
                place,
                launched,
                target,
                lambda at: progress("replaying", min(max(at - start, 0), total), total),
            )
            if foreign:
                adopting.adopt(replaying.login(place), backup, new)
                place = msgspec.structs.replace(place, database=DATABASE)
            with replaying.connect(place) as connection:
                if check:
                    report("checking the shop's rules")
                found = Restored(
                    url=place.server.url(),
                    home=str(to),
                    backup=backup.name,
                    target=target.at,
                    last_transaction=last,
                    restore_point=target.restore_point,
                    restored_at=datetime.now(UTC),
                    checks=checks.rules(connection, new.schema) if check else [],
                )
                with home.lock(LOCK_SECONDS, lambda: None):
                    replaying.open_up(place, connection, f"{new.schema}_owner", hba)
            home.write(home.path / RECORD, msgspec.json.encode(found))
            home.end_restore()
        except BaseException:
            place.server.stop()
            raise
    return found


def settings_for(settings: Settings, home: Path) -> Settings:
    """Return the settings of a restored server in `home`: embedded, and it archives nothing."""
    return msgspec.structs.replace(
        settings,
        home=home,
        backup_url=None,
        port=None,
        database_url=None,
        server_from_pg_variables=False,
    )


def choose(store: Store, backups: Sequence[Backup], target: Target) -> Backup:
    """Return the backup to start from: the newest that had ended before the target.

    For a restore point that only the WAL knows: the oldest whose WAL is all there.

    Raises:
        BackupError: when there is none.
    """
    if target.backup is not None:
        return catalogue.named(backups, target.backup)
    if target.restore_point is None or not backups:
        return catalogue.choose(backups, target.at)
    found = restore_points.find(store, target.restore_point)
    if found is not None:
        return catalogue.choose(backups, found.created_at)
    there = archived(store)
    whole = (
        each
        for each in sorted(backups, key=lambda backup: backup.finished_at)
        if segments.first_missing(there, each.start_wal, each.segment_size) is None
    )
    return next(whole, catalogue.choose(backups, None))


def _moved(chain: Sequence[Backup], progress: Progress) -> Callable[[int], None]:
    total, done = sum(backup.size for backup in chain), 0

    def moved(size: int) -> None:
        nonlocal done
        done += size
        progress("unpacking", done, total)

    return moved


def _lay_out(
    command: str, place: Place, target: Target, materialised: Callable[..., None]
) -> tuple[str, bool]:
    """Put the backup in its place, ready to replay.

    Returns its pg_hba.conf as it was, and whether it is of a server that is not embedded.
    """
    with place.home.unfinished("restore", place.account) as directory:
        data = directory / "data"
        materialised(data=data, account=place.account)
        _verify(place.server, data)
        foreign = adopting.lay_out(data, place.account)
        values = recovery.settings_of(command, target)
        values |= adopting.limits(place.server.binary("pg_controldata"), data)
        hba = recovery.configure(data, place.home, place.account, values, place.superuser)
        data.rename(place.home.data)
    return hba, foreign


def _check_directory(to: Path) -> None:
    home = Home(to)
    if postmaster.running(home.data) is not None:
        raise InvalidInputError(
            "to", str(to), "holds a server that runs; a restore needs a new or an empty directory"
        )
    if home.restoring.exists():
        raise InvalidInputError(
            "to",
            str(to),
            "holds a restore that did not finish: remove the directory, or give another",
        )
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InvalidInputError("to", str(to), "must be a new or an empty directory")


def archived(store: Store) -> set[str]:
    """Return the names of the archived segments.

    Raises:
        BackupError: when the store cannot be read.
    """
    return segments.of_files(store.names("wal"))


def _check_wal(store: Store, backup: Backup, target: Target) -> None:
    there, start, size = archived(store), backup.start_wal, backup.segment_size
    if target == LATEST or backup.end_wal is None:
        missing = segments.first_missing(there, start, size)
    else:
        # What is missing after it is missed on the way to the target, which PostgreSQL tells.
        missing = segments.first_missing_to(there, start, backup.end_wal, size)
    if missing is not None:
        raise BackupError(
            f"the WAL segment {missing} after backup {backup.name} is missing in {store.url}:"
            f" bring it back, or restore to a time before it; --backup {backup.name} restores to"
            " that backup's end"
        )


def _verify(server: Server, data: Path) -> None:
    """Have PostgreSQL compare every file with the backup's manifest."""
    found = recovery.run([server.binary("pg_verifybackup"), "--no-parse-wal", "--quiet", data])
    if found:
        raise BackupError(f"the backup is damaged, restore an earlier one: {found}")


@contextmanager
def _full_disk_told(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise BackupError(
            f"the disk of {home.path} is full: remove the directory and restore to a larger disk"
        ) from error
