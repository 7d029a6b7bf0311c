"""How long a clock that is being moved is waited for: as long as it goes on, and not for ever."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

ADVANCE_SECONDS = 300.0
"""So long, in real time, a clock that is being moved may stand: what has not gone on by then never does.

How long a whole move takes is no measure: a charge that is refused for good is sent and looked for a hundred times, and
a worker that keeps no run in memory reads the whole history again for each.
"""
LONGEST_ADVANCE_SECONDS = 1800.0
"""So long a clock may move, however steadily: who is always a step further and never there is in a loop, too."""
_A_STEP_SECONDS = 0.5


@dataclass(slots=True)
class Patience:
    """How long a clock is waited for that is being moved: as long as it goes on faster than real time does.

    Args:
        still: seconds for which it may stand.
        longest: seconds that the whole move may take.
        real: the real time, in seconds.
    """

    still: float
    longest: float
    real: Callable[[], float] = time.monotonic
    _begun: float = field(init=False)
    _moved: float = field(init=False)
    _ahead: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Begin to wait."""
        self._begun = self._moved = self.real()

    def is_over(self, now: datetime) -> bool:
        """Whether a clock that shows this has stood for too long."""
        real = self.real()
        ahead = now.timestamp() - real
        if self._ahead is None or ahead > self._ahead + _A_STEP_SECONDS:
            self._ahead, self._moved = ahead, real
        return real - self._moved > self.still or real - self._begun > self.longest
