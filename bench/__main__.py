"""`python -m bench NAME`: run one benchmark or all of them, print tables, write JSON."""

import argparse
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench import migrate, start
from bench.frame import Bench, Outcome, run, together

BENCHES: dict[str, Bench] = {each.name: each for each in (migrate.BENCH, start.BENCH)}


def main() -> None:
    """Run what the command line says."""
    given = _parser().parse_args()
    chosen = list(BENCHES.values()) if given.name == "all" else [BENCHES[given.name]]
    outcomes = []
    for bench in chosen:
        outcome = run(bench, given.scale, given.rounds)
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
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write one JSON object")
    parser.add_argument("--rounds", type=_positive, help="how often each competitor runs")
    parser.add_argument("--scale", choices=["tiny", "default"], default="default")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _show(bench: Bench, outcome: Outcome) -> None:
    console = Console(highlight=False)
    console.print(f"{bench.name}: {bench.purpose}", soft_wrap=True)
    table = Table(box=None)
    for column in ("competitor", f"median {bench.unit}", "least", "most", "rounds"):
        table.add_column(column, justify="left" if column == "competitor" else "right")
    for name, found in outcome.results.items():
        numbers = (found.median, min(found.rounds), max(found.rounds))
        table.add_row(name, *(f"{number:.3f}" for number in numbers), str(len(found.rounds)))
    console.print(table)
    for name, ratio in outcome.ratios.items():
        ours, other = bench.ratios[name]
        better = f"{ours} against {other}; above 1: {ours} is better"
        console.print(f"{name} = {ratio:.2f} ({better})", soft_wrap=True)
    console.print()


if __name__ == "__main__":
    main()
