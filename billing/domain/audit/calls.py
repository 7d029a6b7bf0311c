"""Calls to PortOne: only those that this project makes, and a token for each half hour, not for each call."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from billing.domain.audit.books import Books
from billing.domain.audit.invariant import Leeways, Violation

_UID = r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,79}"
_ORDER = r"[A-Za-z0-9_.:@-]{1,80}"
_STATUS = r"(?:all|ready|paid|cancelled|failed)"

ROUTES = tuple(
    (method, re.compile(path, re.ASCII))
    for method, path in (
        ("POST", r"/users/getToken"),
        ("GET", r"/users/pg"),
        ("GET", r"/subscribe/customers"),
        ("GET", rf"/subscribe/customers/{_UID}"),
        ("POST", rf"/subscribe/customers/{_UID}"),
        ("DELETE", rf"/subscribe/customers/{_UID}"),
        ("GET", rf"/subscribe/customers/{_UID}/(?:payments|schedules)"),
        ("POST", r"/subscribe/payments/(?:onetime|again|schedule|unschedule)"),
        ("GET", r"/subscribe/payments/schedule"),
        ("GET", rf"/subscribe/payments/schedule/{_ORDER}"),
        ("PUT", rf"/subscribe/payments/schedule/{_ORDER}"),
        ("POST", rf"/subscribe/payments/schedule/{_ORDER}/(?:reschedule|retry)"),
        ("GET", rf"/subscribe/payments/schedule/customers/{_UID}"),
        ("GET", r"/payments"),
        ("GET", rf"/payments/{_ORDER}"),
        ("GET", rf"/payments/(?:find|findAll)/{_ORDER}(?:/{_STATUS})?"),
        ("GET", rf"/payments/status/{_STATUS}"),
        ("POST", r"/payments/cancel"),
        ("GET", rf"/payments/prepare/{_ORDER}"),
        ("POST", r"/payments/prepare"),
        ("PUT", r"/payments/prepare"),
    )
)
"""Every method and path that this project calls, the names in it as PortOne's callers may give them."""


def only_known_routes_are_called(books: Books, _leeways: Leeways) -> Iterator[Violation]:
    """PortOne receives no request but those that this project makes."""
    for (method, path), times in Counter(books.journal.requests if books.journal else ()).items():
        if not is_known(method, path):
            yield Violation(sentence=f"PortOne received {method} {path}, {times} times")


def is_known(method: str, path: str) -> bool:
    """Whether this project makes such a request; a query is no part of the path."""
    return any(method == known and pattern.fullmatch(path) for known, pattern in ROUTES)


def tokens_are_kept(books: Books, leeways: Leeways) -> Iterator[Violation]:
    """A token is asked for once in its life by each process, and once more for each that PortOne refused."""
    journal = books.journal
    if journal is None:
        return
    lives = max(1, math.ceil(journal.ran_for / leeways.token_life))
    most = journal.clients * (lives + journal.refused_tokens)
    if journal.tokens > most:
        yield Violation(sentence=f"{journal.tokens} tokens were asked for, and {most} are the most")
