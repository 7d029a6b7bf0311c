"""What was true before: look-ups that lag are answered from the rows as they were, never from made-up absence.

It lives in memory: after a restart, look-ups see what is there.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from billing.emulator.clock import EmulatorClock
from billing.emulator.store import Record, Store

KINDS = ("payments", "schedules", "keys")
"""What a look-up can be late about."""

MOST_CHANGES = 50_000
"""So many changes are remembered; what was before them is answered as it was then."""


class Change(NamedTuple):
    """One row as it was before a change (None when it was not there), and when that was, on its owner's clock."""

    number: int
    owner: str | None
    at: float
    kind: str
    key: str
    before: Record | None


class Past:
    """The last changes of payments, schedules and keys, and a look at the rows without them."""

    def __init__(self, store: Store, clock: EmulatorClock) -> None:
        self._store = store
        self._clock = clock
        self._changes: deque[Change] = deque(maxlen=MOST_CHANGES)
        self._number = 0
        store.watcher = self._note

    def mark(self) -> int:
        """A name for what is true now, for `as_at_mark`."""
        return self._number

    def as_at_mark(self, mark: int) -> Iterable[Change]:
        """What has changed since a mark, newest first."""
        for change in reversed(self._changes):
            if change.number <= mark:
                return
            yield change

    def as_of(self, seconds: float) -> Iterable[Change]:
        """What has changed within the last `seconds`, each row's on the clock of its own owner, newest first."""
        for change in reversed(self._changes):
            if change.at > self._clock.now(change.owner) - seconds:
                yield change

    @contextmanager
    def without(self, changes: Iterable[Change]) -> Iterator[None]:
        """Let whoever reads meanwhile see the rows as they were before these changes; the body must not await."""
        now = {kind: self._store.kinds[kind] for kind in KINDS}
        seen = {kind: dict(rows) for kind, rows in now.items()}
        for change in changes:
            if change.before is None:
                seen[change.kind].pop(change.key, None)
            else:
                seen[change.kind][change.key] = change.before
        self._store.kinds.update(seen)
        try:
            yield
        finally:
            self._store.kinds.update(now)

    def _note(self, before: Mapping[tuple[str, str], Record | None]) -> None:
        for (kind, key), record in before.items():
            if kind not in KINDS:
                continue
            known = record or self._store[kind].get(key) or {}
            owner = known.get("customer_uid")
            self._number += 1
            self._changes.append(Change(self._number, owner, self._clock.now(owner), kind, key, record))
