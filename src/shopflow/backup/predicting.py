"""How long a restore will take, from what it has to move (§7.3)."""

from datetime import timedelta

# Measured; the bench fails when a restore is slower: see bench/README.md.
SECONDS_PER_GB = 5.0
REPLAY_BYTES_PER_SECOND = 100e6
# To start, promote and make passwords.
FIXED_SECONDS = 3.0
GB = 1024**3


def predict_rto(content_size: int, wal_size: int) -> timedelta:
    """Return how long a restore takes until the server takes writes.

    Args:
        content_size: bytes of the base backup, uncompressed.
        wal_size: bytes of WAL to replay.
    """
    unpacking = content_size / GB * SECONDS_PER_GB
    return timedelta(seconds=FIXED_SECONDS + unpacking + wal_size / REPLAY_BYTES_PER_SECOND)
