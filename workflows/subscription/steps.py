"""The steps of a subscription, one for each act of the table: what is due is done, and nothing in here waits."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from temporalio import workflow

from billing.domain.states import BoundaryAction, CycleState, at_boundary
from billing.domain.subscription import consenting, ending, pausing, period_close, reminders, scheduling, skipping
from billing.domain.subscription.next_step import Act, look_up_at
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from workflows.billing_key import old_keys
from workflows.charge import registering, stopping, unpaid
from workflows.charge.settling import settle, verify
from workflows.subscription import opening, outcomes, tidying
from workflows.subscription.commands import resume
from workflows.subscription.desk import Desk

_Now = Callable[[Subscription, Recording], Awaitable[None]]


async def take(act: Act, subscription: Subscription, recording: Recording, desk: Desk) -> None:
    """Do what the table says."""
    if act is Act.REFUND:
        await outcomes.refunds(subscription, recording, desk)
    elif act in _AT_PORTONE:
        await _AT_PORTONE[act](subscription, recording)
    elif act in _WRITTEN:
        _WRITTEN[act](subscription, recording)


async def _look_up(subscription: Subscription, recording: Recording) -> None:
    """Look the open order up, because somebody reported it or its next deadline has come."""
    by_deadline = workflow.now() >= look_up_at(subscription)
    reports = subscription.state.reports.about(subscription.terms.merchant_uid)
    verdict = await verify(subscription, recording, reports)
    await settle(subscription, recording, verdict, by_deadline=by_deadline)
    subscription.state.reports.take(reports)
    recording.close_reports(workflow.now())


async def _begin_scheduling(subscription: Subscription, recording: Recording) -> None:
    if subscription.state.period.state is CycleState.REVOKED:
        await stopping.plan_again(subscription, recording)
        return
    scheduling.begin(subscription)
    await registering.go_on(subscription, recording)


def _end_period(subscription: Subscription, recording: Recording) -> None:
    """Nothing is charged at the end of this period; what happens there is the word of the table of states."""
    state = subscription.state
    change = state.items.pending is not None
    match at_boundary(cancel=state.cancel.at_period_end, pause=state.pause.at_period_end, change=change):
        case BoundaryAction.CANCEL:
            ending.cancel(subscription, recording, workflow.now(), state.cancel.reason or "canceled at period end")
        case BoundaryAction.PAUSE:
            pausing.begin(subscription, recording, workflow.now(), "the period has ended")
        case BoundaryAction.CHANGE | BoundaryAction.RENEW:
            # Nothing follows that could change or renew: the last period of a fixed term was paid for.
            ending.expire(subscription, recording, workflow.now())


_AT_PORTONE: Mapping[Act, _Now] = MappingProxyType(
    {
        Act.READ_CALL_AGAIN: tidying.read_again,
        Act.READ_SCHEDULE_AGAIN: stopping.settle_the_doubt,
        Act.PLAN_AGAIN: stopping.plan_again,
        Act.DELETE_OLD_KEYS: old_keys.delete_what_is_left,
        Act.TIDY: tidying.go_on,
        Act.OPEN: opening.go_on,
        Act.RESUME: resume.resume_by_itself,
        Act.LOOK_UP: _look_up,
        Act.LOOK_UP_OR_END: unpaid.look_or_end,
        Act.LOOK_UP_OR_CHARGE: unpaid.look_or_charge,
        Act.SCHEDULE: registering.go_on,
        Act.BEGIN_SCHEDULING: _begin_scheduling,
    }
)
"""What asks PortOne."""

_WRITTEN: Mapping[Act, Callable[[Subscription, Recording], None]] = MappingProxyType(
    {
        Act.ANNOUNCE: lambda subscription, recording: reminders.announce(subscription, recording, workflow.now()),
        Act.WITHDRAW_QUESTION: lambda subscription, recording: consenting.forget(
            subscription, recording, workflow.now()
        ),
        Act.LOOK_AT_WHAT_WAS_PUT_OFF: lambda subscription, _recording: subscription.state.reports.is_due_again(),
        Act.BEGIN_SKIPPED: lambda subscription, recording: skipping.begin(subscription, recording, workflow.now()),
        Act.ASK_FOR_CONSENT: lambda subscription, recording: consenting.gate(subscription, recording, workflow.now()),
        Act.END_PERIOD: _end_period,
        Act.COST_NOTHING: lambda subscription, recording: period_close.settle_skipped(
            subscription, recording, workflow.now()
        ),
        Act.END_WITHOUT_CARD: lambda subscription, recording: ending.end_without_a_card(
            subscription, recording, workflow.now()
        ),
    }
)
"""What is only written."""
