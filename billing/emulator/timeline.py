"""Time passing: by itself in the background, or by command, from one instant at which something happens to the next."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

from billing.emulator.agenda import Due
from billing.emulator.clock import EVERYBODY
from billing.emulator.console import Desk, act_in_console
from billing.emulator.console_acts import ConsoleAct
from billing.emulator.envelope import Refusal
from billing.emulator.fault_rules import Faults
from billing.emulator.webhooks import Webhooks

_IDLE_SECONDS = 3600.0
# Instants are whole seconds as a rule, clocks are floats: this near is now.
_NOW_SECONDS = 0.001
# How long a clock waits, before it moves, for webhooks that are leaving already.
_LEAVING_SECONDS = 5.0
# After so many things that were due together, webhooks leave and calls are answered before the next.
_AT_ONCE = 32

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Passage:
    """One advance under way: whose clock, what was run meanwhile, which webhooks that sent."""

    whose: str | None
    executed: list[str] = field(default_factory=list)
    sending: set[asyncio.Task[None]] = field(default_factory=set)


class Timeline:
    """Runs what is due, each thing at its own instant."""

    def __init__(self, desk: Desk, webhooks: Webhooks, faults: Faults) -> None:
        self._desk = desk
        self._world = desk.world
        self._execution = desk.execution
        self._faults = faults
        self._webhooks = webhooks
        self._passages: list[_Passage] = []
        self._background: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Let time run in the background, and send what a kill left unsent."""
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

    def catch_up(self, customer_uid: str | None = None) -> None:
        """Run what is due by now, of one customer_uid or of everybody, and begin to send the webhooks of it."""
        while (due := self._world.next_due(customer_uid)) is not None and due.in_seconds <= _NOW_SECONDS:
            self._happen(due)

    async def _catch_up_in_turns(self, customer_uid: str | None = None) -> None:
        """The same, with room for everything else in between."""
        done = 0
        while (due := self._world.next_due(customer_uid)) is not None and due.in_seconds <= _NOW_SECONDS:
            self._happen(due)
            done += 1
            if done % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def advance(self, seconds: float, customer_uid: str | None) -> list[str]:
        """Move a clock forward, running what falls due on the way; answers the order numbers that were run.

        Each thing happens at its own instant; the webhooks of an instant are attempted before the clock goes on, and
        those that are leaving already are waited for a moment before it moves at all.
        """
        if leaving := self._webhooks.leaving(customer_uid):
            # Not for ever: whoever moves the clock may be the receiver that has not answered yet.
            await asyncio.wait(leaving, timeout=_LEAVING_SECONDS)
        passage = _Passage(customer_uid)
        self._passages.append(passage)
        left = seconds
        try:
            while (due := self._world.next_due(customer_uid)) is not None and due.in_seconds <= left:
                step = max(0.0, due.in_seconds)
                left -= step
                self._world.advance(step, customer_uid)
                await self._catch_up_in_turns(customer_uid)
                await _attempted(passage)
            self._world.advance(left, customer_uid)
            self._world.store.flush()
            await _attempted(passage)
        finally:
            self._passages.remove(passage)
        return passage.executed

    def act_by_rule(self, rule: str, act: ConsoleAct, *, planned: str | None = None) -> None:
        """Do what a rule has a person do; what the console refuses is noted with the rule."""
        store = self._world.store
        try:
            with store.writing():
                act_in_console(self._desk, act)
                self._faults.note(rule, None, planned=planned)
        except Refusal as refusal:
            with store.writing():
                self._faults.note(rule, refusal.message, planned=planned)

    def describe(self, customer_uid: str | None = None) -> dict[str, object]:
        """The instant it is, and the next one at which something happens by itself."""
        due = self._world.next_due(customer_uid)
        return {
            "now": _iso(self._world.clock.now(customer_uid)),
            "offset_seconds": self._world.clock.offset(EVERYBODY),
            "next_due": _iso(due.at) if due else None,
        }

    def _happen(self, due: Due) -> None:
        """One thing happens; it is on disk before anybody hears of it."""
        at = max(due.at, self._world.clock.now(due.owner or None))
        self._world.take(due)
        executed: list[str] = []
        match due.kind:
            case "act":
                planned = self._world.store["acts"][due.key]
                self.act_by_rule(planned["rule"], ConsoleAct.model_validate(planned["act"]), planned=due.key)
            case "call":
                # What a late call would have been refused, nobody hears of any more.
                with contextlib.suppress(Refusal), self._world.store.writing():
                    self._world.calls.pop(due.key)()
            case _:
                with self._world.store.writing():
                    executed = self._execute(due, at)
        sending = self._webhooks.start()
        for passage in self._passages:
            if passage.whose in (None, due.owner):
                passage.executed += executed
                passage.sending.update(sending)

    def _execute(self, due: Due, at: float) -> list[str]:
        """The order numbers that were run."""
        match due.kind:
            case "schedule":
                self._execution.run_schedule(self._world.store["schedules"][due.key], at, path="schedule")
                return [due.key]
            case "late":
                return [self._execution.approve_late(due.key, at)["merchant_uid"]]
            case "recovery":
                return self._execution.recover(due.key, at)
            case _:
                self._webhooks.send_again(due.key)
                return []

    async def _run(self) -> None:
        while True:
            self._world.changed.clear()
            try:
                await self._catch_up_in_turns()
            except Exception:  # noqa: BLE001 - one broken schedule, struck off, must not stop the clock for the others
                _log.exception("something that was due could not happen")
                continue
            due = self._world.next_due()
            wait = min(due.in_seconds, _IDLE_SECONDS) if due is not None else _IDLE_SECONDS
            # Not wait_for: on 3.11 it loses a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait)):
                    await self._world.changed.wait()


async def _attempted(passage: _Passage) -> None:
    while passage.sending:
        sending, passage.sending = passage.sending, set()
        await asyncio.gather(*sending, return_exceptions=True)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
