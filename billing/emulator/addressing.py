"""Addresses as clients write them, with a slash too many: behind a base URL that ends in one, or at the end.

PortOne answers such calls; a framework's redirect would cost a client its body, or its token.
"""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")


class PlainAddresses:
    """Passes each request on with one slash between the parts of its path, and none at its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path, and nothing else."""
        if scope["type"] == "http":
            scope = {**scope, "path": _SLASHES.sub("/", scope["path"]).rstrip("/") or "/"}
        await self._app(scope, receive, send)
