"""The outermost layer: every request has an id, every error is one problem document and one line in the log."""

import secrets
import string
import traceback

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, problem_response
from api.failures import internal_error, problem_of, shown

HEADER = "X-Request-Id"
_LENGTH = 20
_FRAMES_LOGGED = 30


class RequestBoundary:
    """Names each request in the `X-Request-Id` of its answer, and answers what nobody else has.

    An error is logged once, with that id, its type and where it arose, never with its message: that may quote what was
    sent, and what was sent may be a card.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer 503 where something is away, 500 where we failed."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, begun = new_request_id(), False

        async def named(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, named)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
                problem = problem_of(error)
                _log(error, problem, request_id, scope["method"])
                if not begun:
                    await problem_response(problem or internal_error(request_id))(scope, receive, named)
                # An answer that broke off in the middle is left open: the server closes the connection.


def new_request_id() -> str:
    """An id of letters alone, which nothing that looks for card numbers could take for one."""
    return "req_" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LENGTH))


def _log(error: Exception, problem: Problem | None, request_id: str, method: str) -> None:
    say = structlog.get_logger().bind(request_id=request_id, method=method)
    if problem is not None:
        say.warning("a request could not be answered", code=problem.code, error=_name(error), words=shown(error))
        return
    say.error("a request failed", error=_name(error), words=shown(error), where=_where(error))


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _where(error: BaseException) -> list[str]:
    """The frames of the error and of what it arose from, innermost last, as file, line and function."""
    frames: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        lines = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(seen.__traceback__)]
        frames = [*lines, _name(seen), *frames]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return frames[-_FRAMES_LOGGED:]
