"""Stories: one named chain of mishaps each, with the promise that must outlive it."""

import asyncio
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.client import Client

from chaos.stack import a_stack
from chaos.world import StuckError, World

STORY_SECONDS = 300.0
"""So long, in real time, a story may take; the clocks in it have bounds of their own, which are shorter."""


class BrokenPromiseError(AssertionError):
    """What was promised is not so; the words say what came instead."""


def require(kept: bool, came: str) -> None:
    """Hold the product to its promise.

    Raises:
        BrokenPromiseError: it is not kept; `came` says what happened instead.
    """
    if not kept:
        raise BrokenPromiseError(came)


Tell = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Story:
    """One story: the row of the table that it stands for, what is promised, and how it goes."""

    name: str
    row: int
    promise: str
    tell: Tell
    settings: dict[str, Any] = field(default_factory=dict)
    emulator: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a story: `broken` is None when the promise held."""

    story: Story
    broken: str | None
    seconds: float
    lines: Sequence[str]

    @property
    def kept(self) -> bool:
        """Whether the promise held."""
        return self.broken is None


async def told(story: Story, temporal: Client) -> Told:
    """Let one story happen in a product of its own."""
    begun, broken = time.monotonic(), None
    with tempfile.TemporaryDirectory(prefix="gudok-chaos-") as folder:
        async with a_stack(temporal, Path(folder), emulator_settings=story.emulator, **story.settings) as stack:
            world = World(stack)
            try:
                async with asyncio.timeout(STORY_SECONDS):
                    await story.tell(world)
            except (BrokenPromiseError, StuckError) as error:
                broken = str(error)
            except TimeoutError:
                broken = f"the story did not end within {STORY_SECONDS:.0f} s"
            except Exception as error:  # noqa: BLE001 - a story that cannot be told is no promise kept
                broken = f"the story cannot be told: {error!r} {traceback.format_exc(limit=-2)}"
            await _end_what_runs(world)
    lines = [f"{call.at:%Y-%m-%d %H:%M:%S} {call.line()}" for call in world.journal.calls]
    return Told(story, broken, time.monotonic() - begun, lines)


async def _end_what_runs(world: World) -> None:
    """What two runs do to one another for ever would go on beside the next story."""
    async for run in world.stack.temporal.list_workflows('ExecutionStatus = "Running"'):
        if run.task_queue == world.stack.task_queue:
            handle = world.stack.temporal.get_workflow_handle(run.id, run_id=run.run_id)
            await asyncio.gather(handle.terminate("the story is over"), return_exceptions=True)
