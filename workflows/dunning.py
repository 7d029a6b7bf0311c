"""After a decline: the retries of one cycle, all under its one order number, and what comes when they are over."""

from datetime import datetime

from temporalio import workflow

from billing.domain.declines import DeclineClass, classify
from billing.domain.dunning import EndAction
from billing.domain.events import EventType
from billing.domain.merchant_uid import MAX_GENERATION
from billing.domain.states import CycleState, DunningState, SubscriptionStatus
from billing.domain.subscription.records import Booking
from billing.domain.verdict import Finding, Verdict
from workflows import failing, policies, scheduling, telling
from workflows.ports import LedgerActivities
from workflows.subscription_run import SubscriptionRun


async def after_decline(
    run: SubscriptionRun, verdict: Verdict, *, by_hand: bool = False, planned: datetime | None = None
) -> None:
    """Book the decline, become `past_due`, and put the next attempt in place; act when there will be none.

    An attempt made `by_hand` does not spend the budget of retries, and the one that was `planned` stays; one that took
    so long that the planned one's day came stands for it.
    """
    state, payment = run.state, verdict.payment
    if state.status is SubscriptionStatus.INCOMPLETE:
        await failing.first_charge_failed(run, verdict)
        return
    failed_at = _failed_at(run, verdict)
    if planned is not None and planned <= failed_at:
        by_hand, planned = False, None
    _note_the_decline(run, verdict, failed_at, by_hand=by_hand)
    result = run.result(CycleState.DECLINED, payment, verdict.reason)
    next_at = await _next_attempt_at(run, failed_at, planned)
    another_number = next_at is not None and not scheduling.number_is_reusable(run)
    if another_number and state.generation >= MAX_GENERATION:
        # There is no order number left for another attempt: the period waits for the end of its dunning.
        next_at, another_number = None, False
    was = state.status
    if was is not SubscriptionStatus.UNPAID:
        state.become(SubscriptionStatus.PAST_DUE)
    if next_at is None:
        state.retries_over = True
    else:
        state.retries_over = False
        state.due_at = next_at
        state.looks = 0
    note_where_it_stands(run, next_at)
    _tell(run, was, verdict)
    if is_over(run) and not run.orders:
        act(run)
    if another_number:
        # PortOne has run this number and it is verified unpaid: only now may another one stand for the cycle.
        state.next_generation()
    await run.write(
        f"attempt {state.failed_attempts} of period {state.cycle} was declined",
        results=[result],
        payments=[payment] if payment else [],
        intents=[run.intent()] if another_number else [],
    )
    if next_at is not None and state.booking is Booking.RESCHEDULE:
        scheduling.begin(run, anew=True)


async def after_found_decline(run: SubscriptionRun, verdict: Verdict) -> None:
    """Book a decline that a look found: of the planned attempt when its day has come, else of somebody's own."""
    state = run.state
    early = state.due_at - workflow.now() > policies.SCHEDULE_MARGIN
    somebody_elses = (
        run.start.policy.dunning is not None and state.failed_attempts > 0 and (state.retries_over or early)
    )
    planned = state.due_at if early and not state.retries_over else None
    await after_decline(run, verdict, by_hand=somebody_elses, planned=planned if somebody_elses else None)


def _note_the_decline(run: SubscriptionRun, verdict: Verdict, failed_at: datetime, *, by_hand: bool) -> None:
    state, payment = run.state, verdict.payment
    state.move(CycleState.DECLINED)
    state.booked = False
    state.parked_reason = None
    state.number_declined = True
    state.failed_attempts += 1
    state.spent_attempts += 0 if by_hand else 1
    state.first_failed_at = state.first_failed_at or failed_at
    state.hard_declined = classify(state.pg_provider, verdict.reason) is DeclineClass.HARD
    state.last_failure = verdict.reason or "declined"
    state.last_failure_code = "charge_declined"
    failed = run.failures_seen | ({payment.imp_uid} if payment is not None else set())
    state.known_failures = sorted({*state.known_failures, *failed})
    run.failures_seen = set()


async def _next_attempt_at(run: SubscriptionRun, failed_at: datetime, planned: datetime | None) -> datetime | None:
    state, policy = run.state, run.start.policy.dunning
    if policy is None:
        return planned or run.start.policy.retries.next_attempt_at(state.failed_attempts, failed_at)
    if state.hard_declined:
        return None
    next_at = planned or policy.next_attempt_at(DeclineClass.SOFT, max(1, state.spent_attempts), failed_at)
    return next_at if next_at is None else await card_may_be_tried_at(run, next_at, failed_at)


