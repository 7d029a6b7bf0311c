"""Moving one subscription's whole world in time, on a real Temporal server (experimental in Temporal, so kept here).

Temporal skips the workflow's own clock; the emulator's clock for the same customer_uid goes with it.
The world is stepped from due to due: a schedule fires, its webhook arrives, the workflow settles, then time goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from api.connections import own_connections
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.domain.subscription.start import subscription_workflow_id
from billing.workflow_runner import ASK_AGAIN
from workflows.subscription.workflow import SubscriptionWorkflow

SEARCH_ATTRIBUTES: tuple[SearchAttributeKey[Any], ...] = (
    SearchAttributeKey.for_keyword("CustomerUid"),
    SearchAttributeKey.for_keyword("CustomerId"),
    SearchAttributeKey.for_keyword("PlanId"),
    SearchAttributeKey.for_keyword("SubscriptionStatus"),
    SearchAttributeKey.for_keyword("PgProvider"),
    SearchAttributeKey.for_keyword("Parked"),
    SearchAttributeKey.for_datetime("NextChargeAt"),
    SearchAttributeKey.for_int("FailedAttempts"),
)
"""What the workflows set, and a server must know (design section 6)."""

TIME_SKIPPING_FLAGS = (
    # A clock of its own for each workflow.
    "--dynamic-config-value",
    "frontend.WorkflowTimeSkippingEnabled=true",
    # By default a timer may fire a second late: 13 to 50 ms a hop instead of 1,005 (temporal.md 6.2).
    "--dynamic-config-value",
    'history.timerProcessorMaxTimeShift="1ms"',
    "--dynamic-config-value",
    "history.timerProcessorMaxPollRPS=1000",
)

# More than any life has hops: at the default of 200 the server would silently fall back to real time.
_MOST_SKIPS = 100_000

# Long enough for one step to be waited for by the minute, short enough not to jump over a due instant unseen.
_LONGEST_STEP = timedelta(days=30)

_LIVES = frozenset({WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW})

_QUERY, _MOST_PATIENCE = timedelta(seconds=5), timedelta(minutes=2)
# Many schedules that fall due in one step take their time.
_PATIENCE = 300.0
_ASK_AGAIN = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})

# A run that continued as new has no task for up to a second, and then these: started, task scheduled, begun, completed.
_FIRST_TASK_DONE = 4

# Whether it rests is looked at again so soon, and less and less often.
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.005, 0.2

# So long after its instant a timer has fired.
_FIRED = timedelta(milliseconds=1)

# PortOne's clock runs on while the workflow answers an instant of its own: so long before a due one it stands then.
_SHORTLY = timedelta(seconds=30)

# Both clocks run on while one is being read: by less than this they are the same.
_SAME_INSTANT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Charged:
    """A charge that PortOne's books have gained: amounts are in their currency's own unit."""

    merchant_uid: str
    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class Step:
    """Where the world stands after one step, and what was charged in it."""

    at: datetime
    snapshot: SubscriptionSnapshot
    charged: tuple[Charged, ...]


@dataclass(frozen=True, slots=True)
class WorldTime:
    """The instant it is for a customer_uid at PortOne, and the next one at which something happens by itself."""

    now: datetime
    next_due: datetime | None


Progress = Callable[[Step], None]


class NoTestClockError(Exception):
    """What answers as PortOne, or as Temporal, keeps no clock that can be moved."""


class _EndedInAStepError(Exception):
    """The run was ended from outside before it answered what had come, and answers no question any more."""


class SubscriptionClock:
    """The clock of one subscription and of its customer_uid at the emulator."""

    def __init__(self, temporal: Client, emulator_url: str, customer_uid: str) -> None:
        self._skipper = TimeSkipper(
            temporal, config=TimeSkippingConfig(enabled=False, max_session_skip_count=_MOST_SKIPS)
        )
        self._handle: WorkflowHandle[SubscriptionWorkflow, SubscriptionSnapshot] = (
            self._skipper.client.get_workflow_handle_for(
                SubscriptionWorkflow.run, subscription_workflow_id(customer_uid)
            )
        )
        self._url = f"{emulator_url.rstrip('/')}/emulator/clock"
        self._books_url = f"{emulator_url.rstrip('/')}/emulator/books"
        self._customer_uid = customer_uid
        self._executed: tuple[str, ...] = ()
        self._there = datetime.min.replace(tzinfo=UTC)

    async def advance(self, distance: timedelta, progress: Progress | None = None) -> datetime:
        """Move by `distance`, or until the subscription ends; answers the instant it is then."""
        async with own_connections(seconds=_PATIENCE, raise_for_status=True) as session:
            now, _ = await self._emulator(session, [self._customer_uid])
            return await self._advance(session, now + distance, progress)

    async def advance_to(self, target: datetime, progress: Progress | None = None) -> datetime:
        """Move to an instant; one that has passed moves nothing."""
        async with own_connections(seconds=_PATIENCE, raise_for_status=True) as session:
            return await self._advance(session, target, progress)

    async def _advance(self, session: aiohttp.ClientSession, target: datetime, progress: Progress | None) -> datetime:
        try:
            return await self._step_by_step(session, target, progress)
        except _EndedInAStepError:
            return (await self._emulator(session, [self._customer_uid], to=target))[0]

    async def _step_by_step(
        self, session: aiohttp.ClientSession, target: datetime, progress: Progress | None
    ) -> datetime:
        snapshot = await self._snapshot()
        now = await self._together(session, self._keys(snapshot))
        watch = _Watch(self._books_url, snapshot) if progress else None
        if watch is not None:
            await watch.look(session, (), watch.before)
        running, snapshot = await self._at_rest()
        while now < target and running:
            keys = self._keys(snapshot)
            _, next_due = await self._emulator(session, keys)
            step_to = await self._next_instant(snapshot, now, next_due, target)
            if step_to > now and not await self._move_workflow(session, keys, now, next_due, step_to):
                break
            now, _ = await self._emulator(session, keys, to=step_to)
            running, snapshot = await self._at_rest()
            if progress is not None and watch is not None:
                progress(Step(now, snapshot, await watch.look(session, self._executed, snapshot)))
        if now < target:
            now, _ = await self._emulator(session, self._keys(await self._snapshot()), to=target)
        return now

    async def _move_workflow(
        self,
        session: aiohttp.ClientSession,
        keys: Sequence[str],
        now: datetime,
        next_due: datetime | None,
        step_to: datetime,
    ) -> bool:
        """Move the workflow's clock; False when it has ended on the way.

        At a due instant its own deadline is still minutes away. Where an instant of its own is the same as the due one,
        it comes to rest before PortOne's clock reaches that.
        """
        distance = await self._distance(now, step_to)
        if next_due is None or not now < next_due < step_to:
            return await self._fast_forward(distance)
        await self._emulator(session, keys, to=max(now, next_due - _SHORTLY))
        if not await self._fast_forward(distance):
            return False
        _, snapshot = await self._at_rest()
        await self._wakes_after(step_to, snapshot)
        return True

    async def _together(self, session: aiohttp.ClientSession, keys: Sequence[str]) -> datetime:
        """The instant at which both clocks stand, before any step.

        A key that was changed to since then begins at this world's instant. An advance that was cut off in the middle
        of a step has left the workflow ahead: PortOne's clock follows it first, through what falls due on the way.
        """
        now, _ = await self._emulator(session, keys)
        there = now
        if await self._is_running():
            there = await self._skipper.get_current_time(self._handle)
        now, _ = await self._emulator(session, keys, to=there if there - now > _SAME_INSTANT else now)
        return now

    async def _distance(self, now: datetime, to: datetime) -> timedelta:
        """How far the workflow's clock is moved for PortOne's to go from one instant to another.

        By its own clock, so that it stops at a timer and not shortly behind one: what is left of the way would go by in
        real time while the timer is answered, and the server would then skip to the next timer as well.
        """
        self._there = await self._skipper.get_current_time(self._handle)
        lies_behind = now - self._there > _SAME_INSTANT
        return to - (now if lies_behind else self._there)

    async def _fast_forward(self, distance: timedelta) -> bool:
        """Move the workflow's clock; False when it has ended on the way, or just before.

        Raises:
            NoTestClockError: the server skips no time.
        """
        goal = self._there + distance
        while distance > timedelta(0):
            moved = await self._moved(distance)
            if moved is not None:
                return moved
            distance = goal - await self._skipper.get_current_time(self._handle)
        return True

    async def _moved(self, distance: timedelta) -> bool | None:
        """Whether it still runs after the move; None where the server lost sight of it, and a part may be left."""
        try:
            return await self._skipper.fast_forward(self._handle, distance)
        except RuntimeError:
            # As where the run continued as new at that moment.
            return None if await self._is_running() else False
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            if error.status is RPCStatusCode.UNIMPLEMENTED:
                raise NoTestClockError(
                    "this Temporal server runs without frontend.WorkflowTimeSkippingEnabled"
                ) from None
            raise

    async def _next_instant(
        self, snapshot: SubscriptionSnapshot, now: datetime, next_due: datetime | None, target: datetime
    ) -> datetime:
        wakes = await self._wakes_after(now, snapshot)
        candidates = [target, now + _LONGEST_STEP]
        candidates += [wakes] if wakes else []
        # What is due at the workflow's own instant runs right behind it, in the same step: the workflow is first.
        together = wakes is not None and next_due is not None and next_due < wakes <= next_due + _FIRED
        candidates += [next_due] if next_due and not together else []
        return max(now, min(candidates))

    async def _wakes_after(self, now: datetime, snapshot: SubscriptionSnapshot) -> datetime | None:
        """A millisecond past the workflow's next own instant, so that its timer has fired; None when none lies ahead.

        One that has passed by the workflow's own clock fires in a moment, however busy the machine is. By that clock it
        may also lie ahead, where PortOne's was moved alone: then it is PortOne's instants that count.
        """
        async with asyncio.timeout(_PATIENCE):
            while snapshot.wakes_at is not None:
                if (wakes := snapshot.wakes_at + _FIRED) > now:
                    return wakes
                if not await self._is_running() or await self._skipper.get_current_time(self._handle) < wakes:
                    return None
                await asyncio.sleep(0.05)
                _, snapshot = await self._at_rest()
        return None

    def _keys(self, snapshot: SubscriptionSnapshot) -> list[str]:
        """Whose clocks move: the subscription's own name, and the key that it is charged by."""
        return list(dict.fromkeys((self._customer_uid, snapshot.billing_key or self._customer_uid)))

    async def _snapshot(self) -> SubscriptionSnapshot:
        """Where the subscription stands, once it says so.

        A run that has just continued as new cannot be asked for a moment, and what a worker was asked that a deploy
        stopped is answered by nobody.
        """
        async with asyncio.timeout(_MOST_PATIENCE.total_seconds()):
            while True:
                try:
                    return await self._handle.query(SubscriptionWorkflow.snapshot, rpc_timeout=_QUERY)
                except RPCError as error:
                    if error.status not in _ASK_AGAIN and "not scheduled yet" not in error.message:
                        raise
                except WorkflowQueryFailedError as error:
                    if str(error) != ASK_AGAIN:
                        raise
                    if not await self._is_running():
                        raise _EndedInAStepError from None
                await asyncio.sleep(0.01)

    async def _is_running(self) -> bool:
        return (await self._handle.describe()).status in _LIVES

    async def _at_rest(self) -> tuple[bool, SubscriptionSnapshot]:
        """Whether it still runs, and where it stands, once it has nothing to do but wait."""
        while True:
            settled = await self._settled()
            snapshot = await self._snapshot()
            running = settled.status in _LIVES
            # A webhook may have come between the two: then it was asked in the middle of a step.
            if not running or await self._is_at(settled):
                return running, snapshot

    async def _is_at(self, settled: WorkflowExecutionDescription) -> bool:
        now = await self._handle.describe()
        return (now.run_id, now.history_length) == (settled.run_id, settled.history_length)

    async def _settled(self) -> WorkflowExecutionDescription:
        """What the server says of it once it has nothing to do but wait."""
        wait = _FIRST_LOOK_SECONDS
        while True:
            description = await self._handle.describe()
            if description.status not in _LIVES:
                # What was under way when it was ended stays in sight.
                return description
            raw = description.raw_description
            busy = raw.pending_activities or raw.HasField("pending_workflow_task")
            if description.history_length >= _FIRST_TASK_DONE and not busy:
                return description
            await asyncio.sleep(wait)
            wait = min(_LONGEST_LOOK_SECONDS, wait * 1.5)

    async def _emulator(
        self, session: aiohttp.ClientSession, keys: Sequence[str], *, to: datetime | None = None
    ) -> tuple[datetime, datetime | None]:
        """Move, or read, the clocks of the keys: now, and the next due."""
        clocks = [await self._clock(session, key, to) for key in keys]
        if to is not None:
            self._executed = tuple(order for clock in clocks for order in clock["executed"])
        dues = [datetime.fromisoformat(clock["next_due"]) for clock in clocks if clock["next_due"]]
        return datetime.fromisoformat(clocks[0]["now"]), min(dues, default=None)

    async def _clock(self, session: aiohttp.ClientSession, customer_uid: str, to: datetime | None) -> dict[str, Any]:
        if to is None:
            answer = await session.get(self._url, params={"customer_uid": customer_uid})
        else:
            body = {"to": to.astimezone(UTC).isoformat(), "customer_uid": customer_uid}
            answer = await session.post(self._url, json=body)
        clock: dict[str, Any] = await answer.json()
        return clock


