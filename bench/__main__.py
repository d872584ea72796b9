"""`python -m bench NAME`: run one benchmark or all of them, print tables, write JSON."""

import argparse
import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench import backup, checkout, imports, migrate, replay, start, stock
from bench.catalogue import benches, chart
from bench.catalogue.generating import generate
from bench.frame import Bench, Measured, Outcome, Unit, flat, run, together

BENCHES: dict[str, Bench] = {
    each.name: each
    for each in (
        migrate.BENCH,
        start.BENCH,
        checkout.CHECKOUT,
        checkout.FLASH,
        stock.BENCH,
        replay.BENCH,
        imports.BENCH,
        backup.BENCH,
        *benches.ALL,
    )
}

PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "performance.md"


def main() -> None:
    """Run what the command line says."""
    given = _parser().parse_args()
    if given.name == "generate":
        for products in given.products or [1_000_000]:
            asyncio.run(generate(products, print))
        return
    if given.name == "chart":
        for file in given.files:
            chart.write(chart.read(file), PAGE)
        return
    chosen = list(BENCHES.values()) if given.name == "all" else [BENCHES[given.name]]
    outcomes = []
    for each in chosen:
        bench = each.sized(given.products) if given.products and each.sized else each
        # Of a run that takes an hour, a terminal shows where it is.
        with Console(stderr=True).status(bench.name) as status:
            outcome = run(bench, given.scale, given.rounds, status.update)
        _show(bench, outcome)
        outcomes.append(outcome)
    if given.json:
        found = together(outcomes) if given.name == "all" else outcomes[0]
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="; ".join(f"{bench.name}: {bench.purpose}" for bench in BENCHES.values()),
    )
    parser.add_argument("name", choices=[*BENCHES, "all", "generate", "chart"])
    parser.add_argument("files", nargs="*", type=Path, help="of chart: what --json has written")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write one JSON object")
    parser.add_argument("--rounds", type=_positive, help="how often each competitor runs")
    parser.add_argument(
        "--products",
        type=_numbers,
        metavar="N,N,…",
        help="sizes of the catalogues to generate, or to read; what is missing is generated",
    )
    parser.add_argument("--scale", choices=["tiny", "default"], default="default")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _numbers(text: str) -> Sequence[int]:
    return [_positive(number) for number in text.split(",")]


def _show(bench: Bench, outcome: Outcome) -> None:
    console = Console(highlight=False)
    console.print(f"{bench.name}: {bench.purpose}", soft_wrap=True)
    console.print(
        _table_of_one(bench.unit, outcome)
        if isinstance(bench.unit, str)
        else _table_of_several(bench.unit, outcome)
    )
    for name, ratio in outcome.ratios.items():
        console.print(f"{name} = {ratio:.2f} ({_meaning(bench, name)})", soft_wrap=True)
    console.print()


def _meaning(bench: Bench, name: str) -> str:
    if name in bench.meanings:
        return bench.meanings[name]
    ours, other = bench.ratios[name]
    return f"{ours} against {other}; above 1: {ours.partition('.')[0]} is better"


def _table_of_one(unit: Unit, outcome: Outcome) -> Table:
    table = _table(f"median {unit}", "least", "most", "rounds")
    for name, found in outcome.results.items():
        if isinstance(found, Measured):
            numbers = (found.median, min(found.rounds), max(found.rounds))
            table.add_row(name, *(f"{number:.3f}" for number in numbers), str(len(found.rounds)))
    return table


def _table_of_several(units: Mapping[str, Unit], outcome: Outcome) -> Table:
    """A row for each group of measures: the median of each, and counts as they are."""
    shown: dict[str, dict[str, str]] = {}
    for name, found in flat(outcome.results):
        group, _, measure = name.rpartition(".")
        value = str(found) if isinstance(found, int) else f"{found.median:.4g}"
        shown.setdefault(group, {})[measure] = value
    measures = {measure: None for row in shown.values() for measure in row}
    table = _table(*(_heading(measure, units[measure]) for measure in measures))
    for group, row in shown.items():
        table.add_row(
            re.sub(r"\.c(?=\d)", ", callers ", group), *(row.get(each, "") for each in measures)
        )
    return table


def _heading(measure: str, unit: Unit) -> str:
    return measure if unit == "count" else f"{measure} {unit}"


def _table(*columns: str) -> Table:
    table = Table(box=None)
    table.add_column("competitor")
    for column in columns:
        table.add_column(column, justify="right")
    return table


if __name__ == "__main__":
    main()
