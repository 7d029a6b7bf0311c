"""Request bodies: JSON, or a form whose brackets nest, as PortOne reads both."""

import json
import re
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from billing.emulator.envelope import bad_request

_PART = re.compile(r"\[([^\]]*)\]")


async def read_body(request: Request) -> dict[str, Any]:
    """The body as one object; an empty body is an empty one.

    Raises:
        Refusal: it is neither JSON nor a form.
    """
    raw = await request.body()
    if not raw.strip():
        return {}
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = await request.form()
        return nest([(key, value) for key, value in form.multi_items() if not isinstance(value, UploadFile)])
    try:
        body = json.loads(raw)
    except ValueError:
        raise bad_request("요청 본문을 읽을 수 없습니다.") from None
    if not isinstance(body, dict):
        raise bad_request("요청 본문을 읽을 수 없습니다.")
    return body


def nest(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[0][b]=c` as `{"a": [{"b": "c"}]}`, `a[]=x&a[]=y` as `{"a": ["x", "y"]}`."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        head, *path = [name.split("[", 1)[0], *_PART.findall(name)]
        node, key = root, head
        for part in path:
            node, key = node.setdefault(key, {}), part or str(len(node.get(key, {})))
        node[key] = value
    lists: dict[str, Any] = _lists(root)
    return lists


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isdecimal() for key in node):
        return [_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _lists(value) for key, value in node.items()}


def number(value: Any, name: str) -> int | float:
    """A number from JSON or from a form field.

    Raises:
        Refusal: it is missing or not a number.
    """
    if isinstance(value, bool) or value is None:
        raise bad_request(f"{name} 파라메터가 올바르지 않습니다.")
    try:
        parsed = float(value)
    except (TypeError, ValueError):
        raise bad_request(f"{name} 파라메터가 올바르지 않습니다.") from None
    return int(parsed) if parsed == int(parsed) else parsed


def strings(value: Any) -> list[str]:
    """One string or a list of them, as a list."""
    if value is None or value == "":
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
