"""Chance that a seed decides: the same random numbers, keys and moments in every run."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")

# The demo's present. Fixed, for a shop that is generated again must be the same shop; at noon,
# when orders are being packed.
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def chance(seed: int, kind: str, number: int = 0) -> Random:
    """Return the random numbers of one thing: they do not depend on what was made before it."""
    return Random(f"{seed} {kind} {number}")  # noqa: S311 nothing here is a secret


def pick(random: Random, choices: Sequence[Choice]) -> Choice:
    """Return one of `choices`, each as likely as the others."""
    # By random() alone: of Random's methods it is the one that stays the same in later Pythons,
    # and three times as fast as choice().
    return choices[int(random.random() * len(choices))]


def between(random: Random, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`, both possible."""
    return low + int(random.random() * (high - low + 1))


def key(random: Random, at: int) -> str:
    """Return a UUID of version 7 as if made at `at`, milliseconds since 1970."""
    bits = random.getrandbits(74)
    return f"{at:012x}7{bits >> 62:03x}{1 << 63 | bits & ((1 << 62) - 1):016x}"


def moment(at: int) -> datetime:
    """Return milliseconds since 1970 as a time."""
    return datetime.fromtimestamp(at / 1000, UTC)


def stride(random: Random, count: int) -> int:
    """Return a step that walks through all of `count` places before it comes back to one."""
    step = between(random, count // 3, count) or 1
    while math.gcd(step, count) != 1:
        step += 1
    return step


class Zipf:
    """Shares of `total` among `count` ranks: the share of rank r is proportional to r^-exponent."""

    def __init__(self, count: int, exponent: float, total: float) -> None:
        self._exponent = exponent
        self._first = total / math.fsum(rank**-exponent for rank in range(1, count + 1))

    def share(self, rank: int) -> float:
        """Return the share of `rank`, of which the largest is 1."""
        return float(self._first * rank**-self._exponent)
