"""The frame of every benchmark: competitors by turns, medians, ratios within a round."""

import os
import platform
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import msgspec
import psutil

from shopflow.postgres import server_user

Scale = Literal["tiny", "default"]
# Seconds, of which fewer are better, or so many a second.
Unit = Literal["s", "1/s"]
# Runs once and returns what it measured, in the bench's unit; its own preparation not included.
Competitor = Callable[[], float]


@dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        name: as on the command line.
        purpose: one sentence.
        unit: of what the competitors measure.
        rounds: how often each competitor runs, by scale.
        ratios: name → (ours, the other), competitors both.
        competitors: opens what they need, gives them by name, and cleans up after them.
    """

    name: str
    purpose: str
    unit: Unit
    rounds: Mapping[Scale, int]
    ratios: Mapping[str, tuple[str, str]]
    competitors: Callable[[Scale], AbstractContextManager[Mapping[str, Competitor]]]


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


class Outcome(msgspec.Struct, frozen=True):
    """What a benchmark says: of each ratio the median over the rounds; larger is better for us."""

    bench: str
    scale: Scale
    machine: Machine
    results: dict[str, Measured]
    ratios: dict[str, float]


def run(bench: Bench, scale: Scale, rounds: int | None = None) -> Outcome:
    """Run the competitors by turns (A B C A B C …), so that what else the machine does hits all.

    Args:
        bench: what to run.
        scale: how large.
        rounds: how often, instead of what the bench says.
    """
    measured: dict[str, list[float]] = {}
    with bench.competitors(scale) as competitors:
        for _ in range(rounds or bench.rounds[scale]):
            for name, competitor in competitors.items():
                measured.setdefault(name, []).append(competitor())
    return Outcome(
        bench=bench.name,
        scale=scale,
        machine=machine(),
        results={
            name: Measured(median(values), values, bench.unit) for name, values in measured.items()
        },
        ratios={
            name: _ratio(bench.unit, measured[ours], measured[other])
            for name, (ours, other) in bench.ratios.items()
        },
    )


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
