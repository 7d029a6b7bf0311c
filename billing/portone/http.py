"""One HTTP request: a total deadline, a size cap, PortOne's envelope, and no word about it in any log.

The only module that touches the network. It returns values for whatever happens and raises nothing:
an exception of httpx carries the request, and the request may carry a card.
"""

import asyncio
import json
import logging
import re
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

import httpx

from billing.portone.echoes import Echoes
from billing.portone.exchange import Answer, Call, NoAnswer
from billing.portone.text import readable, without_echoes

# A connection that takes longer will not come; kept below the deadline so that it is known that nothing was sent.
_CONNECT_SECONDS = 10.0

# These alone prove that no byte of the request left: there was no connection to write it to.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

REFUSED = -1
"""The `code` with which PortOne passes on a PG's refusal (facts.md 1.6)."""

# PortOne's codes are small (facts.md 1.6); what is larger is a number of somebody else's.
_LARGEST_CODE = 9999

# Longer than this nobody is asked to wait; the next look comes within a day anyway.
_LONGEST_WAIT_SECONDS = 86_400.0

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}\Z")

_inside_request: ContextVar[bool] = ContextVar("portone_inside_request", default=False)

_LOGGERS_WITH_URLS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


class _HushedInside(logging.Filter):
    """Drops what httpx and httpcore would say about requests of this client; others' stay as configured."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or not _inside_request.get()


_HUSHED = _HushedInside()


class HttpEdge:
    """Sends calls to one PortOne, never following a redirect, a proxy variable or a netrc.

    Args:
        base_url: `https://api.iamport.kr`, or an emulator's; without query, fragment or user info.
        timeout_seconds: Bounds for the phases of a request; the total is the caller's `deadline`.
        tier: Sub-merchant code for the `Tier` header (facts.md 1.4).
        transport: Another httpx transport, for tests.

    Raises:
        ValueError: a base_url or tier that cannot be used.
    """

    def __init__(
        self, base_url: str, *, timeout_seconds: float, tier: str | None, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.base_url = _checked_base_url(base_url)
        connect = min(_CONNECT_SECONDS, timeout_seconds / 2)
        # Refusing compression keeps the cap honest: a small body cannot unpack into a large one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "gudok"}
        if tier is not None:
            headers["Tier"] = _checked_tier(tier)
        for name in _LOGGERS_WITH_URLS:
            logging.getLogger(name).addFilter(_HUSHED)
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(timeout_seconds, connect=connect, pool=connect),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def send(self, call: Call, *, token: str | None, deadline: float) -> Answer | NoAnswer:
        """Send `call` once and tell what came of it; never raises for what the network or PortOne does.

        Args:
            call: What to ask.
            token: Access token, None for getToken.
            deadline: In the event loop's time; headers, body and all gaps between them end there.
        """
        if asyncio.get_running_loop().time() >= deadline:
            return NoAnswer(call.operation, "the deadline had passed", sent=False)
        request = self._request(call, token)
        inside = _inside_request.set(True)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._receive(call, request)
        except TimeoutError:
            return NoAnswer(call.operation, "no answer within the deadline", sent=True)
        except _NEVER_SENT as error:
            return NoAnswer(call.operation, type(error).__name__, sent=False)
        except Exception as error:  # noqa: BLE001 - whatever a transport raises, the request may have been executed
            return NoAnswer(call.operation, type(error).__name__, sent=True)
        finally:
            _inside_request.reset(inside)

    def _request(self, call: Call, token: str | None) -> httpx.Request:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        content = call.content()
        if content is not None:
            headers["Content-Type"] = "application/json"
        url = self.base_url + call.path
        return self._client.build_request(
            call.method, url, params=list(call.query) or None, content=content, headers=headers
        )

    async def _receive(self, call: Call, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            body = await _read_capped(response, call.max_bytes)
        finally:
            await response.aclose()
        status = response.status_code
        retry_after = _retry_after_seconds(response.headers.get("Retry-After"), call.echoes)
        if body is None:
            return Answer(
                call.operation, status, retry_after_seconds=retry_after, trouble="a body that is too large or encoded"
            )
        return _opened(call, status, body, retry_after)


async def _read_capped(response: httpx.Response, max_bytes: int) -> bytes | None:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            return None
    return bytes(body)


def _opened(call: Call, status: int, body: bytes, retry_after: float | None) -> Answer:
    """The envelope `{code, message, response}` of facts.md 1.1, amounts exact."""
    try:
        envelope = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return Answer(call.operation, status, retry_after_seconds=retry_after, trouble="a body that is not JSON")
    code = _code(envelope.get("code"), call.echoes) if isinstance(envelope, dict) else None
    if code is None:
        return Answer(call.operation, status, retry_after_seconds=retry_after, trouble="a body without a code")
    message = envelope.get("message")
    return Answer(
        call.operation,
        status,
        code=code,
        message=readable(message, call.echoes) if isinstance(message, str) else None,
        response=without_echoes(envelope.get("response"), call.echoes),
        retry_after_seconds=retry_after,
    )


def _code(value: Any, echoes: Echoes) -> int | None:
    """The envelope's code; a number that is none of PortOne's, or that we sent, is a refusal like any other."""
    if isinstance(value, str) and _WHOLE_NUMBER.match(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return REFUSED if abs(value) > _LARGEST_CODE or echoes.holds_number(abs(value)) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _retry_after_seconds(value: str | None, echoes: Echoes) -> float | None:
    if value is None or not _WHOLE_NUMBER.match(value) or echoes.holds(value):
        return None
    return min(float(value), _LONGEST_WAIT_SECONDS) if float(value) >= 0 else None


def _checked_base_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment or url.userinfo:
        raise ValueError("base_url must be http(s)://host[:port][/path] and nothing else")
    return str(url).rstrip("/")


def _checked_tier(tier: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", tier) is None:
        raise ValueError("tier must be 1 to 40 letters or digits")
    return tier
