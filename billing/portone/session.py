"""A call as one of ours: with a token, one refresh on 401, and one deadline over all of it.

Nothing else is ever sent twice: Temporal retries, where the ledger knows what was sent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import httpx
from pydantic import SecretStr

from billing import fail_points
from billing.portone.exchange import Answer, Call, Exchange, NoAnswer, NoToken
from billing.portone.http import HttpEdge
from billing.portone.token import Grant, TokenKeeper

_GRANTING = "POST /users/getToken"


class Session:
    """Sends calls with a token that is kept fresh.

    Args:
        base_url: Where PortOne is.
        imp_key: REST API key.
        imp_secret: REST API secret; kept where it cannot be printed.
        timeout_seconds: From the start of a call to its last byte, token and refresh included.
        tier: Sub-merchant code.
        transport: Another httpx transport, for tests.
        monotonic: Seconds that only move forward; how much of a token's life has passed is read from it.

    Raises:
        ValueError: a base_url, tier or timeout that cannot be used.
    """

    def __init__(
        self,
        *,
        base_url: str,
        imp_key: str,
        imp_secret: str,
        timeout_seconds: float = 30.0,
        tier: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not timeout_seconds > 0:
            raise ValueError("timeout_seconds must be positive")
        self._timeout_seconds = timeout_seconds
        self._imp_key = SecretStr(imp_key)
        self._imp_secret = SecretStr(imp_secret)
        self._edge = HttpEdge(base_url, timeout_seconds=timeout_seconds, tier=tier, transport=transport)
        self._monotonic = monotonic
        self._tokens = TokenKeeper(self._fetch_token, monotonic)

    @property
    def base_url(self) -> str:
        """Where calls go."""
        return self._edge.base_url

    async def aclose(self) -> None:
        """Stop a token fetch that is under way and close all connections."""
        await self._tokens.aclose()
        await self._edge.aclose()

    async def call(self, call: Call) -> Exchange:
        """What came of `call`; sent again only after a 401, which executed nothing (reliability.md F07)."""
        if not fail_points.ARE_ON or call.method == "GET":
            return await self._call(call)
        names = call.names()
        fail_points.reach(f"before {call.operation}", *names)
        answer = await self._call(call)
        fail_points.reach(f"after {call.operation}", *names)
        return answer

    async def _call(self, call: Call) -> Exchange:
        deadline = self._deadline()
        grant = await _within(deadline, self._tokens.current())
        if not isinstance(grant, Grant):
            return NoToken(call.operation, grant)
        answer = await self._edge.send(call, token=grant.access_token, deadline=deadline)
        if not (isinstance(answer, Answer) and answer.http_status == HTTPStatus.UNAUTHORIZED):
            return answer
        renewed = await _within(deadline, self._tokens.renew(grant))
        if not isinstance(renewed, Grant):
            return NoToken(call.operation, renewed)
        return await self._edge.send(call, token=renewed.access_token, deadline=deadline)

    async def fresh_grant(self) -> Grant | NoToken:
        """The answer of a getToken made now, for PortOne's `now`."""
        grant = await _within(self._deadline(), self._tokens.fresh())
        return grant if isinstance(grant, Grant) else NoToken(_GRANTING, grant)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout_seconds

    async def _fetch_token(self) -> Grant | Answer | NoAnswer:
        key, secret = self._imp_key.get_secret_value(), self._imp_secret.get_secret_value()
        call = Call("POST", "/users/getToken", body={"imp_key": key, "imp_secret": secret}, secrets=(key, secret))
        asked_at = self._monotonic()
        answer = await self._edge.send(call, token=None, deadline=self._deadline())
        if isinstance(answer, Answer) and answer.http_status == HTTPStatus.OK and answer.code == 0:
            return Grant.read(answer, asked_at) or Answer(
                answer.operation, answer.http_status, trouble="an answer without a token"
            )
        return answer


async def _within(deadline: float, waiting: Awaitable[Grant | Answer | NoAnswer]) -> Grant | Answer | NoAnswer:
    try:
        async with asyncio.timeout_at(deadline):
            return await waiting
    except TimeoutError:
        return NoAnswer(_GRANTING, "no token within the deadline", sent=False)
