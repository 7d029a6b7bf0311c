"""PortOne's envelope: `{code, message, response}`, `message` null on success, `response` null on failure."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

# Pattern of `code` (facts.md 1.6): 1 is a rule of PortOne's own, -1 a refusal of the PG, 404 or 401.
RULE, REFUSED = 1, -1
DRIP_BYTES = 16


class Refusal(Exception):  # noqa: N818 - it is PortOne's answer, not a failure of this program
    """What PortOne answers instead of doing what was asked."""

    def __init__(self, message: str, *, code: int = RULE, http_status: int = 200) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.http_status = http_status


class EnvelopeResponse(JSONResponse):
    """A JSON answer with the charset PortOne sends."""

    media_type = "application/json; charset=UTF-8"


def done(response: Any, *, http_status: int = 200) -> EnvelopeResponse:
    """The answer to what was done."""
    return EnvelopeResponse({"code": 0, "message": None, "response": response}, http_status)


def refused(refusal: Refusal) -> EnvelopeResponse:
    """The answer to what was not done."""
    content = {"code": refusal.code, "message": refusal.message, "response": None}
    # The odd header name is PortOne's (facts.md 1.2).
    headers = {"WWW-Authorize": "iamport"} if refusal.http_status == HTTPStatus.UNAUTHORIZED else None
    return EnvelopeResponse(content, refusal.http_status, headers)


def not_found(message: str) -> Refusal:
    """HTTP 404 with code -1, as observed for unknown payments."""
    return Refusal(message, code=REFUSED, http_status=404)


def bad_request(message: str) -> Refusal:
    """HTTP 400, as the schema has it for lists, PUT schedule, reschedule and retry."""
    return Refusal(message, http_status=400)


class LostAnswer(Response):
    """An answer of which the client never gets all: the connection ends in the middle of the body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Promise more than is sent; the server then has to cut the connection."""
        headers = [(b"content-type", b"application/json; charset=UTF-8"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"code":', "more_body": True})
        raise ConnectionAbortedError("the answer is lost on purpose")


class SlowAnswer(Response):
    """An answer that comes in small pieces, evenly over some seconds."""

    def __init__(self, answer: Response, seconds: float) -> None:
        body = bytes(answer.body)
        self._pieces = [body[start : start + DRIP_BYTES] for start in range(0, len(body), DRIP_BYTES)]
        self._pause = seconds / max(1, len(self._pieces))
        super().__init__(body, answer.status_code, dict(answer.headers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the head at once, then piece by piece."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await asyncio.sleep(self._pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
