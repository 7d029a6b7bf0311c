"""What the workflows need of Temporal, in one event loop and in virtual time.

Runs by id, activities with their retries, timers, conditions, signals, updates, children, continue-as-new. What a
server does beyond that, histories, replays and lost workers, is tried on the real one.
"""

import asyncio
import contextvars
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from temporalio.activity import _Definition as ActivityDefinition
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    WorkflowAlreadyStartedError,
)
from temporalio.workflow._definition import _Definition

from chaos.machine.loop import VirtualLoop

Activity = Callable[..., Awaitable[Any]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENTS_OF_AN_ACTIVITY = 6
_EVENTS_OF_A_TIMER = 5
_SUGGESTED_AFTER = 4096
_RUN: contextvars.ContextVar["Run"] = contextvars.ContextVar("run")


class _ContinueAsNew(BaseException):
    def __init__(self, args: Sequence[Any]) -> None:
        super().__init__("continue as new")
        self.args_ = args


@dataclass(slots=True)
class Run:
    """One workflow id that runs, or has run.

    `tasks` counts what its code has asked for, `came_to` is its result, `broke` the exception that ended it.
    """

    workflow_id: str
    definition: _Definition
    args: Sequence[Any]
    instance: Any = None
    task: "asyncio.Task[Any] | None" = None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    handlers: int = 0
    events: int = 0
    times_new: int = 0
    running: bool = True
    came_to: Any = None
    broke: BaseException | None = None
    drawn: Random = field(default_factory=Random)


@dataclass(slots=True)
class Attempt:
    """Which try of an activity this is, of whose."""

    number: int
    workflow_id: str


class VirtualTemporal:
    """The server and its one worker.

    Args:
        loop: that all of it lives in.
        workflows: by the name that they are started by.
        activities: by name; each is called with `Attempt` and its arguments.
        carry: what becomes of the arguments of a run that continues as new: written and read, as payloads are.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        workflows: Sequence[type],
        activities: Mapping[str, Activity],
        carry: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._loop = loop
        self._definitions = {each.name or "": each for each in map(_Definition.must_from_class, workflows)}
        self._activities = activities
        self._carry = carry
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None], contextvars.Context]] = []
        self.runs: dict[str, Run] = {}
        self.asked: Counter[str] = Counter()
        """Activities begun, by name."""
        loop.between = self._look_at_conditions
        setattr(loop, "__temporal_workflow_runtime", _Workflows(self, loop))

    # ------------------------------------------------------------ from outside

    def start(self, workflow_id: str, name: str, *args: Any) -> Run:
        """Begin a run.

        Raises:
            WorkflowAlreadyStartedError: one runs under this id.
        """
        if self.is_running(workflow_id):
            raise WorkflowAlreadyStartedError(workflow_id, name)
        run = Run(workflow_id, self._definitions[name], args, drawn=Random(f"{workflow_id} {len(self.runs)}"))
        self.runs[workflow_id] = run
        run.context.run(_RUN.set, run)
        self._instantiate(run)
        run.task = self._loop.create_task(self._live(run), context=run.context)
        return run

    def is_running(self, workflow_id: str) -> bool:
        """Whether a run under this id has not ended."""
        run = self.runs.get(workflow_id)
        return run is not None and run.running

    def signal(self, workflow_id: str, name: str, *args: Any) -> bool:
        """Send a signal; False where nobody runs under this id."""
        run = self.runs.get(workflow_id)
        if run is None or not run.running:
            return False
        run.events += 1
        run.context.copy().run(run.definition.signals[name].fn, run.instance, *args)
        return True

    def signal_with_start(self, workflow_id: str, name: str, start: Any, signal: str, arg: Any) -> None:
        """Send a signal, to a new run where none runs."""
        if not self.is_running(workflow_id):
            self.start(workflow_id, name, start)
        self.signal(workflow_id, signal, arg)

    def update(self, workflow_id: str, name: str, *args: Any) -> "asyncio.Task[Any]":
        """Send an update; the task has its answer.

        Raises:
            ApplicationError: its validator refuses it, or nobody runs under this id.
        """
        run = self.runs.get(workflow_id)
        if run is None or not run.running:
            raise ApplicationError("no such run", type="not_found", non_retryable=True)
        handler = run.definition.updates[name]
        context = run.context.copy()
        if handler.validator is not None:
            context.run(handler.validator, run.instance, *args)
        run.events += 1
        return self._loop.create_task(self._handle(run, handler.fn, args), context=context)

    def child(self, workflow_id: str, name: str, *args: Any) -> "asyncio.Future[Any]":
        """Begin a run for another one; answers its outcome, which may be awaited.

        Raises:
            WorkflowAlreadyStartedError: one runs under this id.
        """
        return self._loop.create_task(_outcome(self.start(workflow_id, name, *args), name))

    def terminate(self, workflow_id: str) -> None:
        """End a run from outside: it does nothing more, and writes nothing of it."""
        run = self.runs[workflow_id]
        run.running = False
        if run.task is not None:
            run.task.cancel()

    # ------------------------------------------------------------ lives

    def _instantiate(self, run: Run) -> None:
        cls = run.definition.cls
        takes = getattr(inspect.getattr_static(cls, "__init__"), "__temporal_workflow_init", False)
        context = run.context.copy()
        run.instance = context.run(cls, *run.args) if takes else context.run(cls)
        run.events = 3

    async def _live(self, run: Run) -> Any:
        while True:
            try:
                run.came_to = await run.definition.run_fn(run.instance, *run.args)
            except _ContinueAsNew as new:
                run.args = [self._carry(each) for each in new.args_]
                run.times_new += 1
                self._instantiate(run)
                continue
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever ended it is what is to be told
                run.broke = error
            run.running = False
            return run.came_to

    async def _handle(self, run: Run, handle: Callable[..., Awaitable[Any]], args: Sequence[Any]) -> Any:
        run.handlers += 1
        try:
            return await handle(run.instance, *args)
        finally:
            run.handlers -= 1

    # ------------------------------------------------------------ conditions

    def _look_at_conditions(self) -> None:
        for each in list(self._conditions):
            true, future, context = each
            if not future.done() and context.run(true):
                future.set_result(None)

    async def wait(self, true: Callable[[], bool], timeout: float | None) -> None:
        """Until a condition holds.

        Raises:
            TimeoutError: it does not in time.
        """
        if timeout is not None:
            _RUN.get().events += _EVENTS_OF_A_TIMER
        waiter = (true, self._loop.create_future(), contextvars.copy_context())
        self._conditions.append(waiter)
        try:
            await asyncio.wait_for(waiter[1], timeout)
        finally:
            self._conditions.remove(waiter)

    # ------------------------------------------------------------ activities

    async def activity(
        self, name: str, args: Sequence[Any], policy: RetryPolicy | None, timeout: timedelta | None
    ) -> Any:
        """One activity, tried as its policy says.

        Raises:
            ActivityError: it gave up.
        """
        run, policy = _RUN.get(), policy or RetryPolicy()
        run.events += _EVENTS_OF_AN_ACTIVITY
        number = 0
        while True:
            number += 1
            self.asked[name] += 1
            try:
                attempt = Attempt(number, run.workflow_id)
                return await asyncio.wait_for(
                    self._activities[name](attempt, *args), timeout.total_seconds() if timeout else None
                )
            except (ApplicationError, TimeoutError) as error:
                failure = error if isinstance(error, ApplicationError) else ApplicationError("timed out")
                given_up = failure.non_retryable or failure.type in (policy.non_retryable_error_types or ())
                if given_up or number == policy.maximum_attempts:
                    raise self._gave_up(name, number, failure) from failure
                pause = failure.next_retry_delay or policy.initial_interval * policy.backoff_coefficient ** (number - 1)
                await asyncio.sleep(min(pause, policy.maximum_interval or pause).total_seconds())

    def note_activity(self, name: str) -> None:
        """The run at work asks for an activity: it is counted, and makes its history longer."""
        _RUN.get().events += _EVENTS_OF_AN_ACTIVITY
        self.asked[name] += 1

    @staticmethod
    def _gave_up(name: str, number: int, failure: ApplicationError) -> ActivityError:
        return ActivityError(
            f"{name} failed {number} times: {failure.message}",
            scheduled_event_id=0,
            started_event_id=0,
            identity="",
            activity_type=name,
            activity_id="",
            retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
        )


class _Workflows:
    """What `temporalio.workflow` asks of whoever runs it: as much of it as the workflows use."""

    def __init__(self, temporal: VirtualTemporal, loop: VirtualLoop) -> None:
        self._temporal = temporal
        self._loop = loop

    def workflow_time_ns(self) -> int:
        return (self._loop.now - _EPOCH) // timedelta(microseconds=1) * 1000

    def workflow_info(self) -> Any:
        run = _RUN.get()
        return SimpleNamespace(
            workflow_id=run.workflow_id,
            task_queue="billing",
            get_current_deployment_version=lambda: None,
            get_current_history_length=lambda: run.events,
            is_continue_as_new_suggested=lambda: run.events >= _SUGGESTED_AFTER,
        )

    def workflow_patch(self, _id: str, **_options: Any) -> bool:
        return True

    def workflow_random(self) -> Random:
        return _RUN.get().drawn

    def workflow_all_handlers_finished(self) -> bool:
        return _RUN.get().handlers == 0

    def workflow_continue_as_new(self, *args: Any, **_options: Any) -> None:
        raise _ContinueAsNew(args)

    def workflow_upsert_search_attributes(self, *_args: Any, **_options: Any) -> None:
        """Nobody lists runs here."""

    def workflow_set_current_details(self, _details: str) -> None:
        """Nobody looks at a run here."""

    async def workflow_sleep(self, duration: float, **_options: Any) -> None:
        _RUN.get().events += _EVENTS_OF_A_TIMER
        await asyncio.sleep(duration)

    async def workflow_wait_condition(
        self, fn: Callable[[], bool], *, timeout: float | None = None, **_options: Any
    ) -> None:
        await self._temporal.wait(fn, timeout)

    def workflow_start_activity(
        self,
        activity: Any,
        *args: Any,
        retry_policy: RetryPolicy | None,
        start_to_close_timeout: timedelta | None,
        **_options: Any,
    ) -> Any:
        name = ActivityDefinition.must_from_callable(activity).name or ""
        return self._loop.create_task(self._temporal.activity(name, args, retry_policy, start_to_close_timeout))

    async def workflow_start_child_workflow(self, child: Any, *args: Any, id: str, **_options: Any) -> Any:  # noqa: A002 - the SDK's name
        name = child if isinstance(child, str) else _Definition.get_name_and_result_type(child)[0]
        await asyncio.sleep(0)
        return self._temporal.child(id, name or "", *args)

    def workflow_get_external_workflow_handle(self, id: str, **_options: Any) -> Any:  # noqa: A002 - the SDK's name
        return _External(self._temporal, id)


async def _outcome(run: Run, name: str) -> Any:
    assert run.task is not None
    await asyncio.wait([run.task])
    if run.broke is not None or run.task.cancelled():
        raise ChildWorkflowError(
            "the child has failed",
            namespace="",
            workflow_id=run.workflow_id,
            run_id="",
            workflow_type=name,
            initiated_event_id=0,
            started_event_id=0,
            retry_state=RetryState.NON_RETRYABLE_FAILURE,
        ) from run.broke
    return run.came_to


@dataclass(frozen=True, slots=True)
class _External:
    _temporal: VirtualTemporal
    _id: str

    async def signal(self, name: str, *args: Any) -> None:
        await asyncio.sleep(0)
        if not self._temporal.signal(self._id, name, *args):
            raise FailureError("external workflow execution not found")
