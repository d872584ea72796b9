"""The frame of the benchmarks: turns, medians, ratios, and each benchmark at its tiny scale."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import servers
from bench.__main__ import BENCHES
from bench.catalogue.kept import VARIABLE
from bench.frame import (
    Bench,
    Competitor,
    Measured,
    Outcome,
    Scale,
    Unit,
    flat,
    machine,
    run,
    together,
)

ROOT = Path(__file__).parents[2]
TIMES = {"ours": [1.0, 4.0, 2.0], "other": [2.0, 4.0, 8.0]}


def bench(unit: Unit, turns: list[str]) -> Bench:
    """A benchmark whose competitors answer TIMES and note their turns."""

    def competitor(name: str) -> Callable[[], float]:
        values = iter(TIMES[name])

        def measure() -> float:
            turns.append(name)
            return next(values)

        return measure

    @contextmanager
    def competitors(scale: Scale) -> Iterator[Mapping[str, Competitor]]:
        turns.append(f"open {scale}")
        yield {name: competitor(name) for name in TIMES}
        turns.append("close")

    return Bench(
        "sample", "nothing", unit, {"tiny": 1, "default": 3}, {"r": ("ours", "other")}, competitors
    )


def test_competitors_take_turns() -> None:
    turns: list[str] = []
    run(bench("s", turns), "default")
    assert turns == ["open default", *["ours", "other"] * 3, "close"]


@pytest.mark.parametrize(("scale", "rounds", "expected"), [("tiny", None, 1), ("tiny", 2, 2)])
def test_rounds(scale: Scale, rounds: int | None, expected: int) -> None:
    outcome = run(bench("s", []), scale, rounds)
    assert {len(measured(outcome, name).rounds) for name in TIMES} == {expected}


def test_medians_and_all_rounds_are_kept() -> None:
    outcome = run(bench("s", []), "default")
    assert measured(outcome, "ours").median == 2.0
    assert measured(outcome, "other").rounds == TIMES["other"]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # 2/1, 4/4 and 8/2: not the ratio of the medians.
    assert run(bench("s", []), "default").ratios == {"r": 2.0}


def test_rates_are_better_when_larger() -> None:
    # 1/2, 4/4 and 2/8
    assert run(bench("1/s", []), "default").ratios == {"r": 0.5}


SEVERAL: Mapping[str, Mapping[str, float]] = {
    "ours.c8": {"rate": 30.0, "p99": 0.2},
    "other.c8": {"rate": 10.0, "p99": 0.5},
    "ours": {"oversold": 0},
    "other": {"oversold": 7},
}


def several(found: Mapping[str, Mapping[str, float]]) -> Bench:
    """A benchmark of several measures, whose competitors answer `found`."""

    @contextmanager
    def competitors(scale: Scale) -> Iterator[Mapping[str, Competitor]]:
        yield {name: partial(dict, measures) for name, measures in found.items()}

    return Bench(
        "sample",
        "nothing",
        {"rate": "1/s", "p99": "s", "oversold": "count"},
        {"tiny": 1, "default": 3},
        {"rate": ("ours.c8.rate", "other.c8.rate"), "p99": ("ours.c8.p99", "other.c8.p99")},
        competitors,
    )


def test_several_measures_are_grouped_and_counts_summed_over_the_rounds() -> None:
    outcome = run(several(SEVERAL), "default")
    assert outcome.results == {
        "ours": {
            "c8": {"rate": Measured(30.0, [30.0] * 3, "1/s"), "p99": Measured(0.2, [0.2] * 3, "s")},
            "oversold": 0,
        },
        "other": {
            "c8": {"rate": Measured(10.0, [10.0] * 3, "1/s"), "p99": Measured(0.5, [0.5] * 3, "s")},
            "oversold": 21,
        },
    }


def test_each_measure_has_its_own_direction() -> None:
    # 30/10 orders a second, 0.5/0.2 seconds: larger is better for us in both.
    assert run(several(SEVERAL), "tiny").ratios == {"rate": 3.0, "p99": 2.5}


def test_a_competitor_that_is_left_out_has_no_ratio() -> None:
    alone = {name: found for name, found in SEVERAL.items() if name.startswith("ours")}
    outcome = run(several(alone), "tiny")
    assert outcome.ratios == {}
    assert set(outcome.results) == {"ours"}


def test_our_own_measure_cannot_be_missing() -> None:
    without = {name: found for name, found in SEVERAL.items() if name.startswith("other")}
    with pytest.raises(KeyError, match=r"ours\.c8\.rate"):
        run(several(without), "tiny")


def test_together_keeps_every_name() -> None:
    outcome = together([run(bench("s", []), "default")])
    assert outcome.bench == "all"
    assert set(outcome.results) == {"sample.ours", "sample.other"}
    assert outcome.ratios == {"sample.r": 2.0}


def test_machine_says_what_it_is() -> None:
    found = machine()
    assert found.cpu
    assert found.cores >= 1
    assert found.memory > 2**20
    assert found.postgres.startswith("18")


@pytest.mark.acceptance
@pytest.mark.parametrize("name", BENCHES)
def test_each_benchmark_runs_at_tiny_scale(name: str, tmp_path: Path, kept: Path) -> None:
    file = tmp_path / "outcome.json"
    done = command(name, "--scale", "tiny", "--json", str(file), kept=kept)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(file.read_text())
    assert outcome["bench"] == name
    assert outcome["scale"] == "tiny"
    assert set(BENCHES[name].meanings) >= set(outcome["ratios"]) - set(BENCHES[name].ratios)
    # Without oscar, where it cannot be installed, its ratios are left out.
    missing = set(BENCHES[name].ratios) - set(outcome["ratios"])
    assert not missing or ("oscar is left out" in done.stderr and "_oscar_" in missing.pop())
    assert all(
        ratio >= 0 if name.endswith("_lost") else ratio > 0
        for name, ratio in outcome["ratios"].items()
    )
    assert all(
        each >= 0
        if isinstance(each, int)
        else len(each["rounds"]) == 1 and each["median"] == each["rounds"][0] > 0
        for each in leaves(outcome["results"])
    )
    assert all(competitor in done.stdout for competitor in outcome["results"])


@pytest.mark.parametrize("arguments", [["nothing"], ["start", "--rounds", "0"], []])
def test_wrong_usage(arguments: list[str]) -> None:
    assert command(*arguments).returncode == 2


def leaves(results: dict[str, Any]) -> Iterator[Any]:
    """Every measure and count of a file's results."""
    for found in results.values():
        if isinstance(found, int) or "median" in found:
            yield found
        else:
            yield from leaves(found)


def measured(outcome: Outcome, name: str) -> Measured:
    found = dict(flat(outcome.results))[name]
    assert isinstance(found, Measured)
    return found


@pytest.fixture(scope="session")
def kept() -> Iterator[Path]:
    """Where the catalogues are kept that the benchmarks read: each is made once."""
    with servers.directory() as path:
        yield path


def command(*arguments: str, kept: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env=os.environ | ({VARIABLE: str(kept)} if kept else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
