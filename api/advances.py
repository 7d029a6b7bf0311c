"""Advances of test clocks that go on after the request that asked for them, one at a time for each subscription."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

import structlog
from temporalio.client import Client

from api.clock import NoTestClockError, Step, SubscriptionClock
from billing.settings import Mode, Settings

STEPS_SHOWN = 100
"""How many of the latest steps of an advance are kept."""

_PORTONE = ("iamport.kr", "portone.io")


class ClockStatus(StrEnum):
    """Stripe's words for the state of a test clock."""

    READY = "ready"
    ADVANCING = "advancing"
    INTERNAL_FAILURE = "internal_failure"


@dataclass(slots=True)
class Advance:
    """One advance: from where, to where, how many steps it has made, and the latest of them."""

    customer_uid: str
    start: datetime
    target: datetime
    status: ClockStatus = ClockStatus.ADVANCING
    steps: int = 0
    charges: int = 0
    latest: deque[Step] = field(default_factory=lambda: deque(maxlen=STEPS_SHOWN))
    failure: str | None = None

    def note(self, step: Step) -> None:
        """One step has been made, and everything in it has settled."""
        self.steps += 1
        self.charges += len(step.charged)
        self.latest.append(step)


class Advances:
    """The advances of one api process; where a world stands is kept by Temporal and the emulator, not here.

    An advance that ends with the process leaves the world between two steps, or within one that the next advance
    completes before anything else.
    """

    def __init__(self, temporal: Client, portone_url: str) -> None:
        self._temporal = temporal
        self._portone_url = portone_url
        self._newest: dict[str, Advance] = {}
        self._moving: dict[str, asyncio.Task[None]] = {}

    def newest(self, customer_uid: str) -> Advance | None:
        """The newest advance of a subscription, under way or ended."""
        return self._newest.get(customer_uid)

    def begin(self, customer_uid: str, start: datetime, target: datetime) -> Advance:
        """Begin to move, and return at once; the caller has seen that nothing else moves this subscription."""
        advance = Advance(customer_uid, start, target)
        self._newest[customer_uid] = advance
        self._moving[customer_uid] = asyncio.create_task(self._move(advance))
        return advance

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Stop whatever moves when the block ends."""
        try:
            yield
        finally:
            moving = list(self._moving.values())
            for task in moving:
                task.cancel()
            await asyncio.gather(*moving, return_exceptions=True)

    async def _move(self, advance: Advance) -> None:
        clock = SubscriptionClock(self._temporal, self._portone_url, advance.customer_uid)
        try:
            await clock.advance_to(advance.target, advance.note)
            advance.status = ClockStatus.READY
        except Exception as error:  # noqa: BLE001 - whatever it is, the resource says so and time stands still
            advance.status, advance.failure = ClockStatus.INTERNAL_FAILURE, _words(error)
            structlog.get_logger().warning("a test clock stopped on the way", error=type(error).__name__)
        finally:
            del self._moving[advance.customer_uid]


def why_refused(settings: Settings) -> str | None:
    """Why no test clock may be moved with these settings; None when one may."""
    if settings.mode is Mode.PRODUCTION:
        return "test clocks exist in local and test mode only"
    host = urlsplit(settings.portone_url).hostname or ""
    if any(host == real or host.endswith(f".{real}") for real in _PORTONE):
        return "GUDOK_PORTONE_URL is PortOne itself: its clock is everybody's"
    return None


def _words(error: Exception) -> str:
    if isinstance(error, NoTestClockError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no worker answered for two minutes"
    return f"{type(error).__name__}; time stands where the last step left it"
