"""The emulator on a port of its own."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI


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
    """
    config = uvicorn.Config(app, host=host, port=port, access_log=False, log_level="warning", proxy_headers=False)
    if bound is None:
        bound = config.bind_socket()
    else:
        host = bound.getsockname()[0]
    try:
        address = f"http://{host}:{bound.getsockname()[1]}"
        await _Server(config, lambda: listens(address)).serve(sockets=[bound])
    finally:
        bound.close()
