"""One question to PortOne and what came back, as plain values that nothing has judged yet."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from billing.portone.echoes import Echoes, own_words

MAX_SEGMENT = 128
"""Characters of one path segment; PortOne's longest uid has 80."""

MAX_BODY_BYTES = 1024 * 1024
"""More than this is not an answer of PortOne's (reliability.md F11), unless its call asked for a long list."""

MAX_LIST_BYTES = 16 * 1024 * 1024
"""What a page of a thousand rows may have: sixteen thousand bytes each, for the sake of somebody's `custom_data`."""

_FORBIDDEN_IN_PATH = frozenset("/\\%?#")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, safe to send: its path segments are checked and quoted when it is built.

    Attributes:
        method: HTTP method.
        route: Path template, such as `/payments/{imp_uid}`.
        segments: Values for the template.
        query: Query parameters in order; PortOne repeats `name[]` for arrays.
        body: JSON body; may hold card data, so it is never shown.
        secrets: Values that must not come back, in whatever way they are written.
        max_bytes: More of an answer is not read.
        echoes: Finds those secrets in what is answered.

    Raises:
        ValueError: a segment that could leave its place in the path.
    """

    method: str
    route: str
    segments: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    max_bytes: int = field(default=MAX_BODY_BYTES, repr=False)
    path: str = field(init=False, repr=False)
    echoes: Echoes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        quoted = {name: quote_segment(name, value) for name, value in self.segments.items()}
        object.__setattr__(self, "path", self.route.format_map(quoted))
        own = own_words(self.segments, self.body, [value for _, value in self.query])
        object.__setattr__(self, "echoes", Echoes(self.secrets, own))

    @property
    def operation(self) -> str:
        """Method and route template: what errors and logs may show."""
        return f"{self.method} {self.route}"

    def names(self) -> tuple[str, ...]:
        """The customers and orders that it is about, as far as it names them."""
        body = self.body or {}
        told = [*self.segments.values(), body.get("customer_uid"), body.get("merchant_uid"), body.get("imp_uid")]
        told += [each.get("merchant_uid") for each in body.get("schedules", ())]
        return tuple(name for name in told if isinstance(name, str))

    def content(self) -> bytes | None:
        """The body as JSON bytes, None when there is none."""
        if self.body is None:
            return None
        return json.dumps(self.body, ensure_ascii=False, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """PortOne, or something between us and it, answered.

    Attributes:
        operation: Of the call.
        http_status: The HTTP status.
        code: The envelope's `code`; None when the body is not PortOne's envelope (`trouble` says why).
        message: The envelope's `message`, made readable.
        response: The envelope's `response` as parsed JSON, numbers exact.
        retry_after_seconds: From Retry-After, in seconds.
        trouble: Why there is no envelope.
    """

    operation: str
    http_status: int
    code: int | None = None
    message: str | None = None
    response: Any = field(default=None, repr=False)
    retry_after_seconds: float | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The connection failed or the deadline passed.

    Attributes:
        operation: Of the call.
        trouble: What happened, such as `ReadTimeout`.
        sent: False only when it is certain that no byte of the request left.
    """

    operation: str
    trouble: str
    sent: bool


@dataclass(frozen=True, slots=True)
class NoToken:
    """No access token could be had, so the call itself was never sent; `cause` is what getToken came to."""

    operation: str
    cause: Answer | NoAnswer


Exchange = Answer | NoAnswer | NoToken


def quote_segment(name: str, value: str) -> str:
    """`value` as one path segment.

    Raises:
        ValueError: empty, too long, not printable, `.`, or holding `..`, a slash, a backslash, `%`, `?` or `#`
            (a proxy that decodes twice would make a slash of `%252f`). The value is not in the text.
    """
    if not 0 < len(value) <= MAX_SEGMENT:
        raise ValueError(f"{name} must be 1 to {MAX_SEGMENT} characters")
    if not value.isprintable() or not _FORBIDDEN_IN_PATH.isdisjoint(value) or value == "." or ".." in value:
        raise ValueError(f"{name} must not hold control characters, '/', '\\', '%', '?', '#' or '..'")
    return quote(value, safe="")
