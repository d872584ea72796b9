"""How commands answer: JSON for programs, tables and lines for people."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


def show_json(value: object) -> None:
    """Print `value` as one indented JSON document."""
    document = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    print(document.decode())


def show_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print a name and a value a line; values that are None are left out."""
    shown = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")


def show_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; where the output is not a terminal, plain lines with tabs."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        for row in (columns, *rows):
            print("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def tell(message: str) -> None:
    """Say on stderr what is going on, so that stdout holds the answer alone."""
    print(message, file=sys.stderr, flush=True)


def program() -> str:
    """Return how this command was called, so that what we print works when pasted."""
    found = shutil.which("shopflow")
    called = Path(sys.argv[0])
    if found is not None and called.exists() and called.samefile(found):
        return "shopflow"
    return str(called)
