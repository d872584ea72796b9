"""What the commands about bulk changes of prices and of stocks share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.target import require_running
from shopflow.errors import InvalidInputError
from shopflow.ids import BulkChangeId
from shopflow.postgres.pool import Pool
from shopflow.products import (
    BulkChange,
    BulkLine,
    BulkRefusedError,
    LineProblem,
    Preview,
    ShowProgress,
)
from shopflow.products.products import Products
from shopflow.settings import Settings

T = TypeVar("T")


def with_products(work: Callable[[Products], Awaitable[T]]) -> T:
    """Run `work` with the products of the shop that the settings name."""
    settings = settings_module.load()
    require_running(settings)
    return asyncio.run(_with_products(settings, work))


async def _with_products(settings: Settings, work: Callable[[Products], Awaitable[T]]) -> T:
    pool = Pool(settings)
    await pool.open()
    try:
        return await work(Products(pool))
    finally:
        await pool.close()


@contextmanager
def bar(what: str) -> Iterator[ShowProgress]:
    """Show on stderr how many lines are done, where that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def bulk_id(text: str) -> BulkChangeId:
    """Read the id of a bulk change.

    Raises:
        InvalidInputError: when it is none.
    """
    try:
        return BulkChangeId(UUID(text))
    except ValueError as error:
        raise InvalidInputError("id", text, "is not the id of a bulk change") from error


@contextmanager
def refusals(json: bool) -> Iterator[None]:
    """Say on stderr which lines were refused, and with `json` also on stdout."""
    try:
        yield
    except BulkRefusedError as error:
        _tell_problems(error.problems, error.total)
        if json:
            show_json({"refused": error.total, "problems": error.problems})
        raise


def show_preview(preview: Preview, json: bool) -> None:
    """Print what a bulk change would do."""
    _tell_problems(preview.problems, preview.refused)
    if json:
        show_json(preview)
        return
    if preview.first:
        show_lines(preview.first)
    if preview.lines > len(preview.first):
        print(f"and {preview.lines - len(preview.first)} more")
    print(f"{preview.lines} would change, {preview.unchanged} are so already")
    if preview.id is not None:
        print(f"draft {preview.id}")


def show_lines(lines: tuple[BulkLine, ...]) -> None:
    """Print lines as a table: what is there, and what it becomes."""
    show_table(
        ("sku", "name", "from", "to", "status", "found"),
        (
            (
                line.sku,
                f"{line.name}, {line.variant_name}" if line.variant_name else line.name,
                _value(line.old_price, line.old_compare_at_price, line.old_stock),
                _value(line.new_price, line.new_compare_at_price, line.new_stock),
                line.status,
                _value(line.found_price, line.found_compare_at_price, line.found_stock),
            )
            for line in lines
        ),
    )


def show_change(change: BulkChange, json: bool) -> None:
    """Print a bulk change and how far it is."""
    if json:
        show_json(change)
        return
    counts = change.lines
    show_pairs(
        (
            ("id", change.id),
            ("description", change.description),
            ("status", change.status),
            ("from", change.starts_at),
            ("until", change.ends_at),
            ("lines", counts.total),
            ("pending", counts.pending or None),
            ("applied", counts.applied or None),
            ("conflicts", counts.conflict or None),
            ("undone", counts.undone or None),
            ("kept", counts.kept or None),
        )
    )


def _tell_problems(problems: tuple[LineProblem, ...], total: int) -> None:
    for problem in problems:
        tell(str(problem))
    if total > len(problems):
        tell(f"and {total - len(problems)} more")


def _value(price: object, compare: object, stock: object) -> str:
    if stock is not None:
        return str(stock)
    if price is None:
        return ""
    return f"{price} (was {compare})" if compare is not None else str(price)
