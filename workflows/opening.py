"""The first minutes: the billing key, and the first charge or the trial."""

from datetime import timedelta

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.records import Opening, Purpose
from billing.domain.verdict import Finding
from workflows import (
    attempts,
    beginnings,
    ended_key,
    failing,
    old_keys,
    pg_checks,
    policies,
    portone,
    scheduling,
    taking_over,
    telling,
)
from workflows.attempts import Proven
from workflows.contracts import IssueBillingKey, KeyAnswer
from workflows.issuing import discard_card, failure_code, found, issue_once
from workflows.settling import stand
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid, settle_skipped

GIVES_UP_AFTER = timedelta(days=1)
"""A start that PortOne does not answer for so long has failed: nobody waits for it any more."""


async def begin(run: SubscriptionRun) -> None:
    """Write down that a subscription has begun, with the intent of its first charge, before anything can charge it."""
    run.tell(EventType.SUBSCRIPTION_CREATED, f"{run.plan.name} has begun", telling.subscription(run))
    await run.write("open the subscription", intents=[run.intent()])


async def go_on(run: SubscriptionRun) -> None:
    """Take the next step toward `active` or `trialing`, or to `incomplete_expired` with the reason."""
    state = run.state
    state.opens_at = None
    if _takes_too_long(run):
        await failing.expire(run, "portone_unavailable", "PortOne did not answer for a day")
        return
    match state.opening:
        case Opening.CARD:
            await _look_for_a_key(run)
        case Opening.ISSUE:
            await _issue(run)
        case Opening.ISSUE_IN_DOUBT:
            await _settle_the_issue(run)
        case Opening.KEY:
            await _take_the_key(run)
        case Opening.FIRST_SCHEDULE:
            await _schedule_with_the_card(run)
        case Opening.OVER:
            pass


def _takes_too_long(run: SubscriptionRun) -> bool:
    """Whether a start that has charged nothing yet is given up."""
    began_at = run.state.began_at or run.state.started_at
    return workflow.now() >= began_at + GIVES_UP_AFTER


# ---------------------------------------------------------------- the key


async def _look_for_a_key(run: SubscriptionRun) -> None:
    trial = run.state.trial_ends_at is not None
    if run.start.without_card:
        run.state.has_card = False
        await (_begin_trial(run, None) if trial else _skip(run, None))
        return
    key = await portone.find_key(run.start.customer_uid)
    if run.start.vault_handle is None:
        if key is None:
            await failing.expire(
                run, "billing_key_not_found", f"PortOne has no billing key for {run.start.customer_uid!r}"
            )
            return
        _note_key(run, key)
        run.state.opening = Opening.KEY
    elif key is not None and await _has_no_name(run, key, run.start.vault_handle):
        return
    elif trial and scheduling.within_horizon(run) and _may_be_scheduled(run):
        _lay_the_trial(run)
        run.state.opening = Opening.FIRST_SCHEDULE
        scheduling.begin(run)
    else:
        run.state.opening = Opening.ISSUE


async def _issue(run: SubscriptionRun) -> None:
    answer = await issue_once(run, _issue_order(run))
    if answer.outcome is KeyOutcome.ISSUED and answer.key is not None:
        await _is_issued(run, answer.key)
    elif answer.outcome in (KeyOutcome.REFUSED, KeyOutcome.CARD_GONE):
        await _is_not_issued(run, answer)
    else:
        _in_doubt(run, answer)
        if run.state.opening is not Opening.ISSUE_IN_DOUBT:
            await _is_not_issued(run, answer)


def _in_doubt(run: SubscriptionRun, answer: KeyAnswer) -> None:
    """Nobody knows what became of the card: the key is looked up before it is sent again, a few times."""
    state, ladder = run.state, policies.ISSUE_AGAIN_AFTER
    state.last_failure = answer.message or state.last_failure
    if state.opening_tries < len(ladder):
        state.opens_at = workflow.now() + ladder[state.opening_tries]
        state.opening_tries += 1
        state.opening = Opening.ISSUE_IN_DOUBT
    else:
        state.opening = Opening.ISSUE


async def _settle_the_issue(run: SubscriptionRun) -> None:
    answer = await found(run, _issue_order(run))
    if answer is not None and answer.key is not None:
        await _is_issued(run, answer.key)
    else:
        run.state.opening = Opening.ISSUE


async def _is_issued(run: SubscriptionRun, key: BillingKeyFact) -> None:
    run.state.last_failure = None
    _note_key(run, key)
    run.state.issued_key, run.state.opening = key, Opening.KEY


async def _is_not_issued(run: SubscriptionRun, answer: KeyAnswer) -> None:
    """Of a card that was sent before, a key may still come: that doubt is what there is to say."""
    doubt = answer.outcome is KeyOutcome.CARD_GONE and run.state.opening_tries > 0
    outcome = KeyOutcome.UNKNOWN if doubt else answer.outcome
    message = run.state.last_failure if doubt else answer.message
    if answer.outcome not in (KeyOutcome.REFUSED, KeyOutcome.CARD_GONE) and run.start.vault_handle is not None:
        await discard_card(run.start.vault_handle)
    await failing.expire(run, failure_code(outcome), message or "the card was not accepted")


def _issue_order(run: SubscriptionRun) -> IssueBillingKey:
    assert run.start.vault_handle is not None  # noqa: S101 - a key is issued from a card
    return IssueBillingKey(
        customer_uid=run.start.customer_uid,
        vault_handle=run.start.vault_handle,
        channel=run.start.channel,
        customer=run.start.customer,
    )


