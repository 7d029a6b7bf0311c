"""A start that came to nothing: written and told at once, and only then tidied up."""

from temporalio import workflow

from billing.domain.events import EventType
from billing.domain.outcomes import CARD_GONE
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.records import Opening
from billing.domain.verdict import Finding, Verdict
from workflows import old_keys, telling
from workflows.issuing import discard_card
from workflows.subscription_run import SubscriptionRun


async def expire(run: SubscriptionRun, code: str, reason: str) -> None:
    """The start has failed before anything was charged: told with a stable code, and the reason."""
    run.state.opening = Opening.OVER
    run.state.last_failure = reason
    run.state.last_failure_code = code
    run.state.move(CycleState.SKIPPED)
    _fail(run, reason)
    summary = "the card is gone" if code == CARD_GONE else "the card was not accepted"
    await run.write(summary, results=[run.result(CycleState.SKIPPED, None, reason)])


async def first_charge_failed(run: SubscriptionRun, verdict: Verdict) -> None:
    """The first charge was not paid: written and told at once; the key that was issued for it is deleted after that."""
    state, payment, reason = run.state, verdict.payment, verdict.reason or verdict.finding.value
    if verdict.finding is Finding.MISMATCH:
        state.move(CycleState.MISMATCH)
        state.parked_reason = reason
    elif verdict.finding is Finding.DECLINED:
        state.move(CycleState.DECLINED)
        state.failed_attempts = 1
    else:
        state.move(CycleState.NOT_EXECUTED)
    state.last_failure = reason
    state.last_failure_code = f"charge_{state.cycle_state.value}"
    if run.start.vault_handle is not None and verdict.finding is not Finding.MISMATCH:
        old_keys.forget_with_the_next_step(run, run.start.customer_uid)
    run.tell(
        EventType.CHARGE_DECLINED,
        f"the first charge was not paid: {reason}",
        telling.charge(run, state.cycle_state, payment, reason),
    )
    _fail(run, reason)
    await run.write(
        "the first charge was not paid",
        results=[run.result(state.cycle_state, payment, reason)],
        payments=[payment] if payment else [],
        billing_key=state.issued_key,
    )


async def give_up(run: SubscriptionRun, reason: str) -> None:
    """A start that was canceled before it began: what it has issued is deleted, and a charge in doubt given back."""
    state = run.state
    if state.opening is not Opening.OVER and run.start.vault_handle is not None:
        await discard_card(run.start.vault_handle)
    if run.start.vault_handle is not None and state.charge is None and state.opening is not Opening.CARD:
        # Before it was looked for, a key under this name is somebody else's.
        old_keys.forget_with_the_next_step(run, run.start.customer_uid)
    if state.cycle_state in (CycleState.PLANNED, CycleState.REGISTERING):
        state.move(CycleState.SKIPPED)
        run.close_number(CycleState.SKIPPED, reason)
    state.last_failure, state.last_failure_code = reason, "canceled"
    _fail(run, reason)
    await run.write("canceled before it began")


def _fail(run: SubscriptionRun, reason: str) -> None:
    run.state.opening = Opening.OVER
    run.state.end(SubscriptionStatus.INCOMPLETE_EXPIRED, workflow.now(), reason)
    run.tell(EventType.SUBSCRIPTION_START_FAILED, f"did not begin: {reason}", telling.subscription(run, reason))
