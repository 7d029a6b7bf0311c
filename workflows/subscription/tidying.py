"""What is left to do when a call was never answered, and when a subscription has ended: read again, take back, hand on.

A run that has ended stays until nothing of it is on its way any more; then nobody can be charged by it.
"""

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.calls import CallKind, CallOnItsWay
from billing.domain.facts import ScheduleFact
from billing.domain.states import ENDED, CycleState
from billing.domain.subscription import dunning, ending, scheduling
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict, judge, net_amount
from workflows.billing_key import old_keys
from workflows.charge import left_undecided, portone
from workflows.subscription import left_on_key
from workflows.unexpected_payment.notifications import hand_on

_DELETES = 3
"""How often an ended subscription tries to delete a key whose deletion is not answered; then it is left, and told."""

_ABOUT_A_KEY = frozenset({CallKind.ISSUE_KEY, CallKind.DELETE_KEY})


# ---------------------------------------------------------------- calls whose window is over


async def read_again(subscription: Subscription, recording: Recording) -> None:
    """Read once more what an unanswered call was about, now that it cannot be carried out any more.

    Of several of one kind about the same, the last one reads for all: each that read would send again by itself.
    """
    in_flight = subscription.state.in_flight
    call = in_flight.over(workflow.now())[0]
    if in_flight.is_followed(call):
        in_flight.is_over(call)
        return
    if call.kind in _ABOUT_A_KEY:
        await _read_key(subscription, recording, call)
    elif call.about == subscription.terms.merchant_uid and subscription.state.ended_at is None:
        subscription.state.schedule.look(workflow.now())
    elif call.about.startswith(subscription.start.subscription_id):
        # What somebody else had scheduled, and was taken back for a start, is theirs to schedule again.
        await _take_back(subscription, recording, call)
    in_flight.is_over(call)


async def _read_key(subscription: Subscription, recording: Recording, call: CallOnItsWay) -> None:
    """A key that was to be deleted, or that may have been issued for nobody, is not left behind."""
    charged = (
        subscription.state.method.is_there
        and call.about == subscription.terms.customer_uid
        and subscription.state.status not in ENDED
    )
    key = await portone.find_key(call.about)
    if key is None or charged:
        return
    if subscription.state.status in ENDED and subscription.state.after_end.tries < _DELETES:
        subscription.state.after_end.one_more_try()
        await old_keys.delete(subscription, recording, call.about, "nothing is charged by it")
    else:
        subscription.state.leave_key(call.about)


async def _take_back(subscription: Subscription, recording: Recording, call: CallOnItsWay) -> None:
    """An order number that nothing is to charge any more: what stands is revoked, and what ran is handed on."""
    row = await portone.find_schedule(call.about)
    if row is not None and row.status == "scheduled":
        await portone.unschedule(subscription, recording, row.customer_uid, call.about, f"take back {call.about}")
        row = await portone.find_schedule(call.about)
    rows = await portone.find_payments(call.about)
    await hand_on(subscription, recording, [each for each in rows if net_amount(each)])
    if row is not None and row.status == "scheduled" and not ending.is_late(subscription, workflow.now()):
        # It stands all the same: read once more, until it is taken back or has run.
        subscription.state.in_flight.is_unanswered(
            CallKind.UNSCHEDULE, call.about, workflow.now(), subscription.start.policy.quiet
        )


# ---------------------------------------------------------------- after the end


async def go_on(subscription: Subscription, recording: Recording) -> None:
    """Ask what is left on the key; where a charge was in doubt when it ended, its order is looked up too."""
    state = subscription.state
    state.after_end.at_once()
    try:
        order = state.cancel.take_open_order()
        if order is not None and order.merchant_uid != subscription.terms.merchant_uid:
            # Its number was given up since, and nobody looks at it any more.
            why = "PortOne had not finished a payment of it when the subscription was canceled"
            await left_undecided.leave(subscription, recording, order, why)
        if state.schedule.look_at is not None:
            await _look_at_the_last_order(subscription, recording)
        await left_on_key.look_once_more(subscription, recording)
    except ActivityError:
        state.after_end.try_again(workflow.now())


async def _look_at_the_last_order(subscription: Subscription, recording: Recording) -> None:
    state, number = subscription.state, subscription.terms.merchant_uid
    row = await portone.find_schedule(number)
    if row is not None and row.status == "scheduled":
        await portone.unschedule(subscription, recording, subscription.terms.customer_uid, number)
        row = scheduling.without_lag(subscription, await portone.find_schedule(number), workflow.now())
    rows = await portone.find_payments(number)
    paid = [each for each in rows if net_amount(each)]
    ran = row is not None and row.status == "executed"
    judged = judge(subscription.terms.expected(), rows, row, known_failures=state.period.known_failures)
    not_shown = ran and judged.finding is Finding.ABSENT and not _has_failed(row)
    # What was paid, but not as ordered, was seen: that a look shows nothing of it proves nothing.
    hidden = state.period.state is CycleState.MISMATCH and judged.finding in (Finding.ABSENT, Finding.REVOKED)
    unproven = (judged.finding is Finding.PENDING and (ran or bool(rows))) or not_shown or hidden
    still = row is not None and row.status == "scheduled"
    await hand_on(subscription, recording, paid)
    state.schedule.was_read(stands=still)
    if not (still or unproven or state.in_flight.may_charge(number)):
        state.schedule.look(None)
        _write_what_it_came_to(subscription, recording, workflow.now(), judged, paid=bool(paid))
    elif not ending.is_late(subscription, workflow.now()):
        state.schedule.look(workflow.now())
        state.after_end.try_again(workflow.now())
    else:
        state.schedule.look(None)
        if unproven:
            why = judged.reason or judged.finding.value
            await left_undecided.leave(subscription, recording, subscription.terms.ordered(), why)


def _write_what_it_came_to(
    subscription: Subscription, recording: Recording, now: datetime, judged: Verdict, *, paid: bool
) -> None:
    """What was told as unknown is known now; what was paid is written by the workflow that gives it back."""
    state = subscription.state
    if not paid and state.period.state is not CycleState.UNKNOWN:
        return
    charge = ChargeAtOrder.PAID
    if not paid:
        charge = ChargeAtOrder.REVOKED
        if judged.finding is Finding.DECLINED:
            charge = ChargeAtOrder.DECLINED
            dunning.write_the_last_decline(subscription, recording, now, judged)
        else:
            state.period.move(CycleState.REVOKED)
            recording.close_order(CycleState.REVOKED, state.end_reason or "taken back", now)
            recording.write("the charge was taken back", now)
    state.cancel.charge_came_to(charge)


def _has_failed(row: ScheduleFact | None) -> bool:
    return row is not None and row.payment_status == "failed"
