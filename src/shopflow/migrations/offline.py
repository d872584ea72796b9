"""The SQL of migrations without running them, to read or to run by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from alembic.runtime.migration import RevisionStep

from shopflow.migrations import env, state
from shopflow.migrations.files import Files, locations_of
from shopflow.settings import Settings


def sql(
    settings: Settings,
    *,
    target: str = "heads",
    since: str | None = None,
    locations: Sequence[Path] | None = None,
) -> str:
    """Return the SQL that `up` would run, empty when there is nothing to do.

    Args:
        settings: the shop.
        target: as for `up`.
        since: the revision to start from, `base` for an empty database; None asks the database
            where it is.
        locations: where the migrations are; None for ShopFlow's and `settings.migrations`.
    """
    files = Files(locations or locations_of(settings))
    if since is None:
        with env.connection(settings, application_name="shopflow migrate sql") as connection:
            heads = state.read(connection, settings.schema).heads
    else:
        heads = files.heads_at(since)
    return of_steps(files.pending(heads, target), files=files, settings=settings, heads=heads)


def of_steps(
    steps: Sequence[RevisionStep], *, files: Files, settings: Settings, heads: Sequence[str]
) -> str:
    """Return the SQL of `steps` for a schema at `heads`."""
    if not steps:
        return ""
    output = io.StringIO()
    env.write_sql(steps, files=files, settings=settings, heads=heads, output=output)
    return output.getvalue()
