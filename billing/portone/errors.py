"""What can go wrong when PortOne is asked, as one family.

    PortOneError                      anything below: http_status, code, message
    ├── PortOneUnavailableError       no usable answer (timeout, broken connection, 5xx, 3xx, garbage): ask again later
    ├── PortOneRateLimitedError       HTTP 429: ask again after retry_after_seconds
    ├── PortOneRefusedError           PortOne understood and said no (code other than 0, HTTP 400, 405)
    └── PortOneAuthError              key or secret refused, or a second 401 after a fresh token: a person must act

Look-ups and calls that may safely be repeated raise these.
A call that moves money raises none of them: it answers one of four outcomes (`outcomes.decide`).
Both raise ValueError for an argument that must not reach the wire, before anything is sent.

The text of an error names the route, never the URL (it carries uids), and no value of the request.
"""


class PortOneError(Exception):
    """A call to PortOne came to nothing.

    Attributes:
        operation: Method and route template, such as `GET /payments/{imp_uid}`.
        http_status: The HTTP status, None when no answer came.
        code: PortOne's `code`, None when there was no readable envelope.
        message: what may be kept of PortOne's `message` (`billing.portone.text`), or what happened in our words.
    """

    def __init__(
        self, operation: str, *, http_status: int | None = None, code: int | None = None, message: str | None = None
    ) -> None:
        self.operation = operation
        self.http_status = http_status
        self.code = code
        self.message = message
        super().__init__(operation, http_status, code, message)

    def __str__(self) -> str:
        said = [f"HTTP {self.http_status}"] if self.http_status is not None else []
        if self.code is not None:
            said.append(f"code {self.code}")
        if self.message:
            said.append(self.message)
        return f"{self.operation}: {', '.join(said) or 'no answer'}"


class PortOneUnavailableError(PortOneError):
    """PortOne gave no usable answer; asking again later may."""


class PortOneRateLimitedError(PortOneError):
    """PortOne wants fewer calls (HTTP 429); `retry_after_seconds` is what it asked for, None when it did not say."""

    def __init__(
        self,
        operation: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        message: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(operation, http_status=http_status, code=code, message=message)
        self.retry_after_seconds = retry_after_seconds


class PortOneRefusedError(PortOneError):
    """PortOne understood the call and refused it; the same call again gets the same answer."""


class PortOneAuthError(PortOneError):
    """PortOne does not accept our key and secret, or refused a token it had just given."""
