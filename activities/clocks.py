"""What time it is, and for whom: one clock in production, one for each customer_uid where test clocks are moved.

A time that is not ours to decide comes with the order, from the workflow. The emulator's clocks are asked only outside
production; a PortOne that has none answers 404, and then there is one clock again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

import aiohttp
from temporalio.exceptions import ApplicationError

from billing.settings import Mode, Settings

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Clock:
    """An instant for everybody, and by how much some customer_uids are ahead of it."""

    everybody: datetime
    ahead: Mapping[str, timedelta] = field(default_factory=dict)

    def now(self, *customer_uids: str | None) -> datetime:
        """The instant it is for whoever these names belong to: a key and its subscription may have a clock each."""
        return self.everybody + max(
            (self.ahead.get(uid or "", timedelta(0)) for uid in customer_uids), default=timedelta(0)
        )

    def latest(self) -> datetime:
        """The latest instant that it is for anybody."""
        return self.everybody + max(self.ahead.values(), default=timedelta(0))


class Clocks:
    """Reads the clocks that PortOne's side lives by."""

    def __init__(self, settings: Settings) -> None:
        self._has_test_clocks = settings.mode is not Mode.PRODUCTION
        self._url = f"{settings.portone_url}/emulator/clock"

    async def read(self, at: datetime) -> Clock:
        """The clocks as they stand; `at` is the workflow's own instant, and the answer where there are no others.

        Raises:
            ApplicationError: the emulator does not answer; asked again by Temporal.
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
            raise ApplicationError(f"the test clocks do not answer: {type(error).__name__}", type="NoClock") from None
        offset = timedelta(seconds=told["offset_seconds"])
        return Clock(at + offset, {uid: timedelta(seconds=ahead) for uid, ahead in told["customers"].items()})
