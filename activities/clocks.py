"""The clocks, as an activity reads them: a time that is not ours to decide comes with the order, from the workflow."""

from datetime import datetime

from temporalio.exceptions import ApplicationError

from billing import clocks
from billing.domain.clock import Clock


class Clocks(clocks.Clocks):
    """Reads the clocks that PortOne's side lives by."""

    async def read(self, at: datetime) -> Clock:
        """The clocks as they stand; `at` is the workflow's own instant, and the answer where there are no others.

        Raises:
            ApplicationError: the emulator does not answer; asked again by Temporal.
        """
        try:
            return await super().read(at)
        except clocks.ClocksAwayError as error:
            raise ApplicationError(str(error), type="NoClock") from None
