"""What PortOne has and the emulator has not: each operation says so by its name."""

from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from billing.emulator.account import TheAccount
from billing.emulator.envelope import REFUSED, Refusal
from billing.emulator.operations import OPERATIONS, Operation

NOT_SERVED = "gudok 에뮬레이터가 제공하지 않는 API입니다: {method} {path}"
"""The stable text of the refusal; `path` is the operation's, with the names of its parts in braces."""


def unserved(served: Collection[tuple[str, str]]) -> Iterable[Operation]:
    """The operations beside those that are served, by method and path."""
    return (one for one in OPERATIONS if (one.method, one.path) not in served)


def routes_of(operations: Iterable[Operation]) -> APIRouter:
    """A route for each operation that answers HTTP 501 in PortOne's envelope, to those who have a token."""
    router = APIRouter(include_in_schema=False)
    for one in operations:
        router.add_api_route(one.path, _say(one), methods=[one.method], name=f"{one.method} {one.path}")
    return router


def _say(operation: Operation) -> Any:
    async def say(request: Request, account: TheAccount) -> Response:
        def work(_body: dict[str, Any]) -> Any:
            message = NOT_SERVED.format(method=operation.method, path=operation.path)
            raise Refusal(message, code=REFUSED, http_status=HTTPStatus.NOT_IMPLEMENTED)

        return await account.perform(request, "unserved", work)

    return say
