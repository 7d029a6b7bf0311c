"""Runs the workflows' own code in this process, over real activities, client, emulator and ledger, without Temporal.

Temporal is replaced by what the code sees of it: activities that are tried again by their retry policy, timers, `now`.
Time is virtual and belongs to the emulator's clock of one customer_uid, so timers and PortOne's schedules share it.
Nothing of PortOne is replaced. Between two calls, and whenever time passes, a harness may do something to the world.
"""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, RetryState
from temporalio.testing import ActivityEnvironment

from billing.emulator import EmulatorSettings, create_emulator
from billing.emulator.account import Account
from billing.ledger import Ledger
from billing.portone import PortOneClient
from billing.settings import Settings
from worker import activities_of
from workflows.unexpected_payment.contracts import ReportedFact

_RUNTIME = "__temporal_workflow_runtime"
"""Where `temporalio.workflow` looks for what it runs in: an attribute of the event loop."""

Between = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class World:
    """One emulated account, the client on it over ASGI, a ledger, and the activities over both, by name."""

    account: Account
    client: PortOneClient
    ledger: Ledger
    activities: dict[str, Callable[..., Coroutine[Any, Any, Any]]]
    sent: list[dict[str, str]] = field(default_factory=list)
    """The bodies of the webhooks that PortOne sent; whether and when they arrive is the harness's to say."""
    handed_on: set[str] = field(default_factory=set)
    """The payments that a workflow of their own would give back."""

    def now(self, customer_uid: str) -> datetime:
        """The instant it is for a key."""
        return datetime.fromtimestamp(self.account.world.clock.now(customer_uid), UTC)


@contextlib.asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """A fresh world, its ledger in a file of `folder`."""
    emulator = create_emulator(EmulatorSettings())
    settings = Settings(mode="test", database_url=f"sqlite:///{folder}/ledger.db", portone_url="http://portone.test")
    ledger = Ledger(settings.database_url.get_secret_value())
    await ledger.migrate()
    client = PortOneClient(
        base_url=settings.portone_url,
        imp_key=settings.portone_imp_key,
        imp_secret=settings.portone_imp_secret,
        transport=httpx.ASGITransport(emulator),
    )
    activities = {activity.__name__: activity for activity in activities_of(settings, client, ledger)}
    account: Account = emulator.state.account
    world = World(account, client, ledger, activities)

    async def report_facts(facts: Sequence[ReportedFact]) -> None:
        world.handed_on |= {fact.imp_uid for fact in facts}

    activities["report_facts"] = report_facts

    async def arrived(hook: dict[str, Any]) -> tuple[int, None]:
        world.sent.append(hook["body"])
        return 200, None

    # No socket is between PortOne and us here.
    account.webhooks._post = arrived  # type: ignore[method-assign]  # noqa: SLF001 - the one edge of the emulator
    try:
        yield world
    finally:
        await client.aclose()
        await account.timeline.aclose()
        await ledger.aclose()


@dataclass(frozen=True, slots=True)
class Info:
    """What a workflow may ask about its run."""

    workflow_id: str

    def is_continue_as_new_suggested(self) -> bool:
        """Never: nothing is written to a history here."""
        return False

    def get_current_history_length(self) -> int:
        """There is no history."""
        return 0

    def get_current_deployment_version(self) -> None:
        """There are no versions."""
        return


async def _nothing(_where: str) -> None:
    """Leave the world alone."""


