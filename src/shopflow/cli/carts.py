"""`shopflow carts`: what has to be done about carts from time to time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import cyclopts
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from shopflow import settings as settings_module
from shopflow.carts.expiry import OldCarts, ShowProgress, count_old_carts, expire_carts
from shopflow.cli.ages import GivenAge, whole_days
from shopflow.cli.output import show_json
from shopflow.cli.target import require_running
from shopflow.postgres.pool import Pool
from shopflow.settings import Settings

app = cyclopts.App(name="carts", help="Look after carts.")


@app.command
def expire(
    *,
    older_than: GivenAge,
    user_carts_older_than: GivenAge | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Delete the carts of guests that nobody has changed for long.

    Args:
        older_than: since the last change, in whole days such as 30d.
        user_carts_older_than: the same for the carts of users, which are kept otherwise.
        dry_run: say how many there are, and delete none.
        json: print a JSON object.
    """
    guests = whole_days("--older-than", older_than)
    users = None
    if user_carts_older_than is not None:
        users = whole_days("--user-carts-older-than", user_carts_older_than)
    settings = settings_module.load()
    require_running(settings)
    found, expired = asyncio.run(_expire(settings, guests, users, dry_run))
    if json:
        show_json({"carts": found.carts, "old": found.old, "expired": expired, "dry_run": dry_run})
    elif dry_run:
        print(f"{found.old} of {found.carts} carts are too old; none was deleted")
    else:
        print(f"deleted {expired} of {found.carts} carts")


async def _expire(
    settings: Settings, guest_days: int, user_days: int | None, dry_run: bool
) -> tuple[OldCarts, int]:
    pool = Pool(settings)
    await pool.open()
    try:
        found = await count_old_carts(pool, guest_days=guest_days, user_days=user_days)
        if dry_run:
            return found, 0
        with _bar(found.carts) as progress:
            return found, await expire_carts(
                pool, guest_days=guest_days, user_days=user_days, progress=progress
            )
    finally:
        await pool.close()


@contextmanager
def _bar(carts: int) -> Iterator[ShowProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking at carts", total=carts)
        yield lambda seen: bar.advance(task, seen)
