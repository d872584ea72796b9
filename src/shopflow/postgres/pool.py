"""The pool of connections, with the numbers of §5: built on psycopg_pool, made to follow them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from select import POLLIN, poll
from time import monotonic

import msgspec
import psycopg
import psycopg_pool
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import TransactionStatus
from psycopg_pool.pool_async import ReturnConnection

from shopflow.errors import ConfigurationError, PoolTimeoutError, ServerError
from shopflow.postgres import queries
from shopflow.postgres.conninfo import check_server_version, conninfo
from shopflow.settings import Settings

# Idle for longer, a connection is tried with a round trip before it is handed out; until then
# its silent socket is enough: a closed one would be readable.
TRUSTED_SECONDS = 5.0
# How often in an idle period the pool looks for connections to close.
LOOKS = 10

_CONNECTION_LIMITS = queries.load("shopflow.postgres")["connection_limits"]


class PooledConnection(AsyncConnection):
    """A connection that counts how often it was used."""

    def __init__(self, pgconn: psycopg.pq.abc.PGconn) -> None:
        super().__init__(pgconn)
        self.uses = 0
        self.idle_since = monotonic()

    def returned(self, max_uses: int) -> None:
        """Count a use; after `max_uses` have psycopg_pool replace the connection."""
        self.uses += 1
        self.idle_since = monotonic()
        if self.uses >= max_uses:
            self._expire_at = self.idle_since

    async def works(self, within: float) -> bool:
        """Return whether the server is still there; asks it only when there is a doubt."""
        readable = poll()
        readable.register(self.fileno(), POLLIN)
        if monotonic() - self.idle_since < TRUSTED_SECONDS and not readable.poll(0):
            return True
        limit = asyncio.get_running_loop().call_later(within, self._hang_up)
        try:
            await self.execute("")
        except psycopg.Error:
            return False
        finally:
            limit.cancel()
        return True

    def _hang_up(self) -> None:
        # Ends the wait for an answer at once. A cancelled wait would ask the server, which is
        # silent, to stop, and give it ten seconds.
        with socket.socket(fileno=os.dup(self.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)


class RawJson(Loader):
    """Leaves json and jsonb as the bytes PostgreSQL sent, for msgspec or to pass on."""

    def load(self, data: Buffer) -> bytes:
        """Return the bytes themselves."""
        return bytes(data)


async def configure(connection: AsyncConnection) -> None:
    """Make `connection` return json and jsonb as bytes. Sends nothing to the server."""
    for name in ("json", "jsonb"):
        connection.adapters.register_loader(name, RawJson)


class Pool:
    """Up to `settings.pool_max_size` connections, opened when needed and in autocommit.

    A read is one round trip; what writes opens a transaction (see `transactions`). Settings of
    a session that a caller changes stay with the connection: use SET LOCAL.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._in_use = 0
        self._conninfo = conninfo(settings)
        self._connections = _Connections(self._conninfo, settings)

    @property
    def in_use(self) -> int:
        """How many connections are handed out."""
        return self._in_use

    async def open(self) -> None:
        """Check the server and open the pool; the shop's schema may still be missing.

        Raises:
            ServerError: when it cannot be reached or is older than PostgreSQL 18.
            ConfigurationError: when all processes together could want more connections than
                the server has.
        """
        try:
            async with await AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                check_server_version(connection)
                await self._check_limits(connection)
        except psycopg.OperationalError as error:
            raise ServerError(f"the server cannot be reached: {error}") from error
        await self._connections.open()

    async def close(self) -> None:
        """Close the connections that are idle now, and each of the others when it comes back."""
        await self._connections.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection; waits up to `settings.pool_timeout` for one, first come first served.

        Raises:
            PoolTimeoutError: when all connections stayed in use.
            ServerError: when there was room for another one and the server did not answer.
        """
        connection = await self._working_connection()
        self._in_use += 1
        try:
            yield connection
        finally:
            self._in_use -= 1
            connection.returned(self.settings.pool_max_uses)
            await self._put(connection)

    async def _working_connection(self) -> PooledConnection:
        # psycopg_pool's own `check` pauses a second after the second dead connection, and after
        # a restart of the server all that are idle are dead.
        deadline = monotonic() + self.settings.pool_timeout
        while True:
            connection = await self._taken(deadline - monotonic())
            works = False
            try:
                # Half of the time, so that there is some left for a new connection.
                works = await connection.works((deadline - monotonic()) / 2)
            finally:
                if not works:
                    await connection.close()
                    await self._put(connection)
            if works:
                return connection

    async def _put(self, connection: PooledConnection) -> None:
        if connection.pgconn.transaction_status != TransactionStatus.IDLE:
            # The server rolls back. psycopg_pool would wait for that, and lose a cancellation.
            await connection.close()
        try:
            await self._connections.putconn(connection)
        except asyncio.CancelledError:
            # psycopg_pool was waiting for its lock and would lose the connection. (Its `reset`
            # callback, which always takes this way, gives connections back so late that one
            # caller after another opens more of them than are needed.)
            self._connections.run_task(
                ReturnConnection(self._connections, connection, from_getconn=False)
            )
            raise

    async def _taken(self, within: float) -> PooledConnection:
        try:
            return await self._connections.getconn(within)
        except psycopg_pool.PoolTimeout as error:
            timeout, size = self.settings.pool_timeout, self.settings.pool_max_size
            if self._in_use >= size:
                raise PoolTimeoutError(timeout, self._in_use, size) from error
            failure = self._connections.failure
            reason = failure or f"no answer to a new connection within {timeout:g} s"
            raise ServerError(f"the server cannot be reached: {reason}") from failure or error

    async def _check_limits(self, connection: AsyncConnection) -> None:
        limits = await _CONNECTION_LIMITS.row(connection, _ConnectionLimits)
        if limits is None:
            raise ServerError("the server did not say how many connections it has")
        processes, size = self.settings.processes, self.settings.pool_max_size
        free = limits.max_connections - limits.reserved
        if processes * size > free:
            raise ConfigurationError(
                f"processes * pool_max_size = {processes} * {size} = {processes * size}"
                f" connections, but the server has {limits.max_connections} - {limits.reserved}"
                f" reserved = {free}: lower processes or pool_max_size, or raise max_connections"
            )


class _ConnectionLimits(msgspec.Struct, frozen=True):
    max_connections: int
    reserved: int


class _Connections(psycopg_pool.AsyncConnectionPool[PooledConnection]):
    """psycopg_pool, which closes one idle connection a period by itself, closing all of them.

    There is no public way to take an idle connection out without a new one coming in.
    """

    def __init__(self, conninfo: str, settings: Settings) -> None:
        super().__init__(
            conninfo,
            connection_class=PooledConnection,
            kwargs={"autocommit": True},
            min_size=0,
            max_size=settings.pool_max_size,
            open=False,
            configure=configure,
            timeout=settings.pool_timeout,
            max_idle=settings.pool_max_idle / LOOKS,
            # Otherwise the pauses between attempts grow to minutes and outlast the outage.
            reconnect_timeout=settings.pool_timeout,
        )
        self.failure: psycopg.Error | None = None
        self._unused = deque([0] * (LOOKS - 1), maxlen=LOOKS - 1)

    async def _connect(self, timeout: float | None = None) -> PooledConnection:  # noqa: ASYNC109 psycopg_pool's
        try:
            connection = await super()._connect(timeout)
        except psycopg.Error as error:
            self.failure = error
            raise
        self.failure = None
        return connection

    async def _shrink_pool(self) -> None:
        """Close the connections that were not needed at any moment of the last nine looks."""
        async with self._lock:
            self._unused.append(self._nconns_min)
            surplus = [self._pool.popleft() for _ in range(min(self._unused))]
            self._unused = deque((n - len(surplus) for n in self._unused), maxlen=LOOKS - 1)
            self._nconns -= len(surplus)
            self._nconns_min = len(self._pool)
        for connection in surplus:
            await self._close_connection(connection)
