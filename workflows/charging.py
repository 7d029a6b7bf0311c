"""Charging an order ourselves, where PortOne has no schedule that would do it."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

from billing.domain.bills import Bill
from billing.domain.outcomes import ChargeOutcome
from billing.domain.verdict import Expected, Finding, Verdict
from workflows import policies, showing
from workflows.charge_protocol import charge_to_the_end
from workflows.contracts import ChargeAgain, ChargeAnswer, RetrySchedule
from workflows.ports import PaymentActivities
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import Booking


async def charge_now(run: SubscriptionRun) -> Verdict:
    """Charge the current cycle ourselves, to a proven end.

    A schedule that failed or was revoked is retried at PortOne under its own number; where PortOne will not, or has
    none, the same number is sent with `again`, after it is proven that the retry did not run.
    """
    # Its day in the ledger may be another one: it was paused meanwhile, or is charged before its next attempt.
    run.charged_from = run.merchant_uid, min(run.state.due_at, workflow.now().replace(microsecond=0))
    if run.state.booking is Booking.RESCHEDULE:
        verdict = await _to_the_end(run, _retry)
        if verdict.finding is not Finding.ABSENT:
            return verdict
        run.state.booking = Booking.AGAIN
    return await _to_the_end(run, _again_for_the_cycle)


async def _to_the_end(
    run: SubscriptionRun, send_it: Callable[[SubscriptionRun, int], Awaitable[ChargeAnswer]]
) -> Verdict:
    async def send(send_no: int) -> ChargeAnswer:
        run.state.sends = send_no
        return await send_it(run, send_no)

    return await charge_to_the_end(
        run.expected(),
        send,
        quiet=run.start.policy.quiet,
        pause=run.pause,
        known_failures=run.state.known_failures,
        first_send_no=run.state.sends + 1,
        note=run.note_failures,
    )


async def _retry(run: SubscriptionRun, send_no: int) -> ChargeAnswer:
    amount, cycle = run.bill().amount, run.state.cycle
    return await workflow.execute_activity_method(
        PaymentActivities.retry_schedule,
        RetrySchedule(merchant_uid=run.merchant_uid, send_no=send_no),
        summary=f"retry {amount}, period {cycle}",
        **policies.CHARGE,
    )


async def _again_for_the_cycle(run: SubscriptionRun, send_no: int) -> ChargeAnswer:
    name = run.holding().terms.name
    order = _order(run, run.merchant_uid, run.bill(), name, send_no)
    return await _again(run, order, f"period {run.state.cycle}")


async def charge_order(run: SubscriptionRun, merchant_uid: str, bill: Bill, name: str) -> Verdict:
    """Charge an order that is not the current cycle's, under a number of its own that was never sent before."""

    async def send(send_no: int) -> ChargeAnswer:
        return await _again(run, _order(run, merchant_uid, bill, name, send_no), f"change to {name}")

    expected = Expected(merchant_uid, bill.amount, run.customer_uid)
    return await charge_to_the_end(expected, send, quiet=run.start.policy.quiet, pause=run.pause)


def _order(run: SubscriptionRun, merchant_uid: str, bill: Bill, name: str, send_no: int) -> ChargeAgain:
    return ChargeAgain(
        workflow_id=workflow.info().workflow_id,
        merchant_uid=merchant_uid,
        customer_uid=run.customer_uid,
        amount=bill.amount,
        name=name,
        send_no=send_no,
        tax_free=bill.tax_free,
        vat_amount=bill.vat_amount,
        customer=run.start.customer,
        channel=run.channel,
    )


async def _again(run: SubscriptionRun, order: ChargeAgain, what: str) -> ChargeAnswer:
    answer = await workflow.execute_activity_method(
        PaymentActivities.charge_again, order, summary=f"charge {order.amount}, {what}", **policies.CHARGE
    )
    if answer.outcome is ChargeOutcome.UNKNOWN:
        workflow.set_current_details(f"{showing.details(run)}\n\nThe answer to the charge is lost; looking it up.")
    return answer
