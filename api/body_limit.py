"""No body is read that is larger than the limit, or that is longer on its way, whether declared or in chunks."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, problem_response

TOO_LARGE = 413
TIMED_OUT = 408


class BodyLimit:
    """Answers 413, before anything of a body that is declared too large is read, and 408 for one that does not come.

    `seconds` is for the whole body, from when it is first asked for: one that drips keeps nobody waiting for ever.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that is counted and timed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            problem = Problem(TOO_LARGE, "body_too_large", f"at most {self._max_bytes} bytes")
            await problem_response(problem)(scope, receive, send)
            return
        await self._app(scope, self._limited(receive), send)

    def _limited(self, receive: Receive) -> Receive:
        seen, until, whole = 0, 0.0, False

        async def limited() -> Message:
            nonlocal seen, until, whole
            if whole:
                # Nothing but the end of the connection comes now, and that may take as long as the answer does.
                return await receive()
            until = until or asyncio.get_running_loop().time() + self._seconds
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(TIMED_OUT) from None
            whole = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(TOO_LARGE)
            return message

        return limited