@dataclass(slots=True)
class InProcess:
    """What `temporalio.workflow` runs in, for one workflow at a time on this event loop.

    Args:
        world: of all parts.
        customer_uid: whose clock is the workflow's.
        between: is awaited around every call and whenever time is about to pass, with what is about to happen.
        seed: of the workflow's own random numbers.
    """

    world: World
    customer_uid: str
    between: Between = _nothing
    seed: int = 0
    horizon: datetime | None = None
    calls: int = 0
    _poked: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.contextmanager
    def running(self) -> Any:
        """Let `temporalio.workflow` find this."""
        loop = asyncio.get_running_loop()
        setattr(loop, _RUNTIME, self)
        try:
            yield self
        finally:
            delattr(loop, _RUNTIME)

    # -------------------------------------------------------------- for the harness

    def poke(self) -> None:
        """Something was told to the workflow: whoever waits looks again."""
        self._poked.set()

    async def live_until(self, horizon: datetime) -> None:
        """Let time pass to `horizon`, and answer when the workflow has nothing more to do before it."""
        self.horizon = horizon
        self._idle.clear()
        self.poke()
        await self._idle.wait()

    # -------------------------------------------------------------- what temporalio.workflow asks for

    def workflow_time_ns(self) -> int:
        """By the clock of the key."""
        return int(self.world.account.world.clock.now(self.customer_uid) * 1_000_000_000)

    def workflow_info(self) -> Info:
        """Of the run."""
        return Info(f"subscription/{self.customer_uid}")

    def workflow_patch(self, _patch_id: str, **_options: Any) -> bool:
        """New code takes every patch."""
        return True

    def workflow_random(self) -> random.Random:
        """Of the run."""
        return random.Random(self.seed)

    def workflow_all_handlers_finished(self) -> bool:
        """Whoever placed an order waits for it outside."""
        return True

    def workflow_upsert_search_attributes(self, _attributes: object, **_options: Any) -> None:
        """Nobody searches."""

    def workflow_set_current_details(self, _details: str) -> None:
        """Nobody looks."""

    def workflow_start_activity(
        self, activity: Callable[..., Any], *arguments: Any, retry_policy: RetryPolicy, **_options: Any
    ) -> "asyncio.Task[Any]":
        """Do it, and again as its retry policy says."""
        return asyncio.create_task(self._activity(activity.__name__, arguments, retry_policy))

    async def workflow_sleep(self, duration: float, *, summary: str | None = None, **_options: Any) -> None:
        """Sleep in virtual time."""
        with contextlib.suppress(TimeoutError):
            await self._until(lambda: False, timedelta(seconds=duration), summary or "sleep")

    async def workflow_wait_condition(
        self, fn: Callable[[], bool], *, timeout: float | None, timeout_summary: str | None, **_options: Any
    ) -> None:
        """Wait in virtual time.

        Raises:
            TimeoutError: the time is up.
        """
        left = None if timeout is None else timedelta(seconds=timeout)
        await self._until(fn, left, timeout_summary or "wait")

    # -------------------------------------------------------------- how

    def _now(self) -> datetime:
        return self.world.now(self.customer_uid)

    async def _until(self, met: Callable[[], bool], left: timedelta | None, what: str) -> None:
        until = None if left is None else self._now() + left
        while not met():
            if until is not None and self._now() >= until:
                raise TimeoutError
            await self.between(what)
            if met():
                return
            if self._may_pass(until):
                await self._pass_time(until)
                # Orders are placed by other tasks, which must get their turn.
                await asyncio.sleep(0)
            else:
                self._poked.clear()
                self._idle.set()
                await self._poked.wait()

    def _may_pass(self, until: datetime | None) -> bool:
        if self.horizon is None:
            return until is not None
        return self._now() < self.horizon

    async def _pass_time(self, until: datetime | None) -> None:
        """To the end of the wait, or to the next thing that PortOne does by itself, whichever is first."""
        ends = [instant for instant in (until, self.horizon) if instant is not None]
        seconds = (min(ends) - self._now()).total_seconds()
        due = self.world.account.world.next_due(self.customer_uid)
        if due is not None and 0 <= due.in_seconds < seconds:
            seconds = due.in_seconds + 0.001
        await self.world.account.timeline.advance(max(0.0, seconds) + 0.001, self.customer_uid)

    async def _activity(self, name: str, arguments: tuple[Any, ...], policy: RetryPolicy) -> Any:
        attempts = 0
        while True:
            attempts += 1
            self.calls += 1
            await self.between(f"before {name}")
            environment = ActivityEnvironment()
            environment.info = dataclasses.replace(environment.default_info(), attempt=attempts)
            try:
                answer = await environment.run(self.world.activities[name], *arguments)
            except ApplicationError as error:
                if error.type in (policy.non_retryable_error_types or ()) or attempts == policy.maximum_attempts:
                    raise _failed(name, error) from error
                wait = policy.initial_interval * policy.backoff_coefficient ** (attempts - 1)
                await self.workflow_sleep(min(wait, policy.maximum_interval or wait).total_seconds())
                continue
            await self.between(f"after {name}")
            return answer


def _failed(name: str, error: ApplicationError) -> ActivityError:
    failed = ActivityError(
        str(error),
        scheduled_event_id=0,
        started_event_id=0,
        identity="in process",
        activity_type=name,
        activity_id=name,
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    failed.__cause__ = error
    return failed
