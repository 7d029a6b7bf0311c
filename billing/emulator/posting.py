"""One webhook on the wire: a POST, and what became of it.

A receiver may close a kept connection in the moment in which the next webhook is written to it. Such a webhook was not
received, and no answer will come: it is sent once more, on a connection of its own.
"""

from types import SimpleNamespace
from typing import Any

import aiohttp

_CONNECT_SECONDS = 10
_AGENT = "PortOne-Webhook (emulator)"


class Posting:
    """Connections to the receivers of webhooks, kept between two of them.

    Args:
        parallel: How many webhooks leave side by side.
    """

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def post(self, url: str, data: bytes, content_type: str, *, seconds: float) -> tuple[int, str | None]:
        """Send one webhook; answers the HTTP status and None, or 0 and the name of the error.

        A kept connection that ends without a byte of answer proves nothing of the receiver: the same webhook goes out
        once more on a new connection, whose outcome is the webhook's.
        """
        if self._kept is None or self._fresh is None:
            self._kept = _session(aiohttp.TCPConnector(limit=self._parallel))
            self._fresh = _session(aiohttp.TCPConnector(limit=self._parallel, force_close=True))
        seen = SimpleNamespace(reused=False)
        sending: dict[str, Any] = {
            "data": data,
            "headers": {"Content-Type": content_type, "User-Agent": _AGENT},
            "timeout": aiohttp.ClientTimeout(total=seconds, connect=_CONNECT_SECONDS),
            "allow_redirects": False,
        }
        try:
            try:
                return await _exchange(self._kept, url, sending | {"trace_request_ctx": seen})
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not (seen.reused and _unanswered(error)):
                    raise
            return await _exchange(self._fresh, url, sending)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return 0, type(error).__name__

    async def aclose(self) -> None:
        """Close every connection."""
        for session in (self._kept, self._fresh):
            if session is not None:
                await session.close()


async def _exchange(session: aiohttp.ClientSession, url: str, sending: dict[str, Any]) -> tuple[int, None]:
    async with session.post(url, **sending) as answer:
        await answer.read()
        return answer.status, None


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_reuse)
    return aiohttp.ClientSession(connector=connector, trace_configs=[trace])


async def _note_reuse(_session: object, context: Any, _params: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.reused = True


def _unanswered(error: Exception) -> bool:
    """Whether nothing came back: what came of an answer is the error's message, which is otherwise a text.

    Of a reset nobody can say; it counts as nothing, since a webhook may come twice.
    """
    return not isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.message, str)
