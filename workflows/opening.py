"""The first minutes: the billing key, and the first charge or the trial."""

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.outcomes import CARD_GONE, KeyOutcome
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding
from workflows import beginnings, booking, ended_key, patches, pg_checks, policies, taking_over, telling
from workflows.charging import charge_now
from workflows.contracts import DeleteBillingKey, IssueBillingKey
from workflows.issuing import CardGoneError, discard_card, failure_code, find_key, issue_key
from workflows.ports import BillingKeyActivities
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid, settle_skipped


async def open_subscription(run: SubscriptionRun) -> None:
    """Bring a new subscription to `active` or `trialing`, or to `incomplete_expired` with the reason.

    The intent of the first charge is in the ledger before anything can charge it.
    """
    run.tell(EventType.SUBSCRIPTION_CREATED, f"{run.plan.name} has begun", telling.subscription(run))
    await run.write("open the subscription", intents=[run.intent()])
    trial = run.state.trial_ends_at is not None
    if run.start.without_card:
        run.state.has_card = False
        await (_begin_trial(run, None) if trial else settle_skipped(run))
        return
    key = await find_key(run.start.customer_uid)
    if run.start.vault_handle is None:
        if key is None:
            await _expire(run, "billing_key_not_found", f"PortOne has no billing key for {run.start.customer_uid!r}")
            return
    elif key is not None and await _has_no_name(run, key, run.start.vault_handle):
        return
    elif not (trial and booking.within_horizon(run) and _may_be_scheduled(run)):
        answer = await issue_key(
            IssueBillingKey(
                customer_uid=run.start.customer_uid,
                vault_handle=run.start.vault_handle,
                channel=run.start.channel,
                customer=run.start.customer,
            )
        )
        if answer.outcome is not KeyOutcome.ISSUED:
            await _expire(run, failure_code(answer.outcome), answer.message or "the card was not accepted")
            return
        key = answer.key
    else:
        key = None
    if key is not None:
        _note_key(run, key)
        issued_before = run.start.vault_handle is None and workflow.patched(patches.TAKE_OVER)
        found = await taking_over.look(run, key) if issued_before else None
        if await _is_refused_by_pg(run, key, found) or (found is not None and await _is_taken_over(run, key, found)):
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
    await _expire(run, in_the_way.code, in_the_way.reason)
    return True


async def _begin(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    if run.state.trial_ends_at is not None:
        await _begin_trial(run, key)
    elif run.start.paid_until is not None:
        await beginnings.paid_elsewhere(run, key)
    else:
        await _charge_first(run, key)


async def _is_taken_over(run: SubscriptionRun, key: BillingKeyFact, found: taking_over.Found) -> bool:
    """Whether what stands on the key decided the start: it is refused, or its first period is taken over."""
    taken = await taking_over.take(run, found)
    if taken.refusal is not None:
        run.state.standing = list(taken.standing)
        await _expire(run, taken.refusal.value, taken.reason)
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
        await _delete_own_key(run, "its PG cannot bill the plan")
    await _expire(run, refusal.code, refusal.detail + (found.charged_at_issue() if found is not None else ""))
    return True


def _may_be_scheduled(run: SubscriptionRun) -> bool:
    """Whether the charge behind the trial may stand at PortOne already: it costs something, and needs no consent."""
    return run.bill().amount.amount > 0 and not run.plan.consent_required


async def _begin_trial(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    run.state.period_start = run.state.started_at
    run.state.period_end = run.state.due_at
    if key is None and run.state.has_card:
        # Issue-and-schedule in one call, PortOne's own way for a customer_uid it does not know yet.
        try:
            refusal = await booking.register(run, vault_handle=run.start.vault_handle)
        except CardGoneError as error:
            await _expire(run, CARD_GONE, str(error))
            return
        if run.start.vault_handle is not None:
            await discard_card(run.start.vault_handle)
        if refusal is not None:
            if await find_key(run.start.customer_uid) is not None:
                # The key came to be although the schedule did not: left alone, it would refuse every later start.
                await _delete_own_key(run)
            await _expire(run, "billing_key_refused", refusal)
            return
        key = await find_key(run.start.customer_uid)
        if key is not None:
            _note_key(run, key)
    run.state.become(SubscriptionStatus.TRIALING)
    run.tell(EventType.SUBSCRIPTION_TRIALING, f"a trial until {run.local(run.state.due_at)}", telling.subscription(run))
    await run.write("the trial has begun", billing_key=key)


async def _charge_first(run: SubscriptionRun, key: BillingKeyFact | None) -> None:
    if run.bill().amount.amount == 0:
        await settle_skipped(run, billing_key=key)
        return
    run.state.move(CycleState.VERIFYING)
    verdict = await charge_now(run)
    if verdict.finding is Finding.PAID:
        await settle_paid(run, verdict, billing_key=key)
        return
    payment, reason = verdict.payment, verdict.reason or verdict.finding.value
    if verdict.finding is Finding.MISMATCH:
        run.state.move(CycleState.MISMATCH)
        run.state.parked_reason = reason
    elif verdict.finding is Finding.DECLINED:
        run.state.move(CycleState.DECLINED)
        run.state.failed_attempts = 1
    else:
        run.state.move(CycleState.NOT_EXECUTED)
    run.state.last_failure = reason
    run.state.last_failure_code = f"charge_{run.state.cycle_state.value}"
    deleted = None
    if run.start.vault_handle is not None and verdict.finding is not Finding.MISMATCH:
        deleted = await _delete_own_key(run)
    run.tell(
        EventType.CHARGE_DECLINED,
        f"the first charge was not paid: {reason}",
        telling.charge(run, run.state.cycle_state, payment, reason),
    )
    _fail(run, reason)
    await run.write(
        "the first charge was not paid",
        results=[run.result(run.state.cycle_state, payment, reason)],
        payments=[payment] if payment else [],
        billing_key=key,
        deleted_billing_key=deleted,
    )


async def _delete_own_key(run: SubscriptionRun, reason: str = "first charge declined") -> str:
    """Delete the key this start issued, so that the same customer_uid can be started again without an orphan."""
    order = DeleteBillingKey(customer_uid=run.start.customer_uid, reason=reason)
    await workflow.execute_activity_method(
        BillingKeyActivities.delete_billing_key, order, summary=f"delete {order.customer_uid}", **policies.REPEATABLE
    )
    return order.customer_uid


def _note_key(run: SubscriptionRun, key: BillingKeyFact) -> None:
    run.state.card = key.label()
    run.state.pg_provider = key.pg_provider


async def _expire(run: SubscriptionRun, code: str, reason: str) -> None:
    run.state.last_failure = reason
    run.state.last_failure_code = code
    run.state.move(CycleState.SKIPPED)
    _fail(run, reason)
    summary = "the card is gone" if code == CARD_GONE else "the card was not accepted"
    await run.write(summary, results=[run.result(CycleState.SKIPPED, None, reason)])


def _fail(run: SubscriptionRun, reason: str) -> None:
    run.state.end(SubscriptionStatus.INCOMPLETE_EXPIRED, workflow.now(), reason)
    run.tell(EventType.SUBSCRIPTION_START_FAILED, f"did not begin: {reason}", telling.subscription(run, reason))
