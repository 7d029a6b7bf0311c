"""No body larger than the limit is read, whether its length is declared or it comes in chunks."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, problem_response

TOO_LARGE = 413


class BodyLimit:
    """Answers 413 as a problem document, before anything of a body that is declared too large is read."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            problem = Problem(TOO_LARGE, "body_too_large", f"at most {self._max_bytes} bytes")
            await problem_response(problem)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise HTTPException(TOO_LARGE)
            return message

        await self._app(scope, counted, send)
