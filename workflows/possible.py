"""Which orders make sense at this moment: asked by the updates' validators, and again when the main loop gets to them.

A refusal is an ApplicationError whose type is a stable code; the api turns it into a problem document.
"""

from datetime import datetime, timedelta

from temporalio.exceptions import ApplicationError

from billing.domain import refusals
from billing.domain.bills import Holding
from billing.domain.consent import ConsentDecision
from billing.domain.merchant_uid import MAX_GENERATION
from billing.domain.parked import DECISIONS, Decision
from billing.domain.plans import MAX_TRIAL_DAYS, PlanTerms
from billing.domain.records import PendingChange
from billing.domain.states import ENDED, ConsentState, CycleState, SubscriptionStatus
from billing.domain.subscription.choices import When
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.records import ParkedItem
from billing.domain.subscription.state import SubscriptionState
from workflows.orders import (
    AnswerConsent,
    CancelChange,
    CancelSubscription,
    ChangePaymentMethod,
    ChangePlan,
    ChangeTrial,
    Decide,
    Order,
    PauseSubscription,
    ResumeSubscription,
    RetryNow,
    UndoCancel,
)

OWING = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})
ANSWERED = frozenset({ConsentState.GRANTED, ConsentState.REFUSED, ConsentState.LAPSED})
MOST_RENUMBERINGS = MAX_GENERATION - 10
"""A period has so many order numbers: a command that needs another one is refused before they run out, and dunning
that needs one plans no further attempt."""


def decisions(state: SubscriptionState) -> tuple[Decision, ...]:
    """What a person may decide of the first thing that stands parked; nothing where none does."""
    return tuple(DECISIONS[state.parked[0].kind]) if state.parked else ()


def item_of(order: DecisionTaken, state: SubscriptionState) -> ParkedItem:
    """What a decision is about.

    Raises:
        ApplicationError: `nothing_parked`, `already_decided`, `several_parked`, or `not_allowed`.
    """
    if order.parked_id is None:
        _need(bool(state.parked), "nothing_parked", "nothing stands parked")
        _need(len(state.parked) == 1, "several_parked", "several things stand parked")
    item = next((each for each in state.parked if order.parked_id in (None, each.parked_id)), None)
    if item is None:
        raise _refused("already_decided", "it stands no longer: somebody has decided, or it was found out meanwhile")
    allowed = DECISIONS[item.kind]
    words = ", ".join(each.value for each in allowed)
    _need(order.decision in allowed, "not_allowed", f"allowed of {item.kind.value}: {words}")
    return item


def check(order: Order, state: SubscriptionState, terms: PlanTerms, now: datetime, charged_key: str) -> None:
    """Refuse an order that makes no sense now; `charged_key` is the customer_uid of the key that is charged.

    Raises:
        ApplicationError: `SubscriptionEnded`, or the code of what stands in its way.
    """
    if state.status in ENDED and isinstance(order, CancelSubscription) and state.canceled is not None:
        # Asked again while something of it is still on its way: what is known by now is told.
        return
    if state.status in ENDED:
        raise _refused("SubscriptionEnded", f"the subscription is {state.status.value}")
    begins_parked = isinstance(order, Decide) and bool(state.parked)
    if isinstance(order, CancelSubscription) or begins_parked:
        if isinstance(order, Decide):
            item_of(order, state)
        return
    _need(state.status is not SubscriptionStatus.INCOMPLETE, "not_begun", "the first charge is not settled yet")
    match order:
        case ChangePlan():
            _check_change(order, state, terms)
        case PauseSubscription():
            _check_pause(order, state, terms, now)
        case ResumeSubscription():
            _check_resume(order, state, terms)
        case ChangeTrial():
            _check_trial(order, state, terms, now)
        case ChangePaymentMethod():
            _check_payment_method(order, state, charged_key)
        case _:
            _check_what_it_answers(order, state)


def _check_what_it_answers(order: Order, state: SubscriptionState) -> None:
    """Orders that answer something: it must be there."""
    match order:
        case UndoCancel():
            _need(state.cancel_at_period_end, "not_canceled", "no cancel at period end is set")
            _check_numbers(state)
        case CancelChange():
            _need(state.pending_change is not None, "no_pending_change", "no change is pending")
            if state.coming_change is not None:
                _need(not _stands(state), "parked", "it stands parked")
                _need(not state.retries_over, "no_attempt_planned", "no further attempt is planned")
                _check_numbers(state)
        case RetryNow():
            _need(state.status in OWING, "nothing_to_retry", "no period is unpaid")
            _need(not _stands(state), "parked", "it stands parked")
            lost = state.hard_declined and state.retries_over
            _need(not lost, "hard_declined", "the card was declined for good")
        case AnswerConsent():
            _check_consent(order, state)
        case Decide():
            item_of(order, state)


def _check_consent(order: AnswerConsent, state: SubscriptionState) -> None:
    """One answer counts, but a refusal may be thought better of; consent that was given is taken back by canceling."""
    reconsidered = state.consent is ConsentState.REFUSED and order.decision is ConsentDecision.GRANTED
    answered = state.consent in ANSWERED and not reconsidered
    _need(not answered, "consent_answered", f"it was answered before: {state.consent.value}")
    asked = state.consent is ConsentState.ASKED or reconsidered
    opens_at = state.consent_need.opens_at.isoformat() if state.consent_need is not None else None
    when = f"; it will be from {opens_at}" if state.consent is ConsentState.WINDOW_CLOSED else ""
    _need(asked, "consent_not_asked", f"no consent is asked for now{when}")


