"""Which port the embedded server listens on: the one asked for, the last one, or a free one."""

import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

from shopflow.errors import ServerError

HOST = "127.0.0.1"
# Below the ports that the system gives to outgoing connections, and not PostgreSQL's own 5432.
PORTS = range(15432, 25432)


def candidates(asked: int | None, last: int | None, home: Path) -> Iterator[int]:
    """Yield the ports to try, all free a moment ago.

    Args:
        asked: the only one that will do, None for any.
        last: the one of the last start, which stays the home's if it can.
        home: gives each server a place of its own to start looking from.

    Raises:
        ServerError: when the port asked for is taken.
    """
    if asked is not None:
        if not is_free(asked):
            raise ServerError(
                f"port {asked} is taken; set SHOPFLOW_PORT to another, "
                "or leave it out and a free one is chosen"
            )
        yield asked
        return
    if last is not None and is_free(last):
        yield last
    first = zlib.crc32(bytes(home)) % len(PORTS)
    yield from (port for port in (*PORTS[first:], *PORTS[:first]) if is_free(port))


def is_free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
