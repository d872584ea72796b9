"""Whether production's data can be changed: there is a backup, and it reaches to this moment."""

from __future__ import annotations

from shopflow.backup import require_fresh
from shopflow.errors import MigrationError, ShopflowError
from shopflow.migrations.applying import Report
from shopflow.settings import Settings

OVERRIDE = "or, with a backup of another kind, say so to shopflow migrate with --i-have-a-backup"


def want_backup(settings: Settings, *, have_backup: bool, report: Report) -> None:
    """Return in production only when this moment can be restored to, or somebody answers for it.

    Waits until what was written so far is archived.

    Args:
        settings: the shop.
        have_backup: that somebody does.
        report: told which backup it is.

    Raises:
        MigrationError: when there is none that is fresh and has all WAL since, saying what to do.
    """
    if settings.environment != "production":
        return
    if have_backup:
        report("PRODUCTION: going on without a restore point, because --i-have-a-backup was given")
        return
    shop = f"the schema {settings.schema} holds data and the environment is production"
    if not settings.embedded:
        raise MigrationError(
            f"{shop}: make a backup of the server, then say so to shopflow migrate with"
            " --i-have-a-backup"
        )
    try:
        report("PRODUCTION: waiting until what was written is archived")
        found = require_fresh(settings)
    except ShopflowError as error:
        raise MigrationError(f"{shop}: {error}; {OVERRIDE}") from error
    report(f"PRODUCTION: this moment can be restored to, from backup {found.name}")