async def card_may_be_tried_at(run: SubscriptionRun, at: datetime, *just_tried: datetime) -> datetime:
    """The earliest instant from `at` on at which the schemes allow one more attempt on the card.

    They count the attempts on a card over all subscriptions; what was `just_tried` is not in the ledger yet.
    """
    policy = run.start.policy.dunning
    if policy is None:
        return at
    attempts = await workflow.execute_activity_method(
        LedgerActivities.attempts_on_card,
        run.customer_uid,
        summary=f"attempts on the card of {run.customer_uid}",
        **policies.LEDGER,
    )
    return policy.next_allowed([*attempts, *just_tried], at)


def note_where_it_stands(run: SubscriptionRun, next_at: datetime | None) -> None:
    """Note whether an attempt is to come; that access ends is noted when it is announced."""
    policy, state = run.start.policy.dunning, run.state
    if policy is None:
        return
    if state.end_action_taken:
        state.dun(DunningState.ENDED if next_at is None else DunningState.SUSPENDED)
    elif state.dunning is not DunningState.SUSPENDED:
        state.dun(DunningState.GRACE if next_at is None else DunningState.RETRYING)


def ends_at(run: SubscriptionRun) -> datetime | None:
    """When the end action is due; None where it was taken, or where an attempt is still to come."""
    policy, state = run.start.policy.dunning, run.state
    if not state.retries_over or state.end_action_taken:
        return None
    if policy is None or state.first_failed_at is None:
        return workflow.now()
    return policy.ends_at(state.first_failed_at)


def is_over(run: SubscriptionRun) -> bool:
    """Whether the end action is due."""
    over_at = ends_at(run)
    return over_at is not None and workflow.now() >= over_at


def act(run: SubscriptionRun) -> None:
    """Every attempt is used up: cancel, close access and keep the key, or leave it as it is."""
    state, policy = run.state, run.start.policy.dunning
    reason = f"every retry was declined: {state.last_failure}"
    end_action = EndAction.CANCEL if policy is None else policy.end_action
    if end_action is EndAction.LEAVE and state.dunning is not DunningState.SUSPENDED:
        # The grace ends at this very moment, and no other event will say that access does.
        state.dun(DunningState.SUSPENDED)
        run.tell(EventType.SUBSCRIPTION_SUSPENDED, "the grace has ended", telling.subscription(run, reason))
    state.end_action_taken = True
    if policy is not None:
        state.dun(DunningState.ENDED)
    match end_action:
        case EndAction.CANCEL:
            state.end(SubscriptionStatus.CANCELED, workflow.now(), reason)
            run.tell(EventType.SUBSCRIPTION_CANCELED, reason, telling.subscription(run))
        case EndAction.UNPAID:
            state.become(SubscriptionStatus.UNPAID)
            run.tell(EventType.SUBSCRIPTION_UNPAID, reason, telling.subscription(run, reason))
        case EndAction.LEAVE:
            pass


def _tell(run: SubscriptionRun, was: SubscriptionStatus, verdict: Verdict) -> None:
    state = run.state
    if was is not SubscriptionStatus.PAST_DUE and state.status is SubscriptionStatus.PAST_DUE:
        run.tell(EventType.SUBSCRIPTION_PAST_DUE, "a period is due and not paid", telling.subscription(run))
    run.tell(
        EventType.CHARGE_DECLINED,
        f"attempt {state.failed_attempts} of period {state.cycle} was declined: {state.last_failure}",
        telling.charge(run, CycleState.DECLINED, verdict.payment, verdict.reason),
    )


def as_declined(verdict: Verdict) -> Verdict:
    """Proven not to have run, for hours: the attempt is used up, the ladder goes on."""
    return Verdict(Finding.DECLINED, None, verdict.reason) if verdict.finding is Finding.ABSENT else verdict


def _failed_at(run: SubscriptionRun, verdict: Verdict) -> datetime:
    """When PortOne says it failed; its clock decides when it accepts the next attempt, so it is not before ours.

    In whole seconds, as PortOne books: what is told of the next attempt is the instant at which it stands there.
    """
    failed_at = verdict.payment.failed_at if verdict.payment else None
    return max(failed_at or run.state.due_at, workflow.now().replace(microsecond=0))
