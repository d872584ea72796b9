"""`shopflow backup clone` and `diff`: the shop as of a moment, beside the live one."""

from pathlib import Path
from typing import Annotated, Any

import cyclopts

from shopflow import backup
from shopflow import settings as settings_module
from shopflow.backup import TableDifference
from shopflow.backup.differing import LIMIT
from shopflow.cli.backup import target_of
from shopflow.cli.output import show_json, show_pairs, tell
from shopflow.cli.progress import bytes_bar
from shopflow.cli.target import require_running
from shopflow.errors import InvalidInputError

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def clone(
    *,
    to: Path,
    at: str | None = None,
    restore_point: str | None = None,
    latest: Annotated[bool, cyclopts.Parameter(negative=())] = False,
    json: bool = False,
) -> None:
    """Run a second shop as of a moment beside the live one, for looking.

    It is restored from the store into its own directory, with its own port; it is read-only, so
    that no worker sends mail from it, and archives nothing. `SHOPFLOW_HOME=DIRECTORY shopflow
    psql` opens it, `shopflow down` stops it; then remove the directory.

    Args:
        to: the directory, new or empty.
        at: the moment, with its offset: 2026-01-15T14:30:00Z.
        restore_point: the name that `shopflow backup restore-point` gave a moment.
        latest: all that was archived.
        json: print a JSON object with `url`.
    """
    settings = settings_module.load()
    target = target_of(at, restore_point, latest=latest)
    with bytes_bar() as progress:
        made = backup.clone(settings, to.absolute(), target, report=tell, progress=progress)
    if json:
        show_json(made)
    else:
        show_pairs(
            [
                ("clone", made.home),
                ("last transaction", made.last_transaction),
                ("archives", "nothing"),
                ("writes", "none: remove conf.d/zz-clone.conf and start it again to write"),
                ("URL", made.url),
            ]
        )


def diff(
    *tables: str,
    at: str | None = None,
    restore_point: str | None = None,
    limit: int = LIMIT,
    scratch: Path | None = None,
    json: bool = False,
) -> None:
    """Show which rows of tables differ between then and now, by primary key.

    The shop as of then is restored into a scratch directory, which is removed. `+` is there now
    and was not, `-` was there, `~` has changed. Values of secret columns are not shown.

    Args:
        tables: names of tables, as products.
        at: then, with its offset: 2026-01-15T14:30:00Z.
        restore_point: the name that `shopflow backup restore-point` gave a moment.
        limit: how many rows of each table are shown; all are counted.
        scratch: an existing directory on the disk to restore on; otherwise SHOPFLOW_HOME.
        json: print a JSON array.
    """
    settings = settings_module.load()
    target = target_of(at, restore_point, latest=False)
    if not tables:
        raise InvalidInputError("tables", tables, "name at least one, as products")
    require_running(settings)
    with bytes_bar() as progress:
        found = backup.diff(
            settings,
            target,
            tables,
            limit=limit,
            scratch_in=scratch,
            report=tell,
            progress=progress,
        )
    if json:
        show_json(found)
        return
    for table in found:
        _show(table)


def _show(table: TableDifference) -> None:
    print(f"{table.table}: {table.added} added, {table.removed} removed, {table.changed} changed")
    for name, columns in (("then", table.only_then), ("now", table.only_now)):
        if columns:
            print(f"  only {name}, not compared: {', '.join(columns)}")
    for row in table.rows:
        key = ", ".join(f"{name}={value}" for name, value in row.key.items())
        print(f"  {SIGNS[row.change]} {key}")
        for each in row.columns:
            print(f"      {each.column}: {_text(each.old)} → {_text(each.new)}")
    left = table.added + table.removed + table.changed - len(table.rows)
    if left:
        print(f"  and {left} more: --limit shows them")


def _text(value: Any) -> str:
    return "NULL" if value is None else str(value)
