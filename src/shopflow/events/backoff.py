"""When a delivery that failed is tried again."""

from __future__ import annotations

# 12 attempts come to 31 hours: a receiver that breaks one morning has until the next evening.
MOST_ATTEMPTS = 12
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 5.0, 4.0, 6 * 3600.0
# What a receiver may ask for in Retry-After.
LONGEST_WISH = 24 * 3600.0


def pause_after(attempt: int, chance: float, wish: float | None = None) -> float | None:
    """Return the seconds to wait after a failed attempt, None when it was the last.

    5 s, 20 s, 80 s … up to 6 hours, each up to a quarter less or more so that those that failed
    together do not come back together.

    Args:
        attempt: 1 for the first.
        chance: from 0 to 1, random.
        wish: how long the receiver asked to be left alone (Retry-After): not less, up to a day.
    """
    if attempt >= MOST_ATTEMPTS:
        return None
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH ** (attempt - 1)) * (0.75 + chance / 2)
    return max(pause, min(wish or 0.0, LONGEST_WISH))
