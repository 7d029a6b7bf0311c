"""Routes that refuse what they would otherwise ignore, or read in one of two ways: unknown names, doubtful JSON."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope

from api.errors import Problem, field_name

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_EMPTY: tuple[Any, ...] = ({}, None)


class StrictRoute(APIRoute):
    """A route of ours: PortOne's webhooks are not, since PortOne may add to what it sends.

    A query parameter that it does not know is refused, since a filter that is not applied answers with everybody. A key
    that a JSON object has twice is refused, since of two amounts nobody can say which was meant. JSON is UTF-8.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that FastAPI would build, behind these checks."""
        handle = super().get_route_handler()
        known = _query_names(self.dependant)
        takes_body = self.body_field is not None

        async def strict(request: Request) -> Response:
            _refuse_unknown(request, known)
            read = _ReadRequest(request.scope, request.receive)
            if takes_body:
                await read.read_strictly()
            elif request.method not in _WITHOUT_BODY:
                await _refuse_a_body(read)
            return await handle(read)

        return strict


class _ReadRequest(Request):
    """A request whose JSON was read by `read_json`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._read: Any = None

    async def read_strictly(self) -> None:
        """Read the body, where it says that it is JSON; FastAPI refuses the others."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        raw = await self.body()
        if raw and (content_type == "application/json" or content_type.endswith("+json")):
            self._read = read_json(raw)

    async def json(self) -> Any:
        """What was read."""
        return self._read


def _query_names(dependant: Dependant) -> frozenset[str]:
    own = frozenset(field.alias for field in dependant.query_params)
    return own.union(*(_query_names(each) for each in dependant.dependencies))


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    unknown = sorted({field_name(name) for name in request.query_params if name not in known})
    twice = sorted({name for name in known if len(request.query_params.getlist(name)) > 1})
    if unknown:
        problem = Problem(422, "unknown_parameter", f"not a query parameter of this route: {', '.join(unknown)}")
        problem.extra = {"errors": [{"field": name, "message": "is not known"} for name in unknown]}
        raise problem
    if twice:
        raise Problem(422, "duplicate_parameter", f"given more than once: {', '.join(twice)}", field=twice[0])


async def _refuse_a_body(request: Request) -> None:
    raw = await request.body()
    if raw.strip() and read_json(raw) not in _EMPTY:
        raise Problem(422, "unexpected_body", "this route takes no body")


def read_json(raw: bytes) -> Any:
    """The one value that a body stands for.

    Raises:
        Problem: 400 for what is no JSON in UTF-8, 422 for a key that one object has twice.
    """
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_each_once)
    except UnicodeDecodeError:
        raise Problem(400, "malformed_json", "The body is not UTF-8") from None
    except (ValueError, RecursionError):
        raise Problem(400, "malformed_json", "The body is not JSON") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            name = field_name(key)
            raise Problem(422, "duplicate_key", f"{name} is given twice", field=name)
        found[key] = value
    return found
