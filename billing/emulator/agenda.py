"""What happens by itself, and when: found in logarithmic time although every customer_uid may have its own clock."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from billing.emulator.clock import EmulatorClock

NOBODY = ""
"""The owner of instants that belong to no customer_uid."""


@dataclass(frozen=True, slots=True)
class Due:
    """The next thing that happens by itself: in how many seconds, whose, at which instant of its owner, and what."""

    in_seconds: float
    owner: str
    at: float
    kind: str
    key: str


class Agenda:
    """Instants by owner; an entry that is no longer true is skipped when its turn comes.

    An owner's instants are a heap in the owner's own time. Over the owners lies a second heap, in everybody's time;
    it holds each owner's next instant, announced again whenever that becomes earlier.
    """

    def __init__(self, clock: EmulatorClock, still_true: Callable[[float, str, str], bool]) -> None:
        self._clock = clock
        self._still_true = still_true
        self._sequence = itertools.count()
        self._instants: dict[str, list[tuple[float, int, str, str]]] = {}
        self._owners: list[tuple[float, int, str]] = []
        self._announced: dict[str, tuple[float, int, str]] = {}

    def add(self, owner: str, at: float, kind: str, key: str) -> None:
        """Remember that something happens by itself at `at`, on its owner's clock."""
        heapq.heappush(self._instants.setdefault(owner, []), (at, next(self._sequence), kind, key))
        self.announce(owner)

    def announce(self, owner: str) -> None:
        """An owner's next instant, or its clock, has changed."""
        heap = self._true_ones(owner)
        if not heap:
            return
        entry = (heap[0][0] - self._clock.own_offset(owner), heap[0][1], owner)
        if self._announced.get(owner) != entry:
            self._announced[owner] = entry
            heapq.heappush(self._owners, entry)

    def next_of(self, owner: str) -> Due | None:
        """An owner's next instant."""
        heap = self._true_ones(owner)
        if not heap:
            return None
        at, _, kind, key = heap[0]
        return Due(at - self._clock.now(owner), owner, at, kind, key)

    def next_of_all(self) -> Due | None:
        """The next instant of anybody."""
        while self._owners:
            entry = self._owners[0]
            owner = entry[2]
            heap = self._true_ones(owner)
            announced = self._announced.get(owner) == entry
            if announced and heap and (heap[0][0] - self._clock.own_offset(owner), heap[0][1]) == entry[:2]:
                return self.next_of(owner)
            heapq.heappop(self._owners)
            if announced:
                del self._announced[owner]
                self.announce(owner)
        return None

    def take(self, due: Due) -> None:
        """Strike the next instant of an owner off: it is happening."""
        heapq.heappop(self._instants[due.owner])

    def _true_ones(self, owner: str) -> list[tuple[float, int, str, str]]:
        heap = self._instants.get(owner, [])
        while heap and not self._still_true(heap[0][0], heap[0][2], heap[0][3]):
            heapq.heappop(heap)
        return heap
