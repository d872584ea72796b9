"""The frame of the benchmarks: turns, medians, ratios, and each benchmark at its tiny scale."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.__main__ import BENCHES
from bench.frame import Bench, Competitor, Scale, Unit, machine, run, together

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
    assert {len(found.rounds) for found in outcome.results.values()} == {expected}


def test_medians_and_all_rounds_are_kept() -> None:
    outcome = run(bench("s", []), "default")
    assert outcome.results["ours"].median == 2.0
    assert outcome.results["other"].rounds == TIMES["other"]


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # 2/1, 4/4 and 8/2: not the ratio of the medians.
    assert run(bench("s", []), "default").ratios == {"r": 2.0}


def test_rates_are_better_when_larger() -> None:
    # 1/2, 4/4 and 2/8
    assert run(bench("1/s", []), "default").ratios == {"r": 0.5}


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
def test_each_benchmark_runs_at_tiny_scale(name: str, tmp_path: Path) -> None:
    file = tmp_path / "outcome.json"
    done = command(name, "--scale", "tiny", "--json", str(file))
    assert done.returncode == 0, done.stderr
    outcome = json.loads(file.read_text())
    assert outcome["bench"] == name
    assert outcome["scale"] == "tiny"
    assert set(outcome["ratios"]) == set(BENCHES[name].ratios)
    assert all(ratio > 0 for ratio in outcome["ratios"].values())
    assert all(
        len(found["rounds"]) == 1 and found["median"] == found["rounds"][0] > 0
        for found in outcome["results"].values()
    )
    assert all(competitor in done.stdout for competitor in outcome["results"])


@pytest.mark.parametrize("arguments", [["nothing"], ["start", "--rounds", "0"], []])
def test_wrong_usage(arguments: list[str]) -> None:
    assert command(*arguments).returncode == 2


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
