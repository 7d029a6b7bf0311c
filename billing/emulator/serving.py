"""The emulator on a port of its own."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from billing.emulator.store import StateLostError


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, listens: Callable[[], None]) -> None:
        super().__init__(config)
        self._listens = listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._listens()


async def serve(
    app: FastAPI, *, host: str, port: int, listens: Callable[[str], None], bound: socket.socket | None = None
) -> None:
    """Serve until the process is told to end; `listens` is told the address once it answers there.

    Port 0 takes any free one; a socket that is `bound` already is served instead of host and port.

    Raises:
        SystemExit: the port is taken.
        StateLostError: the state file is no longer the one that was opened; nothing was written to it since.
    """
    lost: asyncio.Event = app.state.account.world.store.lost
    config = uvicorn.Config(app, host=host, port=port, access_log=False, log_level="warning", proxy_headers=False)
    if bound is None:
        bound = config.bind_socket()
    else:
        host = bound.getsockname()[0]
    try:
        address = f"http://{host}:{bound.getsockname()[1]}"
        server = _Server(config, lambda: listens(address))
        watching = asyncio.create_task(_end_when(lost, server))
        await server.serve(sockets=[bound])
        watching.cancel()
    finally:
        bound.close()
    if lost.is_set():
        raise StateLostError(f"{app.state.account.settings.state_file} is no longer the file that was opened")


async def _end_when(lost: asyncio.Event, server: uvicorn.Server) -> None:
    await lost.wait()
    server.should_exit = True
