"""Backups that restore to any second (§7): base backups and archived WAL in a store."""

from shopflow.backup.catalogue import Backup
from shopflow.backup.cloning import clone
from shopflow.backup.creating import create
from shopflow.backup.differing import TableDifference, diff
from shopflow.backup.drilling import drill
from shopflow.backup.errors import BackupError
from shopflow.backup.reports import Report
from shopflow.backup.restore_points import RestorePoint, create_restore_point
from shopflow.backup.restoring import Restored, restore
from shopflow.backup.status import Status, status
from shopflow.backup.store import Store
from shopflow.backup.streaming import stream
from shopflow.backup.targets import Target

__all__ = [
    "Backup",
    "BackupError",
    "Report",
    "RestorePoint",
    "Restored",
    "Status",
    "Store",
    "TableDifference",
    "Target",
    "clone",
    "create",
    "create_restore_point",
    "diff",
    "drill",
    "restore",
    "status",
    "stream",
]
