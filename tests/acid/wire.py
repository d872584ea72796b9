"""A wire between a program and the server that the test can cut, after the server has answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from shopflow.settings import Settings

CHUNK = 65536


class Wire:
    """Forwards bytes both ways until it is told to keep the server's answers, or is cut.

    Attributes:
        kept: set once an answer of the server was kept from the program.
    """

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._keeping = False
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.kept = asyncio.Event()
        self.port = 0

    async def mend(self) -> None:
        """Forward again, on the same port as before."""
        self._keeping = False
        self.kept.clear()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def keep_answers(self) -> None:
        """Forward what the program says, and nothing that the server answers."""
        self._keeping = True

    async def cut(self) -> None:
        """Break every connection and let no new one through."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    async def _connected(self, program: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        server, into = await asyncio.open_unix_connection(self._socket)
        self._writers |= {out, into}
        try:
            with suppress(OSError):
                await asyncio.gather(
                    self._forward(program, into), self._forward(server, out, back=True)
                )
        finally:
            for writer in (out, into):
                self._writers.discard(writer)
                writer.close()

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, back: bool = False
    ) -> None:
        while data := await source.read(CHUNK):
            if back and self._keeping:
                self.kept.set()
                continue
            target.write(data)
            await target.drain()
        target.close()


@asynccontextmanager
async def wired(settings: Settings) -> AsyncIterator[tuple[Wire, Settings]]:
    """A wire to the test's server, and the settings of a program at its other end."""
    url = urlsplit(settings.database_url or "")
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    wire = Wire(f"{asked.pop('host')}/.s.PGSQL.{asked.pop('port')}")
    await wire.mend()
    here = {"host": "127.0.0.1", "port": str(wire.port)}
    query = urlencode(asked | here)
    try:
        yield (
            wire,
            msgspec.structs.replace(settings, database_url=url._replace(query=query).geturl()),
        )
    finally:
        await wire.cut()
