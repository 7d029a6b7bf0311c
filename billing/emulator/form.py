"""Request bodies: JSON, or a form whose brackets nest, as PortOne reads both; and lists in a query."""

import json
import math
import re
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import QueryParams

from billing.emulator.envelope import Refusal, bad_request

LAST_INSTANT = 253_402_300_799 - 24 * 3600
"""The last day of the year 9999."""

DEEPEST = 8

UNREADABLE = "요청 본문을 읽을 수 없습니다."

_PART = re.compile(r"\[([^\]]*)\]")


async def read_body(request: Request) -> dict[str, Any]:
    """The body as one object; an empty body is an empty one, and so is that of a GET, whatever it is.

    PHP writes an empty array as `[]` and nothing as `null`, also where there is nothing to say: both are empty bodies.

    Raises:
        Refusal: it is neither JSON nor a form, or no UTF-8.
    """
    raw = await request.body()
    if request.method == "GET" or not raw.strip():
        return {}
    try:
        if request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded"):
            text = raw.strip().decode()
            return nest(parse_qsl(text, keep_blank_values=True, errors="strict"))
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise bad_request(UNREADABLE) from None
    if body in ([], None):
        return {}
    if not isinstance(body, dict) or not _is_text(body):
        raise bad_request(UNREADABLE)
    return body


def listed(query: QueryParams, name: str) -> list[str]:
    """What a query lists under a name, as clients write lists: `name[]=`, `name[0]=`, or the bare name again and again.

    Numbers order what they name; what has none keeps its place behind them.
    """
    pattern = re.compile(rf"{re.escape(name)}(?:\[(\d{{0,9}})\])?", re.ASCII)
    found = [(match[1], value) for key, value in query.multi_items() if (match := pattern.fullmatch(key))]
    return [value for _, value in sorted(found, key=lambda one: int(one[0]) if one[0] else math.inf)]


def _is_text(body: dict[str, Any]) -> bool:
    """Whether it can be written: JSON can hold half of a surrogate pair, which no file and no answer can."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[0][b]=c` as `{"a": [{"b": "c"}]}`, `a[]=x&a[]=y` as `{"a": ["x", "y"]}`.

    Raises:
        Refusal: a name is used both as a value and as a container, or nests deeper than anything of PortOne's.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        node, key = root, name.split("[", 1)[0]
        parts = _PART.findall(name)
        for part in parts:
            node = node.setdefault(key, {})
            if not isinstance(node, dict) or len(parts) > DEEPEST:
                raise bad_request(UNREADABLE)
            key = part or str(len(node))
        node[key] = value
    lists: dict[str, Any] = _lists(root)
    return lists


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isdecimal() for key in node):
        return [_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _lists(value) for key, value in node.items()}


def require(body: dict[str, Any], *names: str, http_status: int = 200) -> None:
    """Make sure that a body has what a call cannot do without; an empty text is there.

    Raises:
        Refusal: code 1, in the words that clients have seen with HTTP 200.
    """
    missing = [name for name in names if body.get(name) is None]
    if missing:
        listed = json.dumps(missing, separators=(",", ":"))
        raise Refusal(f"{listed} 파라메터는 필수입니다.", http_status=http_status)


def number(value: Any, name: str) -> int | float:
    """A number from JSON or from a form field.

    Raises:
        Refusal: it is missing or not a number.
    """
    try:
        # `true` is no number, although Python takes it for one.
        parsed = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        parsed = math.nan
    if not math.isfinite(parsed):
        raise bad_request(f"{name} 파라메터가 올바르지 않습니다.")
    return int(parsed) if parsed == int(parsed) else parsed


def strings(value: Any) -> list[str]:
    """One string or a list of them, as a list."""
    if value is None or value == "":
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def objects(value: Any, name: str) -> list[dict[str, Any]]:
    """A list of objects, at least one.

    Raises:
        Refusal: it is something else.
    """
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise bad_request(f"{name} 파라메터가 누락되었습니다.")
    return value


def instant(value: Any, name: str) -> int:
    """A Unix time in seconds.

    Raises:
        Refusal: it is missing, not a number, or in no year that there is.
    """
    seconds = int(number(value, name))
    if not 0 <= seconds <= LAST_INSTANT:
        raise bad_request(f"{name} 파라메터가 올바르지 않습니다.")
    return seconds
