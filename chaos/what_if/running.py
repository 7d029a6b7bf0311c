"""One recorded run, lived once more by today's code in virtual time."""

import asyncio
import contextlib
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any

from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.state import SubscriptionState
from chaos.machine.loop import VirtualLoop
from chaos.machine.temporal import Run, VirtualTemporal
from chaos.what_if.answers import Answers
from chaos.what_if.ledger import LedgerOfALife
from chaos.what_if.recording import REFUND, SUBSCRIPTION, Input, Recording
from workflows.subscription.workflow import SubscriptionWorkflow

_BEFORE = 2e-6
"""A message is taken before the answers of the same workflow task."""

AFTER = timedelta(minutes=1)
"""So long today's code may take to come as far as the recording's last event, where it takes another way."""

_WOKEN = timedelta(seconds=1)
_MOST_ASKED = 2000


class AsksWithoutEndError(RuntimeError):
    """Today's code goes round in a circle: it asks for far more than the recorded run did."""


@dataclass(slots=True)
class Today:
    """What today's code made of a recording.

    Args:
        ledger: what it has written.
        orders: the order numbers that it, or the recording, changed anything of.
        at_portone: what PortOne would have of each order: its payments and its schedule.
        refunds: what came of the run's own refunds, each with its order number.
        parted: the orders and keys that are not as recorded, each with the call that parts the two.
        assumed: what the recording does not say: an order number or a key, and what was assumed of it.
        failure: why the code cannot run on, and when; None where it could.
        answers: where a command was answered otherwise than in the recording.
    """

    ledger: LedgerOfALife
    orders: set[str] = field(default_factory=set)
    at_portone: dict[str, tuple[list[PaymentFact], ScheduleFact | None]] = field(default_factory=dict)
    refunds: list[tuple[str, RefundSettled]] = field(default_factory=list)
    parted: dict[str, str] = field(default_factory=dict)
    assumed: list[tuple[str, str]] = field(default_factory=list)
    failure: str | None = None
    answers: list[str] = field(default_factory=list)


def lived_today(recording: Recording) -> Today:
    """Live a recording once more, until its last event; whatever today's code raises is told, not raised."""
    loop = VirtualLoop(recording.begun)
    life = _Life(recording, loop)
    try:
        loop.run_until_complete(life.live())
        return life.over()
    finally:
        _close(loop)


class _Life:
    def __init__(self, recording: Recording, loop: VirtualLoop) -> None:
        self._recording, self._loop = recording, loop
        self._today = Today(LedgerOfALife())
        self._temporal: VirtualTemporal
        self._answers = Answers(recording, loop, lambda: self._temporal, self._today.ledger)
        self._temporal = _RecordedTemporal(loop, recording, self._answers, self._today.refunds)
        self._run: Run | None = None
        self._ended_at = ""

    async def live(self) -> None:
        """Feed what came in, at its instants."""
        recording, loop = self._recording, self._loop
        self._answers.watch_for_omissions()
        self._try(self._start)
        for at, given in groupby(recording.inputs, key=lambda each: each.at):
            loop.call_at((at - recording.begun) / timedelta(seconds=1) - _BEFORE, self._feed_all, list(given))
        await asyncio.sleep((recording.end + AFTER - recording.begun) / timedelta(seconds=1))

    def over(self) -> Today:
        """What it has come to."""
        today, answers, run = self._today, self._answers, self._run
        broke = run.broke if run is not None else None
        if broke is not None and today.failure is None and self._recording.ended != "failed":
            today.failure = f"today's code fails at {self._ended_at}: {_in_words(broke)}"
        if answers.conflict is not None and today.failure is None:
            today.failure = f"today's code contradicts the ledger and stands still: {answers.conflict}"
        today.orders = {*answers.orders(), *today.ledger.charges}
        today.at_portone = {each: answers.at_portone(each) for each in today.orders}
        today.parted, today.assumed = answers.reasons(), answers.assumed
        return today

    def _try(self, act: Callable[..., None], *args: Any) -> None:
        try:
            act(*args)
        except Exception as error:  # noqa: BLE001 - whatever today's code raises is what is to be told
            self._today.failure = self._today.failure or f"today's code fails at {self._said()}: {_in_words(error)}"

    def _start(self) -> None:
        self._run = self._temporal.start(self._recording.workflow_id, SUBSCRIPTION, *self._recording.args)
        assert self._run.task is not None
        self._run.task.add_done_callback(self._note_end)

    def _note_end(self, _task: "asyncio.Task[Any]") -> None:
        self._ended_at = self._said()

    def _feed_all(self, given: Sequence[Input]) -> None:
        for each in given:
            self._try(self._feed, each)

    def _feed(self, given: Input) -> None:
        workflow_id = self._recording.workflow_id
        if given.is_update:
            self._update(given)
        elif given.name != "payment_reported" or self._is_news(given.args[0]):
            self._temporal.signal(workflow_id, given.name, *given.args)

    def _is_news(self, report: PaymentReported) -> bool:
        return self._answers.is_news(report)

    def _update(self, given: Input) -> None:
        try:
            task = self._temporal.update(self._recording.workflow_id, given.name, *given.args)
        except ApplicationError as refused:
            self._note(given, refused)
            return
        task.add_done_callback(lambda done: None if done.cancelled() else self._note(given, done.exception()))

    def _note(self, given: Input, error: BaseException | None) -> None:
        if (error is not None) == given.refused:
            return
        today = f"refused today ({_in_words(error)})" if error is not None else "done today"
        was = "refused" if given.refused else "done"
        self._today.answers.append(f"{given.name} at {given.at:%Y-%m-%d %H:%M} UTC: {was} then, {today}")

    def _said(self) -> str:
        return f"{self._loop.now:%Y-%m-%d %H:%M} UTC"


