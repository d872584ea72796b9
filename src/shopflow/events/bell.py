"""How a worker with nothing to do is woken: a notification, sent only while it sleeps.

A transaction that notifies waits at COMMIT for every other that does, so the shop's own must not
as long as the workers look for work anyway. Before it sleeps, a worker takes the bell, an
advisory lock that says so, looks once more, and then waits. It need not be reached: the worker
looks again every second.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from shopflow.events.consumers import QUERIES
from shopflow.postgres.conninfo import conninfo
from shopflow.settings import Settings

State = Literal["held", "busy", "elsewhere"]


class _Channel(msgspec.Struct, frozen=True):
    channel: str


class _Bell(msgspec.Struct, frozen=True):
    bell: State


class Bell:
    """The one connection of a worker that listens; made anew when it was lost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: AsyncConnection[Any] | None = None

    async def take(self) -> State:
        """Take the bell, if that can be; see `hold_bell` in queries.sql.

        Raises:
            psycopg.OperationalError: when the server cannot be reached.
        """
        (row,) = await QUERIES["hold_bell"].rows(await self._listening(), _Bell)
        return row.bell

    async def wait(self, seconds: float) -> None:
        """Return once something was notified, or after that long."""
        connection = await self._listening()
        async for _ in connection.notifies(timeout=seconds, stop_after=1):
            pass

    async def let_go(self) -> None:
        """Say that this worker looks for work itself."""
        if self._connection is not None and not self._connection.closed:
            await QUERIES["let_go_of_bell"].execute(self._connection)

    async def close(self) -> None:
        """Close the connection; the server lets go of the bell."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _listening(self) -> AsyncConnection[Any]:
        if self._connection is not None and self._connection.closed:
            self._connection = None
        if self._connection is None:
            made = await AsyncConnection.connect(conninfo(self._settings), autocommit=True)
            try:
                (found,) = await QUERIES["get_channel"].rows(made, _Channel)
                await made.execute(SQL("LISTEN {}").format(Identifier(found.channel)))
            except BaseException:
                await made.close()
                raise
            self._connection = made
        return self._connection
