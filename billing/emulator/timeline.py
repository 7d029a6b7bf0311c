"""Time passing: by itself in the background, or by command, from one instant at which something happens to the next."""

import asyncio
import contextlib
from datetime import UTC, datetime

from billing.emulator.clock import EVERYBODY
from billing.emulator.execution import Execution
from billing.emulator.webhooks import Webhooks
from billing.emulator.world import World

_IDLE_SECONDS = 3600.0


class Timeline:
    """Runs what is due, each thing at its own instant."""

    def __init__(self, world: World, execution: Execution, webhooks: Webhooks) -> None:
        self._world = world
        self._execution = execution
        self._webhooks = webhooks
        self._changed = asyncio.Event()
        self._background: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Let time run in the background, and send what a kill left unsent."""
        self._webhooks.resume()
        self._webhooks.start()
        self._background = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Stop the clock."""
        if self._background is not None:
            self._background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._background
        await self._webhooks.aclose()
        self._world.store.close()

    def touch(self) -> None:
        """Something new may be due: the background looks again, queued webhooks leave."""
        self._webhooks.start()
        self._changed.set()

    async def advance(self, seconds: float, customer_uid: str | None) -> list[str]:
        """Move a clock forward, running what falls due on the way; answers the order numbers that were run.

        Each thing happens at its own instant, its webhook is attempted before the clock goes on.
        """
        executed: list[str] = []
        left = seconds
        while True:
            due = self._world.next_due(customer_uid)
            if due is None or due[0] > left:
                break
            step = max(0.0, due[0])
            left -= step
            self._world.clock.advance(step, customer_uid)
            executed += self._happen(due[1], due[2], due[3])
            self._webhooks.start()
            await self._webhooks.settled()
        self._world.clock.advance(left, customer_uid)
        self._world.store.flush()
        self._changed.set()
        return executed

    def describe(self, customer_uid: str | None = None) -> dict[str, object]:
        """The instant it is, and the next one at which something happens by itself."""
        now = self._world.clock.now(customer_uid)
        due = self._world.next_due(customer_uid)
        return {
            "now": _iso(now),
            "offset_seconds": self._world.clock.offset(EVERYBODY),
            "customers": self._world.clock.customers(),
            "next_due": _iso(self._world.clock.now(due[1] or None) + due[0]) if due else None,
        }

    def _happen(self, owner: str, kind: str, key: str) -> list[str]:
        """One thing happens; it is on disk before anybody hears of it."""
        at = self._world.clock.now(owner or None)
        self._world.pop_due(owner)
        with self._world.store.writing():
            if kind == "schedule":
                schedule = self._world.store["schedules"][key]
                # Run by a clock that was moved to the due instant: it is that instant, not a float beside it.
                self._execution.run_schedule(schedule, max(at, schedule["schedule_at"]))
                return [key]
            if kind == "late":
                late = self._world.store["late"][key]
                self._execution.approve_late(key, max(at, late["at"]))
                return [self._world.store["payments"][key]["merchant_uid"]]
            self._webhooks.send_again(key)
            return []

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            due = self._world.next_due()
            if due is not None and due[0] <= 0:
                self._happen(due[1], due[2], due[3])
                self._webhooks.start()
                await asyncio.sleep(0)
                continue
            wait = min(due[0], _IDLE_SECONDS) if due is not None else _IDLE_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
