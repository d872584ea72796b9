"""How long each named query took: a histogram a query and process, with fixed edges."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

import msgspec

# Seconds. §10.1 asks for the share above 0.2 s and 0.5 s, so these two are edges.
EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Timing(msgspec.Struct, frozen=True):
    """The executions of one query so far in this process.

    Attributes:
        counts: one number per edge of `EDGES` (took at most that many seconds and more than the
            edge before), and last those above all edges.
        seconds: the sum of all times.
    """

    counts: tuple[int, ...]
    seconds: float

    @property
    def executions(self) -> int:
        """How often the query was executed, failures included."""
        return sum(self.counts)


class Histogram:
    """The running counts behind a `Timing`."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(EDGES) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one execution."""
        self.counts[bisect_left(EDGES, seconds)] += 1
        self.seconds += seconds


_histograms: dict[str, Histogram] = {}


def histogram(name: str) -> Histogram:
    """Return the one histogram of the query `name`."""
    return _histograms.setdefault(name, Histogram())


def timings() -> Mapping[str, Timing]:
    """Return the timing of every query executed so far, by name."""
    taken = {name: Timing(tuple(h.counts), h.seconds) for name, h in _histograms.items()}
    return {name: timing for name, timing in taken.items() if timing.executions}
