"""The picture and the tables of docs/explanation/performance.md, from the JSON of a run."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path

import msgspec

from bench.frame import Machine

# As they stand beside each other, with what a reader calls them.
WAYS = {
    "ours": ("ShopFlow", "#0b6e4f"),
    "limit": ("pgbench, our statement", "#8fbfae"),
    "indexes": ("ShopFlow without movements", "#5b8db8"),
    "orm": ("SQLAlchemy ORM", "#d98e04"),
    "queries": ("a statement for each facet", "#d98e04"),
    "literal": ("the specification's statement", "#b3261e"),
}
LEFT, RIGHT, TOP, ROW, WIDTH = 230, 30, 86, 30, 860
MARK = "<!-- bench {name}: {edge} -->"


class Median(msgspec.Struct, frozen=True):
    """Of the rounds."""

    median: float


class Recorded(msgspec.Struct, frozen=True):
    """What `--json` has written; results by way, size, case and measure."""

    bench: str
    machine: Machine
    results: dict[str, dict[int, dict[str, dict[str, Median]]]]
    ratios: dict[str, float]


def read(file: Path) -> Recorded:
    """Return what a run wrote.

    Raises:
        msgspec.ValidationError: when it is not of a bench of the catalogue.
    """
    return msgspec.json.decode(file.read_bytes(), type=Recorded)


def sizes(run: Recorded) -> list[int]:
    """Return the sizes of the catalogues, the smallest first."""
    return sorted(run.results["ours"])


def cases(run: Recorded, size: int, measure: str) -> dict[str, dict[str, float]]:
    """Return the medians by case, in the order in which they ran, and by way."""
    found: dict[str, dict[str, float]] = {}
    for way in WAYS:
        for case, measures in run.results.get(way, {}).get(size, {}).items():
            if measure in measures:
                found.setdefault(case, {})[way] = measures[measure].median
    return found


def svg(run: Recorded) -> str:
    """Return a picture: a row for each case, a dot for each way, seconds to the right by tens."""
    largest = sizes(run)[-1]
    rows = cases(run, largest, "p50")
    seconds = [value for row in rows.values() for value in row.values()]
    low, high = floor(log10(min(seconds))), ceil(log10(max(seconds)))
    high = max(high, low + 1)
    height = TOP + ROW * len(rows) + 46
    title = f"{run.bench}: {largest:,} products, median of a call"

    def at(value: float) -> float:
        return LEFT + (log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="system-ui, sans-serif" font-size="13">'
    )
    return "\n".join(
        [
            head,
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="20" y="28" font-size="17" font-weight="600">{escape(title)}</text>',
            *_legend([way for way in WAYS if any(way in row for row in rows.values())]),
            *_grid(range(low, high + 1), at, height),
            *(line for number, row in enumerate(rows.items()) for line in _row(number, row, at)),
            "</svg>",
            "",
        ]
    )


def table(run: Recorded) -> str:
    """Return the cases as a table in Markdown, and the ratios below it."""
    *smaller, largest = sizes(run)
    timed = _timed(run)
    measure, show = ("p50", _milliseconds) if timed else ("rate", _rate)
    rows = cases(run, largest, measure)
    slowest = cases(run, largest, "p95")
    before = [cases(run, size, measure) for size in smaller]
    ways = [way for way in WAYS if any(way in row for row in rows.values())]
    head = ["", *(f"ShopFlow at {size:,}" for size in smaller), *(WAYS[way][0] for way in ways)]
    head += ["ShopFlow, 95 %"] if timed else []
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for case, row in rows.items():
        values = [each.get(case, {}).get("ours") for each in before] + [row.get(w) for w in ways]
        values += [slowest[case].get("ours")] if timed else []
        lines.append(f"| {_words(case)} | " + " | ".join(map(show, values)) + " |")
    lines += ["", "| ratio | |", "|---|---:|"]
    lines += [f"| `{name}` | {ratio:.2f} |" for name, ratio in run.ratios.items()]
    return "\n".join(lines)


def write(run: Recorded, page: Path) -> None:
    """Write the picture beside the page, and the table into it, between the marks of its bench.

    Raises:
        ValueError: when the page has no such marks.
    """
    begin, end = (MARK.format(name=run.bench, edge=edge) for edge in ("begin", "end"))
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{page} has no {begin} and {end}")
    parts = [_machine(run.machine), table(run)]
    if _timed(run):
        picture = page.with_name(f"performance-{run.bench}.svg")
        picture.write_text(svg(run), encoding="utf-8")
        parts.insert(0, f"![{run.bench}: the median of each way by case]({picture.name})")
    text = "\n\n".join([before + begin, *parts, end + after])
    page.write_text(text, encoding="utf-8")


def _timed(run: Recorded) -> bool:
    """Whether calls were timed, rather than counted."""
    return "p50" in next(iter(run.results["ours"][sizes(run)[-1]].values()))


def _machine(at: Machine) -> str:
    return (
        f"Milliseconds, or changes a second; {at.cores} cores of {at.cpu},"
        f" {round(at.memory / 2**30)} GiB, PostgreSQL {at.postgres}, Python {at.python}."
    )


def _legend(ways: Sequence[str]) -> Iterator[str]:
    x = 20
    for way in ways:
        label, color = WAYS[way]
        yield f'<circle cx="{x + 6}" cy="52" r="6" fill="{color}"/>'
        yield f'<text x="{x + 18}" y="56">{escape(label)}</text>'
        x += 36 + 7 * len(label)


def _grid(powers: Sequence[int], at: Callable[[float], float], height: int) -> Iterator[str]:
    for power in powers:
        x = f"{at(10.0**power):.1f}"
        yield f'<line x1="{x}" x2="{x}" y1="{TOP - 12}" y2="{height - 36}" stroke="#dddddd"/>'
        label = f"{10**power} s" if power >= 0 else f"{10.0 ** (power + 3):g} ms"
        place = f'x="{x}" y="{height - 18}" text-anchor="middle"'
        yield f'<text {place} fill="#555555">{label}</text>'


def _row(
    number: int, row: tuple[str, dict[str, float]], at: Callable[[float], float]
) -> Iterator[str]:
    case, values = row
    y = TOP + ROW * number + 6
    yield f'<text x="20" y="{y + 4}">{escape(_words(case))}</text>'
    ends = f'x1="{at(min(values.values())):.1f}" x2="{at(max(values.values())):.1f}"'
    yield f'<line {ends} y1="{y}" y2="{y}" stroke="#cccccc" stroke-width="2"/>'
    # Ours last, so that it lies on top.
    for way in reversed(WAYS):
        if way in values:
            yield f'<circle cx="{at(values[way]):.1f}" cy="{y}" r="6" fill="{WAYS[way][1]}"/>'


def _words(name: str) -> str:
    return name.replace("_", " ")


def _milliseconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value * 1000:.3g}" if value < 1 else f"{value * 1000:,.0f}"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
