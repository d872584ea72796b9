"""The frame of every benchmark: competitors by turns, medians, ratios within a round."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal, cast

import msgspec
import psutil

from shopflow.postgres import server_user

Scale = Literal["tiny", "default"]
# Seconds, of which fewer are better; so many a second; or a count of what should not have been.
Unit = Literal["s", "1/s", "count"]
# Runs once and returns what it measured, in the bench's unit, or several measures by name; its own
# preparation not included.
Competitor = Callable[[], "float | Mapping[str, float]"]
Rounds = Mapping[str, list[float]]


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        name: as on the command line.
        purpose: one sentence.
        unit: of what the competitors measure; by the measure's name where they have several.
        rounds: how often each competitor runs, by scale.
        ratios: name → (ours, the other), competitors both; `competitor.measure` where they have
            several.
        competitors: opens what they need, gives them by name, and cleans up after them. A dot in
            a name, as in `naive.c32`, groups the results.
        meanings: what the numbers of `summary` say, by name.
        summary: ratios of more than two measures, from the rounds of all measures by dotted name.
        sized: the same benchmark on catalogues of so many products; None where it has none.
    """

    name: str
    purpose: str
    unit: Unit | Mapping[str, Unit]
    rounds: Mapping[Scale, int]
    ratios: Mapping[str, tuple[str, str]]
    competitors: Callable[[Scale], AbstractContextManager[Mapping[str, Competitor]]]
    meanings: Mapping[str, str] = field(default_factory=dict)
    summary: Callable[[Rounds], Mapping[str, float]] = lambda _rounds: {}
    sized: "Callable[[Sequence[int]], Bench] | None" = None


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured; `memory` in bytes."""

    cpu: str
    cores: int
    memory: int
    kernel: str
    python: str
    postgres: str


class Measured(msgspec.Struct, frozen=True):
    """What a competitor reached: every round in the order of the rounds, and their median."""

    median: float
    rounds: list[float]
    unit: Unit


# By competitor; below that, where it has several, by measure. A count is the sum of the rounds.
Results = dict[str, "Measured | int | Results"]


class Outcome(msgspec.Struct, frozen=True):
    """What a benchmark says: of each ratio the median over the rounds; larger is better for us.

    The bench's `meanings` say what other ratios are.
    """

    bench: str
    scale: Scale
    machine: Machine
    results: Results
    ratios: dict[str, float]


def silent(_message: str) -> None:
    """Tell nobody."""


def run(
    bench: Bench,
    scale: Scale,
    rounds: int | None = None,
    report: Callable[[str], None] = silent,
) -> Outcome:
    """Run the competitors by turns (A B C A B C …), so that what else the machine does hits all.

    Args:
        bench: what to run.
        scale: how large.
        rounds: how often, instead of what the bench says.
        report: told which competitor's turn it is.
    """
    measured: dict[str, list[float]] = {}
    with bench.competitors(scale) as competitors:
        for number in range(rounds or bench.rounds[scale]):
            for name, competitor in competitors.items():
                report(f"{bench.name}, round {number + 1}: {name}")
                for measure, value in _measures(name, competitor()):
                    measured.setdefault(measure, []).append(value)
    return Outcome(
        bench=bench.name,
        scale=scale,
        machine=machine(),
        results=_grouped(bench, measured),
        ratios={
            name: _ratio(_unit(bench, ours), measured[ours], measured[other])
            for name, (ours, other) in bench.ratios.items()
            # A competitor may be impossible here; it has said so then.
            if other in measured
        }
        | dict(bench.summary(measured)),
    )


def flat(results: Results, prefix: str = "") -> Iterator[tuple[str, Measured | int]]:
    """Return every measure with its dotted name."""
    for name, found in results.items():
        if isinstance(found, dict):
            yield from flat(found, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", found


def together(outcomes: list[Outcome]) -> Outcome:
    """Return several outcomes as one, each name with its bench's in front."""
    return Outcome(
        bench="all",
        scale=outcomes[0].scale,
        machine=outcomes[0].machine,
        results={f"{o.bench}.{name}": found for o in outcomes for name, found in o.results.items()},
        ratios={f"{o.bench}.{name}": ratio for o in outcomes for name, ratio in o.ratios.items()},
    )


def machine() -> Machine:
    """Return what this machine is."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        kernel=platform.release(),
        python=platform.python_version(),
        postgres=server_user.postgres_version(server_user.installed()),
    )


def _measures(name: str, found: float | Mapping[str, float]) -> Iterator[tuple[str, float]]:
    if isinstance(found, Mapping):
        for measure, value in found.items():
            yield f"{name}.{measure}", value
    else:
        yield name, found


def _unit(bench: Bench, name: str) -> Unit:
    return bench.unit if isinstance(bench.unit, str) else bench.unit[name.rpartition(".")[2]]


def _grouped(bench: Bench, measured: Mapping[str, list[float]]) -> Results:
    results: Results = {}
    for name, values in measured.items():
        *groups, last = name.split(".")
        group = results
        for each in groups:
            group = cast("Results", group.setdefault(each, {}))
        unit = _unit(bench, name)
        if unit == "count":
            group[last] = int(sum(values))
        else:
            group[last] = Measured(median(values), values, unit)
    return results


def _ratio(unit: Unit, ours: list[float], other: list[float]) -> float:
    # Round by round: what slowed a round down is in both of its sides.
    if unit == "s":
        return median(theirs / own for own, theirs in zip(ours, other, strict=True))
    return median(own / theirs for own, theirs in zip(ours, other, strict=True))


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
