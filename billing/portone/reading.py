"""The answer of a look-up as rows, "not there", or one error of the family in `errors`.

"Not there" is believed only in PortOne's own envelope: an HTML 404 of a proxy or of a wrong base URL proves nothing,
and absence is what a charge is sent again for.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import ValidationError

from billing.portone.errors import (
    PortOneAuthError,
    PortOneError,
    PortOneRateLimitedError,
    PortOneRefusedError,
    PortOneUnavailableError,
)
from billing.portone.exchange import Answer, Exchange, NoAnswer, NoToken
from billing.portone.models import Page, RowT, as_page

ReadT = TypeVar("ReadT")

_READABLE = frozenset({HTTPStatus.OK, HTTPStatus.MULTI_STATUS})
_TURNED_AWAY = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

NOTHING_THERE = 1
"""The `code` with which some calls say, at HTTP 200, that there is nothing (facts.md 1.2, 1.6)."""

NO_CHANNEL = "비인증결제모듈"
"""In the message of code 1 when the account has no channel for REST billing: says nothing about what was asked for."""


def is_absent(exchange: Exchange, *, absent_code: int | None = None) -> bool:
    """Whether PortOne itself says that there is no such thing.

    Args:
        exchange: What came back.
        absent_code: The code that says so at HTTP 200, where the call has one.
    """
    if not isinstance(exchange, Answer) or exchange.code is None or exchange.code == 0:
        return False
    if exchange.http_status == HTTPStatus.NOT_FOUND:
        return True
    if NO_CHANNEL in (exchange.message or ""):
        return False
    return exchange.http_status == HTTPStatus.OK and exchange.code == absent_code


def one(model: type[RowT], exchange: Exchange) -> RowT:
    """The row that was answered.

    Raises:
        PortOneError: no row, of the kind that says why.
    """
    return _read(exchange, model.model_validate)


def find(model: type[RowT], exchange: Exchange, *, absent_code: int | None = None) -> RowT | None:
    """The row that was answered, or None when PortOne says there is none.

    Raises:
        PortOneError: neither.
    """
    return None if is_absent(exchange, absent_code=absent_code) else one(model, exchange)


def rows(model: type[RowT], exchange: Exchange, *, absent_code: int | None = None) -> list[RowT]:
    """All rows that were answered, in an array, a page or alone; none when PortOne says there are none.

    Raises:
        PortOneError: neither.
    """

    def read(response: Any) -> list[RowT]:
        if isinstance(response, dict) and "list" not in response and "total" not in response:
            return [model.model_validate(response)]
        return list(Page[model].model_validate(as_page(response)).items)  # type: ignore[valid-type]

    return [] if is_absent(exchange, absent_code=absent_code) else _read(exchange, read)


def page(model: type[RowT], exchange: Exchange) -> Page[RowT]:
    """The page that was answered; an empty one when PortOne says there is nothing.

    Raises:
        PortOneError: neither.
    """
    if is_absent(exchange):
        return Page[RowT](items=())
    return _read(exchange, lambda response: Page[model].model_validate(as_page(response)))  # type: ignore[valid-type]


def error_of(exchange: Exchange) -> PortOneError:
    """The error that `exchange` is, for a call whose answer cannot be used."""
    if isinstance(exchange, NoAnswer):
        return PortOneUnavailableError(exchange.operation, message=exchange.trouble)
    if isinstance(exchange, NoToken):
        return _token_error(exchange.cause)
    said: dict[str, Any] = {
        "http_status": exchange.http_status,
        "code": exchange.code,
        "message": exchange.message or exchange.trouble,
    }
    if exchange.http_status == HTTPStatus.UNAUTHORIZED:
        return PortOneAuthError(exchange.operation, **said)
    if exchange.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        return PortOneRateLimitedError(exchange.operation, **said, retry_after_seconds=exchange.retry_after_seconds)
    # A status without PortOne's envelope may be a proxy's word: only PortOne itself can refuse for good.
    refused = exchange.code not in {None, 0} and exchange.http_status in _READABLE | _TURNED_AWAY
    if refused:
        return PortOneRefusedError(exchange.operation, **said)
    return PortOneUnavailableError(exchange.operation, **said)


def _token_error(cause: Answer | NoAnswer) -> PortOneError:
    """What a getToken came to: credentials are refused with 401, or with a code at 200 or 400 (facts.md 1.5)."""
    error = error_of(cause)
    if isinstance(error, PortOneRefusedError):
        return PortOneAuthError(error.operation, http_status=error.http_status, code=error.code, message=error.message)
    return error


def _read(exchange: Exchange, parse: Callable[[Any], ReadT]) -> ReadT:
    if not isinstance(exchange, Answer) or exchange.http_status not in _READABLE or exchange.code != 0:
        raise error_of(exchange)
    try:
        return parse(exchange.response)
    except ValidationError:
        pass
    # Raised out here: a validation error would come along as context, with the row in it.
    raise PortOneUnavailableError(
        exchange.operation, http_status=exchange.http_status, code=0, message="a response of another shape"
    )
