"""The same merchant, operator and buyer, in a world of real processes: what does not answer is asked again."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from api.clock import NoTestClockError, SubscriptionClock
from billing import fail_points
from billing.temporal import connect
from chaos.patience import ADVANCE_SECONDS, LONGEST_ADVANCE_SECONDS, Patience
from chaos.processes.fleet import Fleet
from chaos.processes.patient import Patient
from chaos.recorder import Recorder
from chaos.stack import API_KEY, Stack
from chaos.world import StuckError, World
from workflows.contracts import BILLING_TASK_QUEUE

STOPPED_SECONDS = 3.0
"""So long a process stands still at a fail point, unless somebody else lets it go on."""

_AWAY = (RPCError, WorkflowQueryFailedError, aiohttp.ClientError, NoTestClockError, TimeoutError, RuntimeError, OSError)
"""What the move of a clock meets while a part is away; the next attempt goes on from where the clocks stand."""

_A_TRY_SECONDS = 90.0
"""After so long a move is begun anew: what it asked may have died with a process."""

_TAKEN = re.compile(r"(?P<file>.+)\.taken\.(?P<pid>\d+)")


async def _nobody(_scope: Any, _receive: Any, _send: Any) -> None:
    """Nothing is recorded here: PortOne is a process of its own."""


@dataclass(slots=True)
class ProcessWorld(World):
    """A world whose parts are processes that die.

    Args:
        fleet: of the processes.
    """

    fleet: Fleet = field(kw_only=True)
    taken: dict[str, int] = field(default_factory=dict)
    """Fail points that a process has come to: the file that armed each, and the process."""
    _armed: int = 0
    _watching: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def advance(self, customer_uid: str, **distance: float) -> None:
        """Move a subscriber's whole world, from here: an api that dies takes its own advance with it.

        Raises:
            StuckError: it does not come to rest.
        """
        moved = timedelta(**distance)
        target = await self.now(customer_uid) + moved
        patience = Patience(ADVANCE_SECONDS, LONGEST_ADVANCE_SECONDS)
        while True:
            with contextlib.suppress(*_AWAY):
                async with asyncio.timeout(_A_TRY_SECONDS):
                    clock = SubscriptionClock(self.stack.temporal, self.fleet.emulator_url, customer_uid)
                    if await clock.advance_to(target) >= target:
                        break
            if patience.is_over(await self.now(customer_uid)):
                raise StuckError(f"{customer_uid} does not come to rest on its way to {target.isoformat()}")
            await asyncio.sleep(0.2)
        with contextlib.suppress(*_AWAY):
            await self._others_follow(customer_uid, moved)

    # -------------------------------------------------------------- fail points

    def arm(self, point: str, act: str, *whom: str) -> list[str]:
        """Arm a fail point for a customer, by all names that they have there, or for anybody whose name is empty."""
        self._armed += 1
        return [fail_points.arm(self.fleet.points, point, act, name, self._armed).name for name in whom]

    def has_taken(self, armed: Sequence[str]) -> bool:
        """Whether a process has come to a point that was armed so."""
        self.look_at_points()
        return any(name in self.taken for name in armed)

    def disarm(self) -> None:
        """Take back what nobody has come to."""
        for path in Path(self.fleet.points).iterdir():
            if _TAKEN.fullmatch(path.name) is None:
                path.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def points_watched(self) -> AsyncIterator[None]:
        """See who came to a fail point, and let those go on that stand still there."""
        watcher = asyncio.create_task(self._watch_points())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, *self._watching, return_exceptions=True)
            for pid in self.taken.values():
                _go_on(pid)

    async def _watch_points(self) -> None:
        while True:
            self.look_at_points()
            await asyncio.sleep(0.1)

    def look_at_points(self) -> None:
        """Note who has come to which point."""
        for path in Path(self.fleet.points).iterdir():
            found = _TAKEN.fullmatch(path.name)
            if found is None or found["file"] in self.taken:
                continue
            pid = int(found["pid"])
            self.taken[found["file"]] = pid
            # The other names under which the same point was armed are not to strike once more.
            for twin in Path(self.fleet.points).glob(f"{found['file'].split('@')[0]}@*@{found['file'].split('@')[-1]}"):
                twin.unlink(missing_ok=True)
            if "@stop@" in found["file"]:
                task = asyncio.create_task(self._goes_on(pid))
                self._watching.add(task)
                task.add_done_callback(self._watching.discard)

    async def _goes_on(self, pid: int) -> None:
        await asyncio.sleep(STOPPED_SECONDS)
        _go_on(pid)


def _go_on(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def a_process_world(fleet: Fleet) -> AsyncIterator[ProcessWorld]:
    """Everybody who deals with a fleet; each asks again where a part is away."""
    async with contextlib.AsyncExitStack() as exits:
        api = await exits.enter_async_context(
            httpx.AsyncClient(
                base_url=fleet.url,
                transport=Patient(),
                headers={"Authorization": f"Bearer {API_KEY}"},
                timeout=60,
                trust_env=False,
            )
        )
        emulator = await exits.enter_async_context(
            httpx.AsyncClient(base_url=fleet.emulator_url, transport=Patient(), timeout=60, trust_env=False)
        )
        stack = Stack(
            temporal=await connect(fleet.address),
            task_queue=BILLING_TASK_QUEUE,
            api=api,
            emulator=emulator,
            recorder=Recorder(_nobody, lambda _: 0.0),
            database_url=fleet.database_url,
        )
        world = ProcessWorld(stack, fleet=fleet)
        async with world.points_watched():
            yield world
