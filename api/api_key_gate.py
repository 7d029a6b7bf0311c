"""Who calls `/v1` is asked before anything else: before the route is looked for, and before a body is read."""

from collections.abc import Sequence

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import Problem, problem_response
from api.security import require_api_key

GUARDED = "/v1"


class ApiKeyGate:
    """Answers 401 to whatever begins with `/v1` and shows no key, also where there is no such route."""

    def __init__(self, app: ASGIApp, *, keys: Sequence[str]) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may pass."""
        if scope["type"] == "http" and _is_guarded(scope["path"]):
            try:
                require_api_key(Request(scope), self._keys)
            except Problem as problem:
                await problem_response(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_guarded(path: str) -> bool:
    return path == GUARDED or path.startswith(f"{GUARDED}/")
