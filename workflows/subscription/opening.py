"""The first minutes: the billing key, and the first charge or the trial."""

from datetime import datetime, timedelta

from temporalio import workflow

from billing.domain import calls
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import beginnings, ending, payloads, pg_fit, scheduling
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.opening import OpeningStep
from billing.domain.subscription.period_close import settle_paid, settle_skipped
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.standing import stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict
from workflows import policies
from workflows.billing_key import ended_key
from workflows.billing_key.issuing import discard_card, failure_code, found, issue_once
from workflows.charge import attempts, portone, registering
from workflows.charge.attempts import Proven
from workflows.contracts import IssueBillingKey, KeyAnswer
from workflows.subscription import taking_over

GIVES_UP_AFTER = timedelta(days=1)
"""A start that PortOne does not answer for so long has failed: nobody waits for it any more."""


def begin(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Write down that a subscription has begun, with the intent of its first charge, before anything can charge it."""
    recording.emit(
        EventType.SUBSCRIPTION_CREATED,
        f"{subscription.terms.plan.name} has begun",
        payloads.subscription(subscription),
        now,
    )
    recording.write("open the subscription", now, intents=[subscription.intent()])


async def go_on(subscription: Subscription, recording: Recording) -> None:
    """Take the next step toward `active` or `trialing`, or to `incomplete_expired` with the reason."""
    state = subscription.state
    state.opening.wait_until(None)
    if state.status is not SubscriptionStatus.INCOMPLETE:
        await _take_the_key_of_what_was_paid(subscription, recording)
        return
    if state.period.state is CycleState.MISMATCH:
        await _end_what_was_not_paid_as_ordered(subscription, recording)
        return
    if _takes_too_long(subscription, workflow.now()):
        ending.start_failed(
            subscription, recording, workflow.now(), "portone_unavailable", "PortOne did not answer for a day"
        )
        return
    match state.opening.step:
        case OpeningStep.CARD:
            await _look_for_a_key(subscription, recording)
        case OpeningStep.ISSUE:
            await _issue(subscription, recording)
        case OpeningStep.ISSUE_IN_DOUBT:
            await _settle_the_issue(subscription)
        case OpeningStep.KEY:
            await _take_the_key(subscription, recording)
        case OpeningStep.FIRST_SCHEDULE:
            await _schedule_with_the_card(subscription, recording)
        case OpeningStep.OVER:
            pass


def _takes_too_long(subscription: Subscription, now: datetime) -> bool:
    """Whether a start that has charged nothing yet is given up."""
    began_at = subscription.state.began_at or subscription.state.started_at
    return now >= began_at + GIVES_UP_AFTER


# ---------------------------------------------------------------- the key


async def _look_for_a_key(subscription: Subscription, recording: Recording) -> None:
    trial = subscription.state.periods.trial_ends_at is not None
    if subscription.start.without_card:
        subscription.state.method.is_without_a_card()
        begin = _begin_trial if trial else _skip
        begin(subscription, recording, workflow.now(), None)
        return
    key = await portone.find_key(subscription.start.customer_uid)
    if subscription.start.vault_handle is None:
        if key is None:
            ending.start_failed(
                subscription,
                recording,
                workflow.now(),
                "billing_key_not_found",
                f"PortOne has no billing key for {subscription.start.customer_uid!r}",
            )
            return
        _note_key(subscription, key)
        subscription.state.opening.go_to(OpeningStep.KEY)
    elif key is not None and await _has_no_name(subscription, recording, key, subscription.start.vault_handle):
        return
    elif trial and scheduling.within_horizon(subscription, workflow.now()) and _may_be_scheduled(subscription):
        _lay_the_trial(subscription)
        subscription.state.opening.go_to(OpeningStep.FIRST_SCHEDULE)
        scheduling.begin(subscription)
    else:
        subscription.state.opening.go_to(OpeningStep.ISSUE)


async def _issue(subscription: Subscription, recording: Recording) -> None:
    answer = await issue_once(subscription, recording, _issue_order(subscription))
    if answer.outcome is KeyOutcome.ISSUED and answer.key is not None:
        _is_issued(subscription, answer.key)
    elif answer.outcome in (KeyOutcome.REFUSED, KeyOutcome.CARD_GONE):
        await _is_not_issued(subscription, recording, answer)
    else:
        _in_doubt(subscription, workflow.now(), answer)
        if subscription.state.opening.step is not OpeningStep.ISSUE_IN_DOUBT:
            await _is_not_issued(subscription, recording, answer)


def _in_doubt(subscription: Subscription, now: datetime, answer: KeyAnswer) -> None:
    """Nobody knows what became of the card: the key is looked up before it is sent again, a few times."""
    state, ladder = subscription.state, policies.ISSUE_AGAIN_AFTER
    state.period.failed(answer.message or state.period.last_failure)
    if state.opening.tries < len(ladder):
        state.opening.try_again(now + ladder[state.opening.tries])
        state.opening.go_to(OpeningStep.ISSUE_IN_DOUBT)
    else:
        state.opening.go_to(OpeningStep.ISSUE)


async def _settle_the_issue(subscription: Subscription) -> None:
    answer = await found(subscription, _issue_order(subscription))
    if answer is not None and answer.key is not None:
        _is_issued(subscription, answer.key)
    else:
        subscription.state.opening.go_to(OpeningStep.ISSUE)


def _is_issued(subscription: Subscription, key: BillingKeyFact) -> None:
    subscription.state.period.failed(None)
    _note_key(subscription, key)
    subscription.state.method.is_issued(key)
    subscription.state.opening.go_to(OpeningStep.KEY)


async def _is_not_issued(subscription: Subscription, recording: Recording, answer: KeyAnswer) -> None:
    """Of a card that was sent before, a key may still come: that doubt is what there is to say."""
    doubt = answer.outcome is KeyOutcome.CARD_GONE and subscription.state.opening.tries > 0
    outcome = KeyOutcome.UNKNOWN if doubt else answer.outcome
    message = subscription.state.period.last_failure if doubt else answer.message
    if answer.outcome not in (KeyOutcome.REFUSED, KeyOutcome.CARD_GONE) and subscription.start.vault_handle is not None:
        await discard_card(subscription.start.vault_handle)
    ending.start_failed(
        subscription, recording, workflow.now(), failure_code(outcome), message or "the card was not accepted"
    )


def _issue_order(subscription: Subscription) -> IssueBillingKey:
    assert subscription.start.vault_handle is not None  # noqa: S101 - a key is issued from a card
    return IssueBillingKey(
        customer_uid=subscription.start.customer_uid,
        vault_handle=subscription.start.vault_handle,
        channel=subscription.start.channel,
        customer=subscription.start.customer,
    )


async def _take_the_key(subscription: Subscription, recording: Recording) -> None:
    """The key is there: what its PG cannot bill, or what stands on it, is found out before anything is charged."""
    issued_before = subscription.start.vault_handle is None
    key = subscription.state.method.issued or await portone.find_key(subscription.start.customer_uid)
    if key is None:
        ending.start_failed(
            subscription,
            recording,
            workflow.now(),
            "billing_key_not_found",
            f"PortOne has no billing key for {subscription.start.customer_uid!r}",
        )
        return
    found_on_it = await taking_over.look(subscription, key) if issued_before else None
    if issued_before and found_on_it is None:
        return
    if _is_refused_by_pg(subscription, recording, workflow.now(), key, found_on_it):
        return
    if found_on_it is not None and await _is_taken_over(subscription, recording, key, found_on_it):
        subscription.state.opening.go_to(OpeningStep.OVER)
        return
    _begin(subscription, recording, workflow.now(), key)


async def _has_no_name(
    subscription: Subscription, recording: Recording, key: BillingKeyFact, vault_handle: str
) -> bool:
    """Whether the key under its name keeps the start from issuing another: the start ends here."""
    in_the_way = await ended_key.clear_the_name(subscription, recording, key)
    if in_the_way is None:
        return False
    await discard_card(vault_handle)
    if in_the_way.standing:
        subscription.state.after_end.found(in_the_way.standing)
    ending.start_failed(subscription, recording, workflow.now(), in_the_way.code, in_the_way.reason)
    return True


def _begin(subscription: Subscription, recording: Recording, now: datetime, key: BillingKeyFact | None) -> None:
    subscription.state.method.is_issued(key)
    if subscription.state.periods.trial_ends_at is not None:
        _begin_trial(subscription, recording, now, key)
    elif subscription.start.paid_until is not None:
        subscription.state.opening.go_to(OpeningStep.OVER)
        beginnings.paid_elsewhere(subscription, recording, now, key)
    elif subscription.terms.bill().amount.amount == 0:
        _skip(subscription, recording, now, key)
    else:
        subscription.state.opening.go_to(OpeningStep.OVER)
        subscription.state.period.move(CycleState.VERIFYING)
        attempts.begin(subscription, now, Purpose.FIRST)


def _skip(subscription: Subscription, recording: Recording, now: datetime, key: BillingKeyFact | None) -> None:
    subscription.state.opening.go_to(OpeningStep.OVER)
    settle_skipped(subscription, recording, now, billing_key=key)


async def _is_taken_over(
    subscription: Subscription, recording: Recording, key: BillingKeyFact, found: taking_over.Found
) -> bool:
    """Whether what stands on the key decided the start: it is refused, or its first period is taken over."""
    taken = await taking_over.take(subscription, recording, found)
    if taken.refusal is not None:
        subscription.state.after_end.found(taken.standing)
        ending.start_failed(subscription, recording, workflow.now(), taken.refusal.value, taken.reason)
    elif taken.paid is not None:
        beginnings.paid_already(subscription, recording, workflow.now(), taken.paid, key)
    elif taken.follows is not None:
        beginnings.scheduled_already(subscription, recording, workflow.now(), taken.follows, key)
    return taken.refusal is not None or taken.paid is not None or taken.follows is not None


async def _take_the_key_of_what_was_paid(subscription: Subscription, recording: Recording) -> None:
    """The first charge was paid in the console before the start came to it: what is left to do is to take the key.

    A key that is not the one of this start's card is not charged; nor is one taken for absent by a single look.
    """
    state, now = subscription.state, workflow.now()
    ours = subscription.start.vault_handle is None or state.opening.step not in (OpeningStep.CARD, OpeningStep.ISSUE)
    key = await portone.find_key(subscription.start.customer_uid) if ours else None
    if ours and key is None and not _is_proven_absent(subscription, now):
        state.opening.wait_until(calls.next_end(state.in_flight.calls) or now + policies.ROW_LOOKS[-1])
        return
    await _discard_the_card(subscription)
    state.opening.go_to(OpeningStep.OVER)
    if key is None:
        state.method.is_without_a_card()
    else:
        _note_key(subscription, key)
        state.method.is_issued(key)
    recording.write("the first charge was paid before it stood", workflow.now(), billing_key=key)


def _is_proven_absent(subscription: Subscription, now: datetime) -> bool:
    """Whether no call that issues the key is on its way, and looks have lagged behind for no longer than they may."""
    state = subscription.state
    began_at = state.began_at or state.started_at
    return not state.in_flight.calls and subscription.start.policy.quiet.counts(began_at, now)


async def _end_what_was_not_paid_as_ordered(subscription: Subscription, recording: Recording) -> None:
    """The first charge holds money that is not as ordered before the start came to it: it fails, and that goes back."""
    await _discard_the_card(subscription)
    # The key stays in the books, so that the next start knows whose it was.
    subscription.state.method.is_issued(await portone.find_key(subscription.start.customer_uid))
    reason = subscription.state.period.parked_reason or "it was not paid as ordered"
    ending.first_charge_failed(subscription, recording, workflow.now(), Verdict(Finding.MISMATCH, None, reason))


def _is_refused_by_pg(
    subscription: Subscription,
    recording: Recording,
    now: datetime,
    key: BillingKeyFact,
    found: taking_over.Found | None,
) -> bool:
    """Whether the PG behind the key could not bill what is held: the start ends here, and nothing was charged."""
    refusal = pg_fit.of_key(subscription, key.pg_provider)
    if refusal is None:
        return False
    if subscription.start.vault_handle is not None:
        subscription.state.forget_key(subscription.start.customer_uid)
    ending.start_failed(
        subscription,
        recording,
        now,
        refusal.code,
        refusal.detail + (found.charged_at_issue() if found is not None else ""),
    )
    return True


def _may_be_scheduled(subscription: Subscription) -> bool:
    """Whether the charge behind the trial may stand at PortOne already: it costs something, and needs no consent."""
    return subscription.terms.bill().amount.amount > 0 and not subscription.terms.plan.consent_required


# ---------------------------------------------------------------- the trial


def _lay_the_trial(subscription: Subscription) -> None:
    subscription.state.periods.enter(subscription.state.started_at, subscription.state.period.due_at)


def _begin_trial(subscription: Subscription, recording: Recording, now: datetime, key: BillingKeyFact | None) -> None:
    _lay_the_trial(subscription)
    subscription.state.opening.go_to(OpeningStep.OVER)
    subscription.state.become(SubscriptionStatus.TRIALING)
    recording.emit(
        EventType.SUBSCRIPTION_TRIALING,
        f"a trial until {subscription.terms.local(subscription.state.period.due_at)}",
        payloads.subscription(subscription),
        now,
    )
    recording.write("the trial has begun", now, billing_key=key)


async def _schedule_with_the_card(subscription: Subscription, recording: Recording) -> None:
    """Issue-and-schedule in one call, PortOne's own way for a customer_uid it does not know yet."""
    tried = await registering.try_once(subscription, recording, subscription.start.vault_handle)
    if tried.card_gone:
        ending.start_failed(subscription, recording, workflow.now(), CARD_GONE, tried.refusal or "the card is gone")
    elif tried.refusal is not None:
        await _discard_the_card(subscription)
        # The key may have come to be although the schedule did not: left alone, it would refuse every later start.
        if await portone.find_key(subscription.start.customer_uid) is not None:
            subscription.state.forget_key(subscription.start.customer_uid)
        ending.start_failed(subscription, recording, workflow.now(), "billing_key_refused", tried.refusal)
    elif tried.stands:
        await _discard_the_card(subscription)
        key = await portone.find_key(subscription.start.customer_uid)
        if key is not None:
            _note_key(subscription, key)
        else:
            subscription.state.method.stands_since(workflow.now())
        # A schedule stands on it, so it is there, although it is not listed yet.
        its_name = BillingKeyFact(customer_uid=subscription.start.customer_uid)
        _begin_trial(subscription, recording, workflow.now(), key or its_name)
    else:
        subscription.state.opening.wait_until(subscription.state.schedule.next_try_at)


async def _discard_the_card(subscription: Subscription) -> None:
    if subscription.start.vault_handle is not None:
        await discard_card(subscription.start.vault_handle)


# ---------------------------------------------------------------- the first charge


def first_charged(subscription: Subscription, recording: Recording, now: datetime, proven: Proven) -> None:
    """The first charge is proven: paid, it has begun; else the start has failed, and is told before it is tidied up."""
    verdict = proven.verdict
    if verdict.finding is Finding.PAID:
        settle_paid(subscription, recording, now, verdict)
    elif verdict.finding is Finding.PENDING:
        stand(subscription, recording, now, CycleState.UNKNOWN, verdict)
    else:
        ending.first_charge_failed(subscription, recording, now, verdict)


def _note_key(subscription: Subscription, key: BillingKeyFact) -> None:
    subscription.state.method.note(key)
