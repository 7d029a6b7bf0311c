"""A small TCP proxy on loopback: it stands between two processes, and can be cut, be slow, or swallow everything."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Connected]]
"""Opens a connection to one place behind the proxy."""

_BYTES = 65_536


def to_port(port: Callable[[], int]) -> Connect:
    """A port on loopback, asked for at each connection."""

    async def connect() -> Connected:
        return await asyncio.open_connection("127.0.0.1", port())

    return connect


def to_socket(path: str) -> Connect:
    """A Unix socket."""

    async def connect() -> Connected:
        return await asyncio.open_unix_connection(path)

    return connect


@dataclass(slots=True)
class Proxy:
    """Passes every connection on to one of some places, the next one each time; to another where nobody listens there.

    Args:
        places: that it passes on to.
        is_cut: nothing comes through: who connects is cut off at once.
        swallows: what is sent meanwhile goes nowhere, and nobody is told.
        delay_seconds: before each piece is passed on.
    """

    places: Sequence[Connect]
    is_cut: bool = False
    swallows: bool = False
    delay_seconds: float = 0.0
    port: int = 0
    connections: int = 0
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Listen on a free port of loopback."""
        server = await asyncio.start_server(self._passed_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut_now()

    def cut_now(self) -> None:
        """Cut what is open at this moment, in the middle of whatever it says."""
        for writer in list(self._open):
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Nobody gets through, and who is in the middle of something is cut off."""
        self.is_cut = True
        self.cut_now()
        try:
            yield
        finally:
            self.is_cut = False

    @contextlib.asynccontextmanager
    async def swallowing(self) -> AsyncIterator[None]:
        """Everything that is sent goes nowhere, without a word."""
        self.swallows = True
        try:
            yield
        finally:
            self.swallows = False
            self.cut_now()

    @contextlib.asynccontextmanager
    async def slow(self, seconds: float) -> AsyncIterator[None]:
        """Every piece takes so long."""
        self.delay_seconds = seconds
        try:
            yield
        finally:
            self.delay_seconds = 0.0

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            behind = None if self.is_cut else await self._behind()
            if behind is None:
                writer.transport.abort()
                return
            back, there = behind
            self._open.add(there)
            await asyncio.gather(self._pump(reader, there), self._pump(back, writer))
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            for each in filter(None, (writer, there)):
                self._open.discard(each)
                each.close()

    async def _behind(self) -> Connected | None:
        first = next(self._turn)
        for n in range(len(self.places)):
            with contextlib.suppress(OSError):
                return await self.places[(first + n) % len(self.places)]()
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if self.swallows:
                    continue
                writer.write(piece)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
