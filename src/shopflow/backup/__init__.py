"""Backups that restore to any second (§7): base backups and archived WAL in a store."""

from shopflow.backup.catalogue import Backup
from shopflow.backup.cloning import clone
from shopflow.backup.creating import create
from shopflow.backup.differing import TableDifference, diff
from shopflow.backup.drilling import drill
from shopflow.backup.errors import BackupError
from shopflow.backup.fresh import require_fresh
from shopflow.backup.policy import Policy
from shopflow.backup.pruning import Pruned, prune
from shopflow.backup.reports import Report
from shopflow.backup.restore_points import RestorePoint, create_restore_point
from shopflow.backup.restoring import Restored, restore
from shopflow.backup.schedule import Done, due
from shopflow.backup.status import Status, status
from shopflow.backup.store import Store
from shopflow.backup.streaming import stream
from shopflow.backup.targets import Target
from shopflow.backup.verifying import Verified, verify

__all__ = [
    "Backup",
    "BackupError",
    "Done",
    "Policy",
    "Pruned",
    "Report",
    "RestorePoint",
    "Restored",
    "Status",
    "Store",
    "TableDifference",
    "Target",
    "Verified",
    "clone",
    "create",
    "create_restore_point",
    "diff",
    "drill",
    "due",
    "prune",
    "require_fresh",
    "restore",
    "status",
    "stream",
    "verify",
]
