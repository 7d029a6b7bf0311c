"""PortOne's paged lists."""

from collections.abc import Sequence
from typing import Any

from billing.emulator.envelope import bad_request
from billing.emulator.smart_routing import shown_super
from billing.emulator.store import Record

_HIDDEN = ("last_four", "notice_url", "installments", "channel_key", "tax_free", "vat_amount")

MOST_PER_PAGE = 1000
WINDOW_SECONDS = 93 * 24 * 3600
"""Three months, as the longest three in a row are."""


def paged(rows: Sequence[Record], page: int, limit: int) -> dict[str, Any]:
    """`{total, previous, next, list}`; `previous` and `next` are page numbers, 0 when there is none."""
    last = max(1, -(-len(rows) // limit))
    found = rows[(page - 1) * limit : page * limit]
    return {
        "total": len(rows),
        "previous": page - 1 if page > 1 else 0,
        "next": page + 1 if page < last else 0,
        "list": [shown(row) for row in found],
    }


def shown(record: Record) -> Record:
    """A record without what only the emulator knows; a super key in its own shape."""
    if "channels" in record:
        return shown_super(record)
    return {name: value for name, value in record.items() if name not in _HIDDEN}


def page_and_limit(query: Any, *, default: int = 20) -> tuple[int, int]:
    """`page` from 1 and `limit` up to 1,000.

    Raises:
        Refusal: 400 when one of them is out of range.
    """
    try:
        page, limit = int(query.get("page") or 1), int(query.get("limit") or default)
    except ValueError:
        raise bad_request("page, limit 파라메터가 올바르지 않습니다.") from None
    if page < 1 or not 1 <= limit <= MOST_PER_PAGE:
        raise bad_request("page, limit 파라메터가 올바르지 않습니다.")
    return page, limit


def window(query: Any, start_name: str, end_name: str) -> tuple[int, int]:
    """The window of a schedule list: both ends required, at most three months apart.

    Raises:
        Refusal: 400 otherwise.
    """
    try:
        start, end = int(query[start_name]), int(query[end_name])
    except (KeyError, ValueError):
        raise bad_request(f"{start_name}, {end_name} 파라메터가 누락되었습니다.") from None
    if end < start or end - start > WINDOW_SECONDS:
        raise bad_request("조회 기간은 최대 3개월입니다.")
    return start, end
