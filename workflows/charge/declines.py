"""After a decline: the retries of one cycle, all under its one order number, and what comes when they are over."""

from datetime import datetime

from temporalio import workflow

from billing.domain.declines import DeclineClass
from billing.domain.merchant_uid import MAX_GENERATION
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import dunning, ending, scheduling
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.schedule import ChargedBy
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Verdict
from workflows import policies
from workflows.ports import LedgerActivities
from workflows.subscription.ledger import record


async def after_decline(
    subscription: Subscription,
    recording: Recording,
    verdict: Verdict,
    *,
    by_hand: bool = False,
    planned: datetime | None = None,
) -> None:
    """Book the decline, become `past_due`, and put the next attempt in place; act when there will be none.

    An attempt made `by_hand` does not spend the budget of retries, and the one that was `planned` stays; one that took
    so long that the planned one's day came stands for it.
    """
    state, payment = subscription.state, verdict.payment
    if state.status is SubscriptionStatus.INCOMPLETE:
        ending.first_charge_failed(subscription, recording, workflow.now(), verdict)
        return
    failed_at = dunning.failed_at(subscription, workflow.now(), verdict)
    if planned is not None and planned <= failed_at:
        by_hand, planned = False, None
    dunning.note_the_decline(subscription, verdict, failed_at, by_hand=by_hand)
    result = subscription.result(CycleState.DECLINED, payment, workflow.now(), verdict.reason)
    next_at = await _next_attempt_at(subscription, recording, failed_at, planned)
    another_number = next_at is not None and not subscription.terms.number_is_reusable()
    if another_number and state.period.generation >= MAX_GENERATION:
        # There is no order number left for another attempt: the period waits for the end of its dunning.
        next_at, another_number = None, False
    was = state.status
    if was is not SubscriptionStatus.UNPAID:
        state.become(SubscriptionStatus.PAST_DUE)
    if next_at is None:
        state.arrears.no_attempt_is_planned()
    else:
        state.arrears.an_attempt_is_planned()
        state.period.is_tried_next(next_at)
    dunning.note_where_it_stands(subscription, next_at)
    dunning.emit_decline(subscription, recording, workflow.now(), was, verdict)
    if another_number:
        # PortOne has run this number and it is verified unpaid: only now may another one stand for the cycle.
        state.take_next_number()
    recording.write(
        f"attempt {state.arrears.failed_attempts} of period {state.period.cycle} was declined",
        workflow.now(),
        results=[result],
        payments=[payment] if payment else [],
        intents=[subscription.intent()] if another_number else [],
    )
    if next_at is not None and state.schedule.charged_by is ChargedBy.RESCHEDULE:
        scheduling.begin(subscription, anew=True)


async def after_found_decline(subscription: Subscription, recording: Recording, verdict: Verdict) -> None:
    """Book a decline that a look found: of the planned attempt when its day has come, else of somebody's own."""
    state = subscription.state
    early = state.period.due_at - workflow.now() > policies.SCHEDULE_MARGIN
    somebody_elses = (
        subscription.start.policy.dunning is not None
        and state.arrears.failed_attempts > 0
        and (state.arrears.retries_over or early)
    )
    planned = state.period.due_at if early and not state.arrears.retries_over else None
    await after_decline(
        subscription, recording, verdict, by_hand=somebody_elses, planned=planned if somebody_elses else None
    )


async def _next_attempt_at(
    subscription: Subscription, recording: Recording, failed_at: datetime, planned: datetime | None
) -> datetime | None:
    state, policy = subscription.state, subscription.start.policy.dunning
    if policy is None:
        return planned or subscription.start.policy.retries.next_attempt_at(state.arrears.failed_attempts, failed_at)
    decline = DeclineClass.HARD if state.arrears.hard_declined else DeclineClass.SOFT
    next_at = policy.next_attempt_at(decline, max(1, state.arrears.spent), failed_at, planned)
    return next_at if next_at is None else await card_may_be_tried_at(subscription, recording, next_at, failed_at)


async def card_may_be_tried_at(
    subscription: Subscription, recording: Recording, at: datetime, *just_tried: datetime
) -> datetime:
    """The earliest instant from `at` on at which the schemes allow one more attempt on the card.

    They count the attempts on a card over all subscriptions; what was `just_tried` is not in the ledger yet.
    """
    policy = subscription.start.policy.dunning
    if policy is None:
        return at
    # Which card a key is, and what was tried on it, is counted by what is written.
    await record(recording)
    attempts = await workflow.execute_activity_method(
        LedgerActivities.attempts_on_card,
        subscription.terms.customer_uid,
        summary=f"attempts on the card of {subscription.terms.customer_uid}",
        **policies.LEDGER,
    )
    return policy.next_allowed([*attempts, *just_tried], at)