async def _take_the_key(run: SubscriptionRun) -> None:
    """The key is there: what its PG cannot bill, or what stands on it, is found out before anything is charged."""
    issued_before = run.start.vault_handle is None
    key = run.state.issued_key or await portone.find_key(run.start.customer_uid)
    if key is None:
        await failing.expire(run, "billing_key_not_found", f"PortOne has no billing key for {run.start.customer_uid!r}")
        return
    found_on_it = await taking_over.look(run, key) if issued_before else None
    if issued_before and found_on_it is None:
        return
    if await _is_refused_by_pg(run, key, found_on_it):
        return
    if found_on_it is not None and await _is_taken_over(run, key, found_on_it):
        run.state.opening = Opening.OVER
        return
    await _begin(run, key)


async def _has_no_name(run: SubscriptionRun, key: BillingKeyFact, vault_handle: str) -> bool:
    """Whether the key under its name keeps the start from issuing another: the start ends here."""
    in_the_way = await ended_key.clear_the_name(run, key)
    if in_the_way is None:
        return False
    await discard_card(vault_handle)
    if in_the_way.standing:
        run.state.standing = list(in_the_way.standing)
    await failing.expire(run, in_the_way.code, in_the_way.reason)
    return True


async def _begin(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    run.state.issued_key = key
    if run.state.trial_ends_at is not None:
        await _begin_trial(run, key)
    elif run.start.paid_until is not None:
        run.state.opening = Opening.OVER
        await beginnings.paid_elsewhere(run, key)
    elif run.bill().amount.amount == 0:
        await _skip(run, key)
    else:
        run.state.opening = Opening.OVER
        run.state.move(CycleState.VERIFYING)
        attempts.begin(run, Purpose.FIRST)


async def _skip(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    run.state.opening = Opening.OVER
    await settle_skipped(run, billing_key=key)


async def _is_taken_over(run: SubscriptionRun, key: BillingKeyFact, found: taking_over.Found) -> bool:
    """Whether what stands on the key decided the start: it is refused, or its first period is taken over."""
    taken = await taking_over.take(run, found)
    if taken.refusal is not None:
        run.state.standing = list(taken.standing)
        await failing.expire(run, taken.refusal.value, taken.reason)
    elif taken.paid is not None:
        await beginnings.paid_already(run, taken.paid, key)
    elif taken.follows is not None:
        await beginnings.scheduled_already(run, taken.follows, key)
    return taken.refusal is not None or taken.paid is not None or taken.follows is not None


async def _is_refused_by_pg(run: SubscriptionRun, key: BillingKeyFact, found: taking_over.Found | None) -> bool:
    """Whether the PG behind the key could not bill what is held: the start ends here, and nothing was charged."""
    refusal = pg_checks.of_key(run, key.pg_provider)
    if refusal is None:
        return False
    if run.start.vault_handle is not None:
        old_keys.forget_with_the_next_step(run, run.start.customer_uid)
    await failing.expire(run, refusal.code, refusal.detail + (found.charged_at_issue() if found is not None else ""))
    return True


def _may_be_scheduled(run: SubscriptionRun) -> bool:
    """Whether the charge behind the trial may stand at PortOne already: it costs something, and needs no consent."""
    return run.bill().amount.amount > 0 and not run.plan.consent_required


# ---------------------------------------------------------------- the trial


def _lay_the_trial(run: SubscriptionRun) -> None:
    run.state.period_start, run.state.period_end = run.state.started_at, run.state.due_at


async def _begin_trial(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    _lay_the_trial(run)
    run.state.opening = Opening.OVER
    run.state.become(SubscriptionStatus.TRIALING)
    run.tell(EventType.SUBSCRIPTION_TRIALING, f"a trial until {run.local(run.state.due_at)}", telling.subscription(run))
    await run.write("the trial has begun", billing_key=key)


async def _schedule_with_the_card(run: SubscriptionRun) -> None:
    """Issue-and-schedule in one call, PortOne's own way for a customer_uid it does not know yet."""
    tried = await scheduling.try_once(run, run.start.vault_handle)
    if tried.card_gone:
        await failing.expire(run, CARD_GONE, tried.refusal or "the card is gone")
    elif tried.refusal is not None:
        await _discard_the_card(run)
        # The key may have come to be although the schedule did not: left alone, it would refuse every later start.
        if await portone.find_key(run.start.customer_uid) is not None:
            old_keys.forget_with_the_next_step(run, run.start.customer_uid)
        await failing.expire(run, "billing_key_refused", tried.refusal)
    elif tried.stands:
        await _discard_the_card(run)
        key = await portone.find_key(run.start.customer_uid)
        if key is not None:
            _note_key(run, key)
        await _begin_trial(run, key)
    else:
        run.state.opens_at = run.state.registers_at


async def _discard_the_card(run: SubscriptionRun) -> None:
    if run.start.vault_handle is not None:
        await discard_card(run.start.vault_handle)


# ---------------------------------------------------------------- the first charge


async def first_charged(run: SubscriptionRun, proven: Proven) -> None:
    """The first charge is proven: paid, it has begun; else the start has failed, and is told before it is tidied up."""
    verdict = proven.verdict
    if verdict.finding is Finding.PAID:
        await settle_paid(run, verdict, billing_key=run.state.issued_key)
    elif verdict.finding is Finding.PENDING:
        await stand(run, CycleState.UNKNOWN, verdict)
    else:
        await failing.first_charge_failed(run, verdict)


def _note_key(run: SubscriptionRun, key: BillingKeyFact) -> None:
    run.state.card = key.label()
    run.state.pg_provider = key.pg_provider
