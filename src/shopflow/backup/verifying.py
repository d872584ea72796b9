"""Proves that a backup in the store can be read back, file by file."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from shopflow.backup import catalogue, recovery
from shopflow.backup.catalogue import Backup
from shopflow.backup.encryption import Key, key_of
from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.backup.unpacking import read_manifest, unpack
from shopflow.postgres import server_user
from shopflow.postgres.embedded import silent
from shopflow.postgres.server_user import Account
from shopflow.settings import Settings


class Verified(msgspec.Struct, frozen=True):
    """What was found of a backup; `problem` is None when it is as it was made."""

    name: str
    size: int
    problem: str | None


def verify(
    settings: Settings, name: str | None = None, report: Callable[[str], None] = silent
) -> Sequence[Verified]:
    """Read backups back and compare them with what was stored and with PostgreSQL's manifest.

    Each is unpacked, whole, in a scratch directory in TMPDIR, and its checksum compared; then
    pg_verifybackup compares every file with the manifest. The server need not run.

    Args:
        settings: whose store, and the key.
        name: of the one to verify; None for all.
        report: told what is done.

    Raises:
        ConfigurationError: when no store is set, or the key cannot be used.
        NotFoundError: when there is no backup of that name.
        BackupError: when the store cannot be read.
    """
    store, key = Store(settings), key_of(settings)
    backups = catalogue.read(store)
    chosen = backups if name is None else [catalogue.named(backups, name)]
    found = []
    for backup in chosen:
        report(f"verifying {backup.name}")
        try:
            catalogue.chain(backups, backup)
            problem = _problem(store, backup, key)
        except BackupError as error:
            problem = str(error)
        found.append(Verified(backup.name, backup.size, problem))
    return found


def _problem(store: Store, backup: Backup, key: Key | None) -> str | None:
    us = Account("", os.geteuid(), os.getegid(), switch=False)
    program = server_user.installed() / server_user.PROGRAMS / "bin" / "pg_verifybackup"
    with tempfile.TemporaryDirectory(prefix="shopflow-verify-") as scratch:
        data, manifest = Path(scratch, "data"), Path(scratch, "manifest")
        manifest.write_bytes(read_manifest(store, backup, key))
        unpack(store, backup, data, us, key)
        # The WAL is not in it: it is archived on its own.
        found = recovery.run([program, "--no-parse-wal", "--quiet", "-m", manifest, data])
    return f"{backup.data}: {found}" if found else None
