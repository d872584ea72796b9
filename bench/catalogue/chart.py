"""The picture and the tables of docs/explanation/performance.md, from the JSON of a run."""

from collections.abc import Callable, Iterator, Sequence
from html import escape
from math import log10
from pathlib import Path
from typing import NamedTuple

from bench.frame import Measured, Outcome, flat

# As they stand beside each other, with what a reader calls them.
WAYS = {
    "ours": ("ShopFlow", "#0b6e4f"),
    "limit": ("pgbench, our statement", "#8fbfae"),
    "orm": ("SQLAlchemy ORM", "#d98e04"),
    "queries": ("a statement for each facet", "#d98e04"),
    "literal": ("the specification's statement", "#b3261e"),
}
LEFT, RIGHT, TOP, ROW, WIDTH = 230, 30, 86, 30, 860
MARK = "<!-- bench {name}: {edge} -->"


class Case(NamedTuple):
    """What was measured of a case on the largest catalogue: median and 95th percentile by way."""

    name: str
    p50: dict[str, float]
    p95: dict[str, float]


def sizes(outcome: Outcome) -> list[int]:
    """Return the sizes of the catalogues, the smallest first."""
    return sorted({int(name.split(".")[1]) for name, _ in flat(outcome.results)})


def cases(outcome: Outcome, size: int) -> list[Case]:
    """Return the cases on the catalogue of a size, in the order in which they ran."""
    found: dict[str, Case] = {}
    for name, measured in flat(outcome.results):
        way, products, case, measure = name.split(".")
        if way in WAYS and products == str(size) and isinstance(measured, Measured):
            row = found.setdefault(case, Case(case, {}, {}))
            values = row.p50 if measure == "p50" else row.p95
            values[way] = measured.median
    return list(found.values())


def svg(outcome: Outcome) -> str:
    """Return a picture: a row for each case, a dot for each way, seconds to the right by tens."""
    largest = sizes(outcome)[-1]
    rows = cases(outcome, largest)
    seconds = [value for row in rows for value in row.p50.values()]
    low, high = int(log10(min(seconds)) // 1), int(-(-log10(max(seconds)) // 1))
    high = max(high, low + 1)
    height = TOP + ROW * len(rows) + 46

    def at(value: float) -> float:
        return LEFT + (log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
                ' font-family="system-ui, sans-serif" font-size="13">'
            ),
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            (
                f'<text x="20" y="28" font-size="17" font-weight="600">{escape(outcome.bench)}:'
                f" {largest:,} products, median of a call</text>"
            ),
            *_legend(rows),
            *_grid(low, high, at(10.0**low), at(10.0**high), height),
            *(line for number, row in enumerate(rows) for line in _row(number, row, at)),
            "</svg>",
            "",
        ]
    )


def table(outcome: Outcome) -> str:
    """Return the cases as a table in Markdown, milliseconds, and the ratios below it."""
    found = sizes(outcome)
    rows = cases(outcome, found[-1])
    ways = [way for way in WAYS if any(way in row.p50 for row in rows)]
    smaller = [f"ShopFlow at {size:,}" for size in found[:-1]]
    head = ["", *smaller, *(WAYS[way][0] for way in ways), "95 % of ShopFlow's"]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    before = [{row.name: row.p50.get("ours") for row in cases(outcome, s)} for s in found[:-1]]
    for row in rows:
        values = [each.get(row.name) for each in before]
        values += [row.p50.get(way) for way in ways] + [row.p95.get("ours")]
        lines.append(f"| {_words(row.name)} | " + " | ".join(map(_milliseconds, values)) + " |")
    lines += ["", "| ratio | |", "|---|---:|"]
    lines += [f"| `{name}` | {ratio:.2f} |" for name, ratio in outcome.ratios.items()]
    return "\n".join(lines)


def write(outcome: Outcome, page: Path) -> None:
    """Write the picture beside the page, and the table into it, between the marks of its bench.

    Raises:
        ValueError: when the page has no such marks.
    """
    name = outcome.bench
    page.with_name(f"performance-{name}.svg").write_text(svg(outcome), encoding="utf-8")
    begin, end = (MARK.format(name=name, edge=edge) for edge in ("begin", "end"))
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{page} has no {begin} and {end}")
    text = f"{before}{begin}\n\n{_machine(outcome)}\n\n{table(outcome)}\n\n{end}{after}"
    page.write_text(text, encoding="utf-8")


def _machine(outcome: Outcome) -> str:
    at = outcome.machine
    memory = round(at.memory / 2**30)
    return (
        f"Milliseconds; {at.cores} cores of {at.cpu}, {memory} GiB,"
        f" PostgreSQL {at.postgres}, Python {at.python}."
    )


def _legend(rows: Sequence[Case]) -> Iterator[str]:
    x = 20
    for way, (label, color) in WAYS.items():
        if any(way in row.p50 for row in rows):
            yield f'<circle cx="{x + 6}" cy="52" r="6" fill="{color}"/>'
            yield f'<text x="{x + 18}" y="56">{escape(label)}</text>'
            x += 36 + 7 * len(label)


def _grid(low: int, high: int, first: float, last: float, height: int) -> Iterator[str]:
    for power in range(low, high + 1):
        x = first + (last - first) * (power - low) / (high - low)
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 12}" y2="{height - 36}" stroke="#dddddd"/>'
        )
        label = f"{10**power} s" if power >= 0 else f"{10 ** (power + 3):g} ms"
        place = f'x="{x:.1f}" y="{height - 18}" text-anchor="middle"'
        yield f'<text {place} fill="#555555">{label}</text>'


def _row(number: int, row: Case, at: Callable[[float], float]) -> Iterator[str]:
    y = TOP + ROW * number + 6
    yield f'<text x="20" y="{y + 4}">{escape(_words(row.name))}</text>'
    places = {way: at(value) for way, value in row.p50.items()}
    ends = sorted(places.values())
    yield (
        f'<line x1="{ends[0]:.1f}" x2="{ends[-1]:.1f}" y1="{y}" y2="{y}"'
        ' stroke="#cccccc" stroke-width="2"/>'
    )
    # Ours last, so that it lies on top.
    for way in reversed(WAYS):
        if way in places:
            yield f'<circle cx="{places[way]:.1f}" cy="{y}" r="6" fill="{WAYS[way][1]}"/>'


def _words(name: str) -> str:
    return name.replace("_", " ")


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value * 1000:.3g}"
