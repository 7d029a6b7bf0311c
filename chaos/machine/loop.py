"""An event loop in virtual time: when nothing is left to run, the clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any


class NothingHappensError(RuntimeError):
    """Somebody waits for what nobody will bring, and no timer is left."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs whatever is ready; `between` is called after each round, as Temporal looks at conditions after each task.

    Args:
        begun: what time it is at first.
    """

    def __init__(self, begun: datetime) -> None:
        self._begun, self._passed = begun, 0.0
        self.between: Callable[[], None] = lambda: None
        super().__init__(_Jumping(self))
        # Two timers a microsecond apart are due together: a float has no finer instants after some years.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Virtual seconds since it began."""
        return self._passed

    @property
    def now(self) -> datetime:
        """The virtual instant, UTC, to the microsecond."""
        return self._begun + timedelta(microseconds=round(self._passed * 1_000_000))

    def jump(self, seconds: float) -> None:
        """The next timer is so far away, and nothing is to be done before it."""
        self._passed += seconds

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # asyncio's own: one round of what is ready
        self.between()


class _Jumping(selectors.BaseSelector):
    """Waits for no file: to wait is to let the virtual time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, getattr(fileobj, "fileno", lambda: fileobj)(), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingHappensError("everybody waits, and no timer is left")
        if timeout > 0:
            self._loop.jump(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys
