"""The bar of what takes long: how far, how fast, and how long it will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

# A description, how much of what total (None: nobody knows), and how many things that is.
Update = Callable[[str, int, int | None, int], None]


class _Rate(ProgressColumn):
    """Things done a second since the beginning."""

    def __init__(self, things: str) -> None:
        super().__init__()
        self._things = things

    def render(self, task: Task) -> Text:
        """Return them, with their number."""
        done: int = task.fields["done"]
        rate = done / task.elapsed if task.elapsed else 0
        return Text(f"{done:,} {self._things}, {rate:,.0f}/s")


@contextmanager
def bar(things: str) -> Iterator[Update]:
    """Show a bar on stderr, if that is a terminal; it goes when the work is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _Rate(things),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # Where stderr is not a terminal it would leave an empty line.
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("reading", total=None, done=0)

        def update(description: str, completed: int, total: int | None, done: int) -> None:
            shown.update(task, description=description, completed=completed, total=total, done=done)

        yield update


@contextmanager
def bytes_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show bytes and their rate on stderr, if that is a terminal; told what, done and of how many.

    Each thing that is done has a line of its own.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        tasks: dict[str, TaskID] = {}

        def update(description: str, completed: int, total: int) -> None:
            if description not in tasks:
                tasks[description] = shown.add_task(description, total=total)
            shown.update(tasks[description], completed=completed, total=total)

        yield update
