"""`shopflow backup apply-erasures`: what a restored shop needs before customers use it."""

import asyncio

import msgspec

from shopflow import settings as settings_module
from shopflow.backup import Store, erasures
from shopflow.backup.restoring import RECORD
from shopflow.cli.output import show_json, show_pairs
from shopflow.cli.target import require_running
from shopflow.errors import ServerError
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings
from shopflow.users import AppliedErasures, LoggedErasure
from shopflow.users.personal_data import apply_erasures


def apply(*, json: bool = False) -> None:
    """Erase again who was erased after the restored time, and end every session.

    For a restored shop that goes into production, with `SHOPFLOW_HOME` its directory. The
    erasures are those in the store: of the last minute too where a worker ran. Sessions, and
    tokens that were mailed, may have been revoked after the restored time: all are. May be run
    again, and should be after the old shop was stopped. A shop that was not restored is refused.

    Args:
        json: print a JSON object.
    """
    settings = settings_module.load()
    require_running(settings)
    if settings.embedded and not (settings.home / RECORD).exists():
        raise ServerError(
            f"the server in {settings.home} was not restored: set SHOPFLOW_HOME to the restored one"
        )
    done = apply_to(settings, Store(settings))
    if json:
        show_json(done)
    else:
        show_pairs(pairs(done))


def apply_to(settings: Settings, store: Store) -> AppliedErasures:
    """Apply the store's erasures to the shop of `settings`, as its owner."""
    log = msgspec.convert(erasures.read(store), list[LoggedErasure], from_attributes=True)
    return asyncio.run(_apply(msgspec.structs.replace(settings, database_role=None), log))


def pairs(done: AppliedErasures) -> list[tuple[str, object]]:
    """Return what was done as lines to show."""
    return [("erased again", done.erased), ("sessions ended", done.sessions)]


async def _apply(settings: Settings, log: list[LoggedErasure]) -> AppliedErasures:
    pool = Pool(settings)
    await pool.open()
    try:
        return await apply_erasures(pool, log)
    finally:
        await pool.close()
