"""The access token: fetched once for any number of callers, and renewed before PortOne says it is over.

PortOne gives a token for 30 minutes (facts.md 1.5). Asked again before the end it returns the same token with the same
end; asked within the last minute it moves the end by five minutes. So a renewal makes sense only within that minute.
No wall clock of ours is read: how long a token lives is `expired_at - now`, both by PortOne's clock, and how much of
that has passed is counted by the monotonic clock. A local clock that is hours wrong changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from billing.portone.exchange import Answer, NoAnswer

RENEW_BEFORE_SECONDS = 30.0
"""Half of the last minute, in which PortOne extends the token; earlier it would hand out the same end again."""


@dataclass(frozen=True, slots=True, eq=False)
class Grant:
    """A token and what is known of its life; compared by identity, as PortOne may give the same text twice.

    Attributes:
        access_token: The secret.
        server_now: PortOne's time when it answered, unix seconds.
        renew_at: When to renew, by the monotonic clock.
    """

    access_token: str = field(repr=False)
    server_now: int
    renew_at: float

    @classmethod
    def read(cls, answer: Answer, asked_at: float) -> "Grant | None":
        """The grant in an answer of POST /users/getToken, None when there is none.

        Args:
            answer: HTTP 200, code 0.
            asked_at: Monotonic time before the request left: counting from there errs on the early side.
        """
        response = answer.response if isinstance(answer.response, dict) else {}
        token, now, expired_at = (response.get(name) for name in ("access_token", "now", "expired_at"))
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            return None
        try:
            server_now, end = int(now), int(expired_at)  # type: ignore[arg-type]  # None is caught below
        except (TypeError, ValueError, ArithmeticError):
            return None
        return cls(token, server_now, asked_at + (end - server_now) - RENEW_BEFORE_SECONDS)


class TokenKeeper:
    """Holds one grant and lets one fetch at a time fly for everybody who waits.

    Args:
        fetch: Asks PortOne once; returns the grant, or what came instead. It must bound its own time: no caller's
            deadline or cancellation stops a fetch that others wait for.
        monotonic: Seconds that only move forward.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Grant | Answer | NoAnswer]],
        monotonic: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._grant: Grant | None = None
        self._flight: asyncio.Task[Grant | Answer | NoAnswer] | None = None

    async def current(self) -> Grant | Answer | NoAnswer:
        """A grant that is not about to end, fetched when there is none; else what getToken came to."""
        grant = self._grant
        if grant is not None and self._monotonic() < grant.renew_at:
            return grant
        return await self.fresh()

    async def renew(self, refused: Grant) -> Grant | Answer | NoAnswer:
        """A grant other than `refused`: the one somebody has fetched since, or a new fetch."""
        grant = self._grant
        if grant is not None and grant is not refused:
            return grant
        return await self.fresh()

    async def fresh(self) -> Grant | Answer | NoAnswer:
        """The answer of one getToken, shared by all who ask while it is under way."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
            self._flight.add_done_callback(self._landed)
        return await asyncio.shield(self._flight)

    async def aclose(self) -> None:
        """Stop a fetch that is under way."""
        flight = self._flight
        if flight is not None:
            flight.cancel()
            await asyncio.gather(flight, return_exceptions=True)

    async def _fly(self) -> Grant | Answer | NoAnswer:
        granted = await self._fetch()
        if isinstance(granted, Grant):
            self._grant = granted
        return granted

    def _landed(self, _flight: asyncio.Task[Grant | Answer | NoAnswer]) -> None:
        self._flight = None
