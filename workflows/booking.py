"""Registering the next attempt at PortOne, so that it stands there exactly once.

PortOne runs a registered schedule by itself: from here on the gateway is the arbiter.
Any doubt about an answer is closed by reading the row back before anything is sent again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.facts import ScheduleFact
from billing.domain.outcomes import CARD_GONE, ScheduleOutcome
from billing.domain.pg_capabilities import capability, provider_of
from billing.domain.pg_capability import PgCapability
from billing.domain.records import ChargeResult
from billing.domain.states import CycleState
from workflows import patches, policies
from workflows.contracts import RegisterSchedule, Reschedule, ScheduleAnswer, Unschedule
from workflows.issuing import CardGoneError
from workflows.ports import ScheduleActivities
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import Booking


def opens_at(run: SubscriptionRun) -> datetime:
    """From when on the current cycle may be registered: PortOne lists schedules in three-month windows."""
    return run.state.due_at - timedelta(days=run.start.policy.schedule_horizon_days)


def within_horizon(run: SubscriptionRun) -> bool:
    """Whether the current cycle may be registered now."""
    return workflow.now() >= opens_at(run)


def can_reschedule(run: SubscriptionRun) -> bool:
    """Whether the PG behind the key supports `reschedule`; an unknown PG is taken to (facts.md 2.7)."""
    known = pg(run)
    return known is None or known.reschedule


def number_is_reusable(run: SubscriptionRun) -> bool:
    """Whether a declined order number may be tried again at this PG; Naver Pay's may not (facts.md 4.3)."""
    known = pg(run)
    return known is None or known.merchant_uid_reusable


def pg(run: SubscriptionRun) -> PgCapability | None:
    """What is known of the PG that holds the billing key; None where that is not known."""
    provider = run.state.pg_provider or provider_of(run.channel.pg)
    return capability(provider) if provider else None


async def register(run: SubscriptionRun, vault_handle: str | None = None) -> str | None:
    """Register the current cycle at PortOne; None when it stands there, else why PortOne refused.

    With a `vault_handle` PortOne issues the billing key in the same call.

    Raises:
        CardGoneError: the card was no longer in the vault, and nothing was sent.
    """
    run.state.move(CycleState.REGISTERING)
    order = _order(run, vault_handle)
    attempts = 0
    while True:
        answer = await _send(run, order)
        row = answer.schedule if answer.outcome is ScheduleOutcome.REGISTERED else await find_row(run.merchant_uid)
        if answer.outcome is ScheduleOutcome.REGISTERED or (row is not None and _is_the_one_sent(run, row)):
            _booked(run, row)
            return None
        if answer.outcome is ScheduleOutcome.REFUSED and answer.code == CARD_GONE:
            raise CardGoneError(answer.message)
        if answer.outcome is ScheduleOutcome.REFUSED:
            return answer.message or answer.code or "PortOne refused the schedule"
        wait = policies.REGISTER_AGAIN_AFTER[min(attempts, len(policies.REGISTER_AGAIN_AFTER) - 1)]
        attempts += 1
        await run.sleep(wait, f"registering {run.merchant_uid} again, it does not stand at PortOne")
        order = _order(run, vault_handle)


async def rebook(run: SubscriptionRun) -> str | None:
    """Book the failed schedule again for the next attempt, under the same order number; None when it stands."""
    run.state.move(CycleState.REGISTERING)
    attempts = 0
    while True:
        order = Reschedule(merchant_uid=run.merchant_uid, schedule_at=_not_past(run.state.due_at))
        try:
            answer = await workflow.execute_activity_method(
                ScheduleActivities.reschedule,
                order,
                summary=f"retry on {run.local(order.schedule_at)}",
                **policies.SEND_ONCE,
            )
        except ActivityError as error:
            answer = ScheduleAnswer(outcome=ScheduleOutcome.UNKNOWN, message=str(error.cause or error))
        if answer.outcome is ScheduleOutcome.REGISTERED:
            _booked(run, answer.schedule)
            return None
        row = await find_row(run.merchant_uid)
        if row is not None and row.status == "scheduled":
            _booked(run, row)
            return None
        if row is not None and row.payment_status == "paid":
            # Somebody ran it in PortOne's console meanwhile: it is looked up in a moment, and booked.
            run.state.due_at = workflow.now()
            _booked(run, row)
            return None
        if answer.outcome is ScheduleOutcome.REFUSED:
            return answer.message or answer.code or "PortOne refused to book the retry"
        if attempts == len(policies.REGISTER_AGAIN_AFTER):
            # It answers, and the row says each time that the retry does not stand: some PGs cannot book one again.
            return answer.message or "PortOne would not book the retry"
        wait = policies.REGISTER_AGAIN_AFTER[attempts]
        attempts += 1
        await run.sleep(wait, f"booking the retry of {run.merchant_uid} again")


