"""Sessions that wait for a lock."""

from time import monotonic

from shopflow import Shop
from tests.catalogue import run


async def waiting(shop: Shop, sessions: int) -> None:
    """Return once this many sessions wait for a lock."""
    deadline = monotonic() + 10
    count = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
    )
    while await run(shop, count) != [(sessions,)]:
        assert monotonic() < deadline, "nobody waits"
