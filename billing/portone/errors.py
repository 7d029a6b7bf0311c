"""What a look-up can raise. A call that moves money raises none of these for an answer: it has an outcome instead.

    PortOneError
    ├── PortOneUnavailableError   no usable answer: transport, deadline, 5xx, garbage; ask again
    │   └── PortOneRateLimitedError   HTTP 429; ask again after `retry_after_seconds`
    ├── PortOneRefusedError       a usable answer that says no: HTTP 4xx, or `code` other than 0
    └── PortOneAuthError          the REST API key or secret is wrong, or a fresh token was refused

No error carries a request body, a token or a URL: they may hold card data or secrets.
"""


class PortOneError(Exception):
    """PortOne did not answer as hoped; `http_status` and `code` are PortOne's own where there are any."""

    def __init__(self, words: str, *, http_status: int | None = None, code: int | None = None) -> None:
        super().__init__(words)
        self.http_status = http_status
        self.code = code


class PortOneUnavailableError(PortOneError):
    """There was no usable answer; the same question may be asked again."""


class PortOneRateLimitedError(PortOneUnavailableError):
    """PortOne asked for patience; nothing was executed."""

    def __init__(self, retry_after_seconds: float | None = None) -> None:
        super().__init__("PortOne answered 429", http_status=429)
        self.retry_after_seconds = retry_after_seconds


class PortOneRefusedError(PortOneError):
    """PortOne understood and said no."""


class PortOneAuthError(PortOneError):
    """The credentials are wrong; asking again will not help."""
