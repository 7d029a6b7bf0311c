"""One request to PortOne: a total deadline, a size cap, the envelope, and nothing followed or retried.

Temporal retries; two retry engines are how double charges happen.
"""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx

from billing.portone.errors import PortOneRateLimitedError, PortOneUnavailableError

MAX_ANSWER_BYTES = 1024 * 1024
"""A page of 1,000 schedules is about half of it."""

_SAFE_SEGMENT = re.compile(r"[A-Za-z0-9_.:@-]{1,120}\Z")

# httpx logs every URL at INFO, and URLs carry customer_uids.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Envelope:
    """PortOne's envelope (facts.md 1.1): `code` 0 means that the request was understood and done."""

    code: int
    message: str | None
    response: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer; `envelope` is None when the body is not PortOne's `{code, message, response}`."""

    http_status: int
    envelope: Envelope | None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request got no complete answer; `sent` is False only when it is certain that nothing left this machine."""

    sent: bool
    words: str


class Http:
    """Sends requests below one base URL."""

    def __init__(
        self, base_url: str, *, timeout_seconds: float, transport: httpx.AsyncBaseTransport | None, tier: str | None
    ) -> None:
        self._deadline_seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            timeout=httpx.Timeout(timeout_seconds, connect=min(10.0, timeout_seconds)),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
            headers={"Accept": "application/json", "User-Agent": "gudok", **({"Tier": tier} if tier else {})},
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Answer | NoAnswer:
        """Send one request and read its whole answer within the deadline."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = None
        if body is not None:
            content = encode_json(body)
            headers["Content-Type"] = "application/json"
        try:
            async with asyncio.timeout(self._deadline_seconds):
                request = self._client.build_request(
                    method, path, content=content, params=dict(query) if query else None, headers=headers
                )
                return await self._exchange(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return NoAnswer(sent=False, words=f"PortOne cannot be reached ({type(error).__name__})")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
            return NoAnswer(sent=True, words=f"PortOne's answer was lost ({type(error).__name__})")

    async def _exchange(self, request: httpx.Request) -> Answer | NoAnswer:
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    return NoAnswer(sent=True, words="PortOne's answer is larger than 1 MiB")
        finally:
            await response.aclose()
        return Answer(response.status_code, _envelope(bytes(body)), _seconds(response.headers.get("Retry-After")))


def segment(value: str) -> str:
    """A value as one path segment.

    Raises:
        ValueError: it could leave its place in the path (httpx itself would fold `..`; reliability.md P8).
    """
    if not _SAFE_SEGMENT.match(value) or ".." in value:
        raise ValueError("an identifier has characters that do not belong in a path")
    return quote(value, safe="")


def looked_up(answer: Answer | NoAnswer) -> tuple[int, Envelope]:
    """The status and envelope of a question that may simply be asked again.

    Raises:
        PortOneUnavailableError: there was no usable answer.
    """
    if isinstance(answer, NoAnswer):
        raise PortOneUnavailableError(answer.words)
    if answer.http_status == httpx.codes.TOO_MANY_REQUESTS:
        raise PortOneRateLimitedError(answer.retry_after_seconds)
    if answer.http_status >= httpx.codes.INTERNAL_SERVER_ERROR or answer.envelope is None:
        raise PortOneUnavailableError("PortOne gave no usable answer", http_status=answer.http_status)
    return answer.http_status, answer.envelope


def encode_json(body: Mapping[str, Any]) -> bytes:
    """JSON in which an amount is a number, never a string.

    A Decimal of at most 15 digits survives the trip through float to the digit, since repr gives the shortest one.
    """
    return json.dumps(body, default=_exact, ensure_ascii=False, allow_nan=False).encode()


def _exact(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} does not belong in a request")


def _envelope(body: bytes) -> Envelope | None:
    try:
        parsed = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or type(parsed.get("code")) is not int:
        return None
    message = parsed.get("message")
    return Envelope(parsed["code"], message if isinstance(message, str) else None, parsed.get("response"))


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