def _check_resume(order: ResumeSubscription, state: SubscriptionState, terms: PlanTerms) -> None:
    paused = state.status is SubscriptionStatus.PAUSED or state.pause_at_period_end
    _need(paused, "not_paused", "it is not paused, and no pause is set")
    held = state.pending_change.plan if state.pending_change is not None else terms
    has_to_pay = state.status is SubscriptionStatus.PAUSED and held.price.amount > 0
    _need(state.has_card or not has_to_pay, "no_payment_method", "there is no payment method")
    _need(not _stands(state), "parked", "it stands parked")
    agrees = order.consent is None or order.consent.decision is ConsentDecision.GRANTED
    _need(agrees, "consent_refused", "whoever refuses does not resume")
    _check_numbers(state)


def _check_pause(order: PauseSubscription, state: SubscriptionState, terms: PlanTerms, now: datetime) -> None:
    _need(state.status is not SubscriptionStatus.PAUSED, "already_paused", "it is paused already")
    _need(state.status not in OWING, "pause_unpaid", "a period is not paid, and a pause would leave it owed")
    _need(state.status is SubscriptionStatus.ACTIVE, "not_active", "only an active subscription can be paused")
    _need(not state.cancel_at_period_end, "cancel_is_set", "it ends with its period")
    _need(not _stands(state), "parked", "it stands parked")
    _need(order.resumes_at is None or order.resumes_at > now, "in_the_past", "resumes_at must lie ahead")
    if order.at is When.PERIOD_END:
        _need(state.another_begins(terms.max_cycles), "term_ends", "the fixed term ends with this period")
        early = order.resumes_at is not None and state.period_end is not None and order.resumes_at <= state.period_end
        _need(not early, "before_the_pause", "resumes_at must lie behind the end of the period")
    _check_numbers(state)


def _check_trial(order: ChangeTrial, state: SubscriptionState, terms: PlanTerms, now: datetime) -> None:
    _need(state.status is SubscriptionStatus.TRIALING, "not_trialing", "it is not in a trial")
    _need(not _stands(state), "parked", "it stands parked")
    if order.ends_at is None:
        _need(not state.cancel_at_period_end, "cancel_is_set", "it ends with its trial")
        coming = state.pending_change.plan if state.pending_change is not None else terms
        asks = terms.consent_required or coming.consent_required
        consents = order.consent is not None and order.consent.decision is ConsentDecision.GRANTED
        message = "its end needs the buyer's consent"
        _need(consents or not asks, "consent_needed", message)
    else:
        _need(order.ends_at > now, "in_the_past", "ends_at must lie ahead")
        last = now + timedelta(days=MAX_TRIAL_DAYS)
        _need(order.ends_at <= last, "too_far_ahead", f"ends_at must lie at most {MAX_TRIAL_DAYS} days ahead")
    _check_numbers(state)


def _check_change(order: ChangePlan, state: SubscriptionState, terms: PlanTerms) -> None:
    if state.status in OWING:
        message = "a period is not paid, so there is nothing paid that a change now could prorate"
        _need(order.at is When.PERIOD_END, "period_unpaid", message)
        message = "the change that is pending comes with a period that is not paid, and is part of its price"
        _need(state.coming_change is None, "change_unpaid", message)
    _need(not state.cancel_at_period_end, "cancel_is_set", "it ends with its period")
    _need(not _stands(state), "parked", "it stands parked")
    if order.at is When.NOW:
        paused = state.status is SubscriptionStatus.PAUSED
        _need(not paused, "not_active", "what is paused changes with the period it resumes with")
    if order.plan is not None:
        same = order.plan.price.currency == terms.price.currency
        _need(same, "currency_changed", f"a change keeps its currency, {terms.price.currency}")
    _check_what_it_changes_to(order, state, terms)
    _check_numbers(state)


def _check_what_it_changes_to(order: ChangePlan, state: SubscriptionState, terms: PlanTerms) -> None:
    held = PendingChange(terms, state.quantity, state.coupon)
    after = order.instead_of(held, state.pending_change)
    try:
        Holding(after.plan, after.quantity, after.coupon)
    except ValueError as error:
        raise _refused("does_not_fit", str(error)) from None
    another = (after.plan.interval, after.plan.zone) != (terms.interval, terms.zone)
    begun = order.at is When.NOW and not another and state.status is SubscriptionStatus.ACTIVE
    ahead = 0 if begun else 2 if state.status in OWING else 1
    periods, term = state.paid_cycles + ahead, after.plan.max_cycles
    enough = state.another_begins(term, periods - 1)
    _need(enough, "term_is_over", f"it would be in period {periods} of a plan that ends after {term}")


def _check_payment_method(order: ChangePaymentMethod, state: SubscriptionState, charged_key: str) -> None:
    same = state.has_card and order.customer_uid == charged_key
    _need(not same, "same_billing_key", "this key is the one that is charged already")
    parked = _stands(state) or (state.cycle_state is CycleState.REVOKED and state.parked_reason is not None)
    _need(not parked, "parked", "it stands parked")
    _check_numbers(state)


def _check_numbers(state: SubscriptionState) -> None:
    _need(state.generation < MOST_RENUMBERINGS, "too_many_changes", "too many changes in one period")


def _stands(state: SubscriptionState) -> bool:
    """Whether the open period waits for a person; a schedule that was revoked elsewhere is not set up again unasked."""
    revoked_elsewhere = state.cycle_state is CycleState.REVOKED and state.parked_reason is not None
    return revoked_elsewhere or state.cycle_state in (CycleState.MISMATCH, CycleState.UNKNOWN)


def _need(condition: bool, code: str, message: str) -> None:
    if not condition:
        raise _refused(code, message)


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(refusals.told(code, message), type=code, non_retryable=True)
