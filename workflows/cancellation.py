"""Cancel against charge: PortOne's schedule row is the arbiter, and the caller is told which one won.

`unschedule` names the order number, then the row is read back: `revoked` means that the cancel won,
`executed` means that the charge won (design section 3).
"""

from temporalio import workflow

from billing.domain.facts import PaymentFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Finding
from workflows import billing_cycle, booking, policies
from workflows.charge_protocol import look
from workflows.contracts import CancelAnswered, CancelAt, CancelSubscription, ChargeAtCancel
from workflows.subscription_run import SubscriptionRun


async def carry_out(run: SubscriptionRun, order: CancelSubscription) -> CancelAnswered:
    """Stop the next charge if it still can be, cancel now or at the end of the period, and say what happened."""
    merchant_uid = run.merchant_uid if run.charging else None
    charge, payment = await _stop_the_charge(run)
    state = run.state
    reason = order.reason or "canceled by request"
    # A period that is not paid has nothing left to use, so its end is now.
    now = order.at is CancelAt.NOW or state.period_end is None or state.period_end <= workflow.now()
    if state.ended_at is None:
        if now:
            state.end(SubscriptionStatus.CANCELED, workflow.now(), reason)
        else:
            state.cancel_at_period_end = True
        results = []
        if charge is ChargeAtCancel.REVOKED:
            state.move(CycleState.REVOKED)
            results = [run.result(CycleState.REVOKED, None, reason)]
        await run.write("canceled" if now else "cancel at period end", results=results)
    return CancelAnswered(
        status=state.status,
        charge=charge,
        merchant_uid=merchant_uid,
        charged_imp_uid=payment.imp_uid if payment else None,
        charged_amount=payment.amount if payment else None,
        cancel_at_period_end=state.cancel_at_period_end,
        ends_at=state.ended_at or state.period_end,
    )


async def _stop_the_charge(run: SubscriptionRun) -> tuple[ChargeAtCancel, PaymentFact | None]:
    if not run.state.booked:
        if run.state.failed_attempts or run.state.sends:
            # Nothing is scheduled, but something was sent: a late approval must not be left behind.
            verdict = await look(run.expected(), run.state.known_failures, run.note_failures)
            if verdict.finding is Finding.PAID:
                await billing_cycle.settle_paid(run, verdict)
                return ChargeAtCancel.PAID, verdict.payment
        return ChargeAtCancel.NONE_PLANNED, None
    attempts = 0
    while True:
        await booking.revoke(run)
        row = await booking.find_row(run.merchant_uid)
        if row is None:
            run.state.booked = False
            return ChargeAtCancel.NONE_PLANNED, None
        if row.status == "revoked":
            run.state.booked = False
            return ChargeAtCancel.REVOKED, None
        if row.status == "executed":
            return await _book_the_winner(run)
        wait = policies.REGISTER_AGAIN_AFTER[min(attempts, len(policies.REGISTER_AGAIN_AFTER) - 1)]
        attempts += 1
        await run.pause(wait, f"PortOne neither revoked nor ran {run.merchant_uid}; asking again")


async def _book_the_winner(run: SubscriptionRun) -> tuple[ChargeAtCancel, PaymentFact | None]:
    """The charge ran first: prove what it came to and book it."""
    verdict = await billing_cycle.verify(run)
    while verdict.finding in (Finding.PENDING, Finding.ABSENT):
        await run.pause(policies.SCHEDULE_MARGIN, f"{run.merchant_uid} was executed; looking for its payment")
        verdict = await billing_cycle.verify(run)
    if verdict.finding is Finding.PAID:
        await billing_cycle.settle_paid(run, verdict)
        return ChargeAtCancel.PAID, verdict.payment
    if verdict.finding is Finding.DECLINED:
        run.state.move(CycleState.DECLINED)
        run.state.booked = False
        run.state.last_failure = verdict.reason
        payments = [verdict.payment] if verdict.payment else []
        result = run.result(CycleState.DECLINED, verdict.payment, verdict.reason)
        await run.write("the last charge was declined", results=[result], payments=payments)
        return ChargeAtCancel.DECLINED, None
    await billing_cycle.settle(run, verdict)
    run.state.booked = False
    return ChargeAtCancel.MISMATCH, verdict.payment