class _Watch:
    """What PortOne's books gain from one step to the next, read by order number: books grow over the years."""

    def __init__(self, url: str, before: SubscriptionSnapshot) -> None:
        self._url = url
        self._seen: set[str] = set()
        self.before = before

    async def look(
        self, session: aiohttp.ClientSession, executed: tuple[str, ...], now: SubscriptionSnapshot
    ) -> tuple[Charged, ...]:
        """The charges since the last look, of the orders that were run and of the periods before and after."""
        orders = dict.fromkeys((*executed, self.before.merchant_uid, now.merchant_uid))
        self.before = now
        gained = []
        for order in filter(None, orders):
            books = await (await session.get(self._url, params={"merchant_uid": order})).json()
            new = [row for row in books["charges"] if row["imp_uid"] not in self._seen]
            self._seen |= {row["imp_uid"] for row in new}
            gained += [Charged(row["merchant_uid"], row["amount"], row["currency"]) for row in new]
        return tuple(gained)


async def world_time(emulator_url: str, customer_uid: str) -> WorldTime:
    """The instant it is for a customer_uid at an emulator.

    Raises:
        NoTestClockError: nothing answers there, or something that is no emulator.
    """
    url = f"{emulator_url.rstrip('/')}/emulator/clock"
    try:
        async with own_connections(seconds=_QUERY.total_seconds(), raise_for_status=True) as session:
            clock = await (await session.get(url, params={"customer_uid": customer_uid}, allow_redirects=False)).json()
        next_due = clock["next_due"]
        return WorldTime(datetime.fromisoformat(clock["now"]), datetime.fromisoformat(next_due) if next_due else None)
    except (aiohttp.ClientError, TimeoutError, LookupError, TypeError, ValueError):
        raise NoTestClockError("what answers at GUDOK_PORTONE_URL keeps no clock that can be moved") from None


async def advance(
    temporal: Client, emulator_url: str, customer_uid: str, distance: timedelta, progress: Progress | None = None
) -> datetime:
    """Move one subscription's whole world by `distance`; any distance in one call."""
    return await SubscriptionClock(temporal, emulator_url, customer_uid).advance(distance, progress)
