"""The access token (POST /users/getToken): one fetch for any number of callers, refreshed before its end.

PortOne hands the same token to everybody until it expires, so its remaining life is `expired_at` minus the server's own
`now`; this machine's clock may be wrong (facts.md 1.5).
"""

import asyncio
import time
from datetime import UTC, datetime

from pydantic import SecretStr

from billing.portone.errors import PortOneAuthError, PortOneUnavailableError
from billing.portone.http import Http, looked_up

REFRESH_SECONDS_BEFORE_END = 90
"""More than the minute under which PortOne prolongs a token, so that a charge never starts on a dying one."""

_OK = 200


class TokenKeeper:
    """Holds the token, and fetches one when there is none that will last."""

    def __init__(self, http: Http, imp_key: str, imp_secret: SecretStr) -> None:
        self._http = http
        self._imp_key = imp_key
        self._imp_secret = imp_secret
        self._fetching = asyncio.Lock()
        self._token: str | None = None
        self._fresh_until = 0.0
        self._server_offset_seconds = 0.0

    async def token(self, *, instead_of: str | None = None) -> str:
        """A token that will last; `instead_of` names one that PortOne has just refused.

        Raises:
            PortOneAuthError: the key or secret is wrong.
            PortOneUnavailableError: PortOne gave no usable answer.
        """
        async with self._fetching:
            if self._token is None or self._token == instead_of or time.monotonic() >= self._fresh_until:
                self._token = None
                self._token = await self._fetch()
            return self._token

    async def server_now(self) -> datetime:
        """PortOne's clock, as of the last token."""
        await self.token()
        return datetime.fromtimestamp(time.time() + self._server_offset_seconds, UTC)

    async def _fetch(self) -> str:
        body = {"imp_key": self._imp_key, "imp_secret": self._imp_secret.get_secret_value()}
        status, envelope = looked_up(await self._http.send("POST", "/users/getToken", body=body))
        response = envelope.response
        if status != _OK or envelope.code != 0 or not isinstance(response, dict):
            raise PortOneAuthError("PortOne refused the REST API key or secret", http_status=status, code=envelope.code)
        try:
            token, now, expired_at = str(response["access_token"]), int(response["now"]), int(response["expired_at"])
        except (KeyError, TypeError, ValueError):
            raise PortOneUnavailableError("PortOne's token answer cannot be read", http_status=status) from None
        self._server_offset_seconds = now - time.time()
        self._fresh_until = time.monotonic() + max(0, expired_at - now - REFRESH_SECONDS_BEFORE_END)
        return token
