"""How a careful caller asks a service whose processes are being killed: again, where that can do nothing twice."""

import asyncio
import time

import httpx

AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 90.0
"""So long a part may be away: it is started again at once, and on a busy machine that takes its time."""

AWAY = frozenset({502, 503, 504})
IN_PROGRESS = "request_in_progress"


class Patient(httpx.AsyncBaseTransport):
    """Asks again until somebody answers: what only reads, what carries an Idempotency-Key, and what never left.

    A 503 to what only reads, and a 409 that says that the same request is being done, are no answers yet.

    Args:
        seconds: for which it asks.
    """

    def __init__(self, seconds: float = PATIENCE_SECONDS) -> None:
        self._seconds = seconds
        self._edge = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
        self.unanswered = 0
        """How often nobody had answered."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer what came in the end.

        Raises:
            httpx.ReadTimeout: nobody answered for all of the time.
        """
        until = time.monotonic() + self._seconds
        reads = request.method in ("GET", "DELETE")
        while True:
            never_left = False
            try:
                answer = await self._edge.handle_async_request(request)
                await answer.aread()
                if not (reads and answer.status_code in AWAY) and IN_PROGRESS not in answer.text:
                    return answer
                if time.monotonic() > until:
                    return answer
            except httpx.TransportError as error:
                self.unanswered += 1
                never_left = isinstance(error, httpx.ConnectError)
            if time.monotonic() > until or not (reads or never_left or "Idempotency-Key" in request.headers):
                raise httpx.ReadTimeout("nobody answered", request=request)
            await asyncio.sleep(AGAIN_SECONDS)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._edge.aclose()