async def tell_that_it_stands(run: SubscriptionRun) -> None:
    """Write that the current cycle stands at PortOne, and for when, where no other write is about to say it."""
    if workflow.patched(patches.SCHEDULE_WRITTEN):
        await run.write(f"period {run.state.cycle} stands at PortOne for {run.local(run.state.due_at)}")


async def stand_again(run: SubscriptionRun) -> None:
    """Book a revoked schedule again under its own number; where PortOne refuses, we charge it on its day."""
    refusal = await rebook(run)
    planned = run.result(CycleState.PLANNED, None, "planned again")
    if refusal is not None:
        await charge_ourselves(run, refusal, results=[planned])
    else:
        await run.write(f"period {run.state.cycle} stands at PortOne again", results=[planned])


async def charge_ourselves(run: SubscriptionRun, refusal: str, *, results: Sequence[ChargeResult] = ()) -> None:
    """PortOne would not book the attempt: that is no decline; on its day we charge it, under the same order number."""
    run.state.booking = Booking.AGAIN
    run.state.move(CycleState.DUE)
    if not run.state.failed_attempts:
        run.state.last_failure = refusal
    await run.write("PortOne refused the schedule; charged by us when it is due", results=results)


async def revoke(run: SubscriptionRun) -> None:
    """Take the current cycle's schedule back, if it still stands; the order number is always named."""
    order = Unschedule(customer_uid=run.customer_uid, merchant_uid=run.merchant_uid)
    await workflow.execute_activity_method(
        ScheduleActivities.unschedule, order, summary=f"revoke {run.merchant_uid}", **policies.REPEATABLE
    )


async def find_row(merchant_uid: str) -> ScheduleFact | None:
    """PortOne's schedule row of an order number, or None."""
    return await workflow.execute_activity_method(
        ScheduleActivities.find_schedule, merchant_uid, summary=f"read schedule {merchant_uid}", **policies.LOOK_UP
    )


async def _send(run: SubscriptionRun, order: RegisterSchedule) -> ScheduleAnswer:
    summary = f"schedule period {run.state.cycle} for {run.local(order.schedule_at)}"
    try:
        return await workflow.execute_activity_method(
            ScheduleActivities.register_schedule, order, summary=summary, **policies.SEND_ONCE
        )
    except ActivityError as error:
        return ScheduleAnswer(outcome=ScheduleOutcome.UNKNOWN, message=str(error.cause or error))


def _is_the_one_sent(run: SubscriptionRun, row: ScheduleFact) -> bool:
    """Whether a row that was read back is what was sent, and stands: not somebody's own under the same number."""
    as_sent = row.customer_uid == run.customer_uid and row.amount == run.bill().amount
    return as_sent and row.status != "revoked"


def _order(run: SubscriptionRun, vault_handle: str | None) -> RegisterSchedule:
    bill = run.bill()
    return RegisterSchedule(
        workflow_id=workflow.info().workflow_id,
        merchant_uid=run.merchant_uid,
        customer_uid=run.customer_uid,
        schedule_at=_not_past(run.state.due_at),
        amount=bill.amount,
        name=run.holding().terms.name,
        tax_free=bill.tax_free,
        vat_amount=bill.vat_amount,
        customer=run.start.customer,
        channel=run.channel,
        vault_handle=vault_handle,
    )


def _booked(run: SubscriptionRun, row: ScheduleFact | None) -> None:
    if row is not None and row.schedule_at > run.state.due_at:
        # Registered late, after an outage: the looks are counted from when PortOne will really run it.
        run.state.due_at = row.schedule_at
    run.state.booked = True
    run.state.looks = 0
    run.state.booking = Booking.RESCHEDULE if can_reschedule(run) else Booking.AGAIN
    run.state.move(CycleState.REGISTERED)


def _not_past(due_at: datetime) -> datetime:
    return max(due_at, workflow.now() + policies.SCHEDULE_MARGIN)
