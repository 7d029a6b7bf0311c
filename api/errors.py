"""Errors as RFC 9457 problem documents with a stable `code`; they name the field and never echo what was sent."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is not what was asked for. `extra` members are added to the document."""

    def __init__(self, status: int, code: str, detail: str, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra | ({"errors": [{"field": field, "message": detail}]} if field else {})


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = "application/problem+json"


TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    402: "Payment declined",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Timed out",
    409: "Conflict",
    413: "Too large",
    422: "Invalid request",
    500: "Internal error",
    503: "Unavailable",
}


CODES = {404: "not_found", 405: "method_not_allowed", 408: "body_timeout", 413: "body_too_large"}
"""Codes of what the framework, or the layers around it, refuse."""


def problem_response(problem: Problem) -> ProblemResponse:
    """The document of a problem."""
    document = {
        "type": f"urn:gudok:problem:{problem.code}",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.extra,
    }
    return ProblemResponse(document, problem.status, _HEADERS.get(problem.status))


_HEADERS = {
    401: {"WWW-Authenticate": 'Bearer realm="gudok"'},
    # What is left of the body is not waited for.
    408: {"Connection": "close"},
}


def install_error_handlers(app: FastAPI) -> None:
    """Replace the framework's answers, whose default 422 would echo a card number (reliability.md P8)."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_of_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        detail = TITLES.get(error.status_code, "The request was refused")
        answer = problem_response(Problem(error.status_code, CODES.get(error.status_code, "error"), detail))
        # Such as `Allow`, which goes with every 405.
        answer.headers.update(error.headers or {})
        return answer


def _of_validation(errors: Sequence[Any]) -> Problem:
    """The fields that are wrong and why, without their values: pydantic's own messages may quote them."""
    named = [{"field": _field(error["loc"]), "message": _words(error)} for error in errors]
    if any(error["type"] == "json_invalid" for error in errors):
        return Problem(400, "malformed_json", "The body is not JSON")
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in named[:5])
    problem = Problem(422, "invalid_request", detail)
    problem.extra = {"errors": named}
    return problem


def _field(loc: Sequence[str | int]) -> str:
    parts = [field_name(str(part)) for part in loc if part not in ("body", "query", "path", "header", "[key]")]
    return ".".join(parts) or "body"


def field_name(part: str) -> str:
    """A name the caller chose is shown only when it looks like a name: it may be a card number."""
    return part if _NAME.match(part) and not _DIGITS.search(part) else "?"


_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
_DIGITS = re.compile(r"[0-9]{4}")


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not known",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "finite_number": "must be a finite number",
}


def _words(error: Any) -> str:
    kind = error["type"]
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "value_error":
        # Our own validators' words, which never hold the value.
        return str(error["ctx"]["error"]) if "ctx" in error else "is not valid"
    limits = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
    if kind in limits:
        return f"must be {kind.replace('_', ' ')} {error['ctx'][limits[kind]]}"
    if kind in ("string_too_long", "string_too_short"):
        limit = error["ctx"].get("max_length") or error["ctx"].get("min_length")
        return f"is too {'long' if kind == 'string_too_long' else 'short'}: the limit is {limit} characters"
    if kind in ("enum", "literal_error"):
        return f"must be one of {error['ctx']['expected']}"
    return "is not valid"