class _RecordedTemporal(VirtualTemporal):
    """A Temporal whose activities and children are answered from a recording, and whose worker was away as recorded."""

    def __init__(
        self, loop: VirtualLoop, recording: Recording, answers: Answers, refunds: list[tuple[str, RefundSettled]]
    ) -> None:
        super().__init__(loop, [SubscriptionWorkflow], {}, _carried)
        self._answers, self._refunds = answers, refunds
        self._tasks = recording.tasks
        self._taken = [started for _, started in recording.tasks]
        self._recorded = len(recording.calls)
        self._most = _MOST_ASKED + 20 * self._recorded

    async def activity(
        self,
        name: str,
        args: Sequence[Any],
        policy: RetryPolicy | None,  # noqa: ARG002 - what it came to is recorded, tries and all
        timeout: timedelta | None,  # noqa: ARG002 - the same
    ) -> Any:
        """What an activity comes to.

        Raises:
            ActivityError: it failed in the recording.
        """
        self.note_activity(name)
        self._check_that_it_ends()
        try:
            return await self._answers.activity(name, tuple(args))
        except ApplicationError as failure:
            raise self._gave_up(name, 1, failure) from failure

    def child(self, workflow_id: str, name: str, *args: Any) -> "asyncio.Future[Any]":
        """Begin a child: a refund comes to what it came to; what is left behind goes on by itself."""
        del workflow_id
        if name == REFUND:
            return self._loop.create_task(self._refund(args[0]))
        return self._loop.create_future()

    async def _refund(self, start: StartRefund) -> RefundSettled:
        settled = await self._answers.refund(start)
        self._refunds.append((start.merchant_uid, settled))
        return settled

    async def wait(self, true: Callable[[], bool], timeout: float | None) -> None:
        """Until a condition holds.

        Raises:
            TimeoutError: it does not in time, and a worker has come to find that out.
        """
        self.asked["wait"] += 1
        self._check_that_it_ends()
        try:
            await super().wait(true, timeout)
        except TimeoutError:
            await self._until_a_worker_came()
            raise

    def _check_that_it_ends(self) -> None:
        if self.asked.total() > self._most:
            raise AsksWithoutEndError(f"more than {self._most} activities and waits, of {self._recorded} recorded")

    async def _until_a_worker_came(self) -> None:
        now = self._loop.now
        at = bisect_left(self._taken, now)
        if at < len(self._tasks) and self._tasks[at][0] <= now + _WOKEN:
            await asyncio.sleep((self._tasks[at][1] - now) / timedelta(seconds=1))


def _carried(value: Any) -> Any:
    """As a payload carries it: written and read."""
    if isinstance(value, SubscriptionState):
        return SubscriptionState.model_validate_json(value.model_dump_json())
    return value


def _in_words(error: BaseException) -> str:
    message = next(iter(str(error).splitlines()), "")
    kind = error.type if isinstance(error, ApplicationError) and error.type else type(error).__name__
    return f"{kind}: {message}"


def _close(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(RuntimeError):
        loop.run_until_complete(_all_over(tasks))
    loop.close()


async def _all_over(tasks: set["asyncio.Task[Any]"]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
