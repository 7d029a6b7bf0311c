"""A bare workflow of a cycle's shape, on the same Temporal server: what the orchestration alone costs.

A period is a call that registers, a timer that is the deadline, a signal that ends the wait, a call that looks, and a
call that writes. Here the calls do nothing, and the workflow runs outside the sandbox. `python -m bench.bare ADDRESS`
is its worker.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, TypedDict

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.worker import PollerBehaviorSimpleMaximum, UnsandboxedWorkflowRunner, Worker

from bench.figures import REPOSITORY

TASK_QUEUE = "bare"
_READY = "ready"
_CALLERS = 64

Handle = WorkflowHandle[Any, Any]


class _Call(TypedDict):
    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


CALL = _Call(start_to_close_timeout=timedelta(seconds=60), retry_policy=RetryPolicy(maximum_attempts=3))


@activity.defn
async def nothing(number: int) -> int:
    """Do nothing."""
    return number


@activity.defn
async def told(what: str) -> None:
    """Do nothing, and let the process that measures know: its pipe costs the server nothing."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


@workflow.defn
class BareCycles:
    """Registers, waits for a signal or an hour, looks, writes; again and again until it is told to end."""

    def __init__(self) -> None:
        self._reported = 0
        self._settled = 0
        self._ends = False

    @workflow.run
    async def run(self) -> int:
        """Live until the end is asked for; answers how many periods were settled."""
        while not self._ends:
            await workflow.execute_activity(told, "registered", **CALL)
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._ends or self._reported > self._settled, timeout=timedelta(hours=1)
                )
            if self._ends:
                break
            await workflow.execute_activity(nothing, self._settled, **CALL)
            await workflow.execute_activity(told, "written", **CALL)
            self._settled += 1
        return self._settled

    @workflow.signal
    def payment_reported(self, _number: int) -> None:
        """A period's payment was reported."""
        self._reported += 1

    @workflow.signal
    def end(self) -> None:
        """End at the next wake."""
        self._ends = True


@workflow.defn
class BareStart:
    """As many calls as a start by card makes, and an update that waits for the last of them."""

    def __init__(self) -> None:
        self._opened = False

    @workflow.run
    async def run(self, calls: int) -> None:
        """Call, and wait like a subscription that has begun."""
        for number in range(calls):
            await workflow.execute_activity(nothing, number, **CALL)
        self._opened = True
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: False, timeout=timedelta(hours=1))

    @workflow.update
    async def first_outcome(self) -> bool:
        """Answer once it has begun."""
        await workflow.wait_condition(lambda: self._opened)
        return self._opened


class Bare:
    """Drives bare workflows on a server whose bare worker runs."""

    def __init__(self, temporal: Client, worker: asyncio.subprocess.Process) -> None:
        self._temporal = temporal
        self._worker = worker
        self._serial = 0
        self._told: Counter[str] = Counter()
        self._changed = asyncio.Event()

    @property
    def pid(self) -> int:
        """The worker's process."""
        return self._worker.pid

    async def listen(self) -> None:
        """Hear what the worker says, until it ends."""
        assert self._worker.stdout is not None
        async for line in self._worker.stdout:
            self._told[line.decode().strip()] += 1
            self._changed.set()

    async def begin(self, count: int) -> list[Handle]:
        """So many runs, each of which has registered its first period and waits for it."""
        self._told.clear()
        gate = asyncio.Semaphore(_CALLERS)

        async def one() -> Handle:
            async with gate:
                return await self._temporal.start_workflow(BareCycles.run, id=self._id("cycles"), task_queue=TASK_QUEUE)

        handles = list(await asyncio.gather(*(one() for _ in range(count))))
        await self._all("registered", count)
        return handles

    async def settle(self, handles: Sequence[Handle]) -> tuple[float, float]:
        """Report the first period's payment to all of them at once.

        Answers the seconds until all have written it down, and until all have registered the next one.
        """
        gate, begun = asyncio.Semaphore(_CALLERS), time.monotonic()
        self._told.clear()

        async def one(handle: Handle) -> None:
            async with gate:
                await handle.signal(BareCycles.payment_reported, 1)

        await asyncio.gather(*(one(handle) for handle in handles))
        await self._all("written", len(handles))
        written = time.monotonic() - begun
        await self._all("registered", len(handles))
        return written, time.monotonic() - begun

    async def end(self, handles: Sequence[Handle]) -> None:
        """Let them end."""
        for handle in handles:
            await handle.signal(BareCycles.end)
        for handle in handles:
            await handle.result()

    async def start(self, calls: int) -> float:
        """One bare start; answers the seconds until its update was answered."""
        begun = time.monotonic()
        handle = await self._temporal.start_workflow(BareStart.run, calls, id=self._id("start"), task_queue=TASK_QUEUE)
        await handle.execute_update(BareStart.first_outcome)
        return time.monotonic() - begun

    def _id(self, what: str) -> str:
        self._serial += 1
        return f"bare-{what}/{self._serial}"

    async def _all(self, what: str, count: int) -> None:
        while self._told[what] < count:
            self._changed.clear()
            await self._changed.wait()


@contextlib.asynccontextmanager
async def running_bare(temporal: Client, address: str) -> AsyncIterator[Bare]:
    """A bare worker, a process of its own on the same server, until the block ends."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", address, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    bare = Bare(temporal, worker)
    try:
        assert worker.stdout is not None
        assert (await worker.stdout.readline()).decode().strip() == _READY
        listening = asyncio.create_task(bare.listen())
        yield bare
    finally:
        worker.terminate()
        await worker.wait()
    await listening


async def work(address: str) -> None:
    """Be the worker, until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Worker(
        await Client.connect(address),
        task_queue=TASK_QUEUE,
        workflows=[BareCycles, BareStart],
        activities=[nothing, told],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=4_000,
        workflow_task_poller_behavior=PollerBehaviorSimpleMaximum(10),
        activity_task_poller_behavior=PollerBehaviorSimpleMaximum(10),
    ):
        sys.stdout.write(f"{_READY}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
    # The SDK's own threads still end; Python must not be taken down around them.
    os._exit(0)
