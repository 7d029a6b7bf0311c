"""Reads the clocks that PortOne's side lives by.

The emulator's clocks are asked only outside production; a PortOne that has none answers 404, and then there is one
clock again.
"""

from datetime import datetime, timedelta
from http import HTTPStatus

import aiohttp

from billing.domain.clock import Clock
from billing.settings import Mode, Settings

_SECONDS = 10


class ClocksAwayError(Exception):
    """The test clocks do not answer; nobody knows what time it is for whom."""


class Clocks:
    """The clocks of one PortOne."""

    def __init__(self, settings: Settings) -> None:
        self._has_test_clocks = settings.mode is not Mode.PRODUCTION
        self._url = f"{settings.portone_url}/emulator/clock"

    async def read(self, at: datetime) -> Clock:
        """The clocks as they stand; `at` is the caller's own instant, and the answer where there are no others.

        Raises:
            ClocksAwayError: the emulator does not answer.
        """
        if not self._has_test_clocks:
            return Clock(at)
        try:
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self._url) as answer:
                if answer.status == HTTPStatus.NOT_FOUND:
                    return Clock(at)
                answer.raise_for_status()
                told = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClocksAwayError(f"the test clocks do not answer: {type(error).__name__}") from None
        offset = timedelta(seconds=told["offset_seconds"])
        return Clock(at + offset, {uid: timedelta(seconds=ahead) for uid, ahead in told["customers"].items()})
