"""The parts of a call that several methods share: pages, time ranges, batches of ids, paths with a status."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from billing.domain.merchant_uid import is_valid_merchant_uid
from billing.domain.money import Money
from billing.portone.requests import unix_seconds, wire_number

MAX_IDS = 100
"""Ids that GET /payments takes at once (facts.md 2.8)."""

MAX_LIMIT = 1000
"""Rows that PortOne gives on one page."""

Query = tuple[tuple[str, str], ...]


def paged(page: int, limit: int | None = None) -> Query:
    """`page` and `limit` as PortOne wants them.

    Raises:
        ValueError: a page below 1, or a limit outside 1 to 1000.
    """
    if page < 1:
        raise ValueError("page counts from 1")
    if limit is None:
        return (("page", str(page)),)
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be 1 to {MAX_LIMIT}")
    return (("page", str(page)), ("limit", str(limit)))


def range_query(start_name: str, start: datetime | None, end_name: str, end: datetime | None) -> Query:
    """A range of time in unix seconds; an end that is None is left to PortOne.

    Raises:
        ValueError: a datetime without a time zone, or a start that is not before the end.
    """
    if start is not None and end is not None and unix_seconds(start) >= unix_seconds(end):
        raise ValueError("start must be before end")
    bounds = ((start_name, start), (end_name, end))
    return tuple((name, str(unix_seconds(moment))) for name, moment in bounds if moment is not None)


def in_batches(ids: Sequence[tuple[str, str]]) -> Iterator[Query]:
    """`ids` in queries of at most 100; none for no ids.

    Raises:
        ValueError: an empty id.
    """
    if not all(uid for _, uid in ids):
        raise ValueError("an id must not be empty")
    rest = iter(ids)
    while batch := tuple(islice(rest, MAX_IDS)):
        yield batch


def with_status(route: str, merchant_uid: str, status: str | None) -> tuple[str, dict[str, str]]:
    """The route and its segments, with `/{payment_status}` when a status is given."""
    if status is None:
        return route, {"merchant_uid": merchant_uid}
    return f"{route}/{{payment_status}}", {"merchant_uid": merchant_uid, "payment_status": status}


def prepared_body(merchant_uid: str, amount: Money) -> dict[str, Any]:
    """The JSON of POST and PUT /payments/prepare.

    Raises:
        ValueError: a merchant_uid or an amount that PortOne could not charge.
    """
    if not is_valid_merchant_uid(merchant_uid):
        raise ValueError("merchant_uid must be 1 to 40 letters, digits, '_' or '-'")
    if amount.amount <= 0:
        raise ValueError("amount must be at least one minor unit")
    return {"merchant_uid": merchant_uid, "amount": wire_number(amount), "currency": amount.currency}
