"""Webhooks for orders that are not open: counted, looked up, written down; never a charge."""

from collections.abc import Sequence

from temporalio import workflow

from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.records import Disposition
from billing.domain.states import CycleState
from workflows import booking, policies
from workflows.contracts import PaymentReported
from workflows.ports import PaymentActivities
from workflows.subscription_run import SubscriptionRun


def _is_an_older_number_of_this_period(run: SubscriptionRun, merchant_uid: str) -> bool:
    parsed = parse_cycle_merchant_uid(merchant_uid)
    if parsed is None or run.state.ended_at is not None:
        return False
    incarnation, cycle, generation = parsed
    same_period = (incarnation, cycle) == (run.start.subscription_id, run.state.cycle)
    return same_period and generation < run.state.generation


async def _stand_still(run: SubscriptionRun, paid: PaymentFact) -> None:
    """The period was paid late under an earlier number: its newer one must not run as well, and a person decides."""
    if run.state.booked:
        await booking.revoke(run)
        run.state.booked = False
    reason = f"the period was paid late as {paid.merchant_uid}"
    run.state.move(CycleState.MISMATCH)
    run.state.parked_reason = reason
    await run.write(
        "an earlier order number of this period was paid late",
        results=[run.result(CycleState.MISMATCH, None, reason)],
        payments=[paid],
    )


def _just_booked(run: SubscriptionRun) -> set[str | None]:
    return {run.state.last_paid_imp_uid, *(order.imp_uid for order in run.state.period_orders)}


async def answer_stale_bells(run: SubscriptionRun, bells: Sequence[PaymentReported] | None = None) -> None:
    """Look up what a webhook says of an order that is not open, and write down what PortOne has; it charges nothing."""
    for bell in run.take_bells() if bells is None else bells:
        if bell.status == "paid" and bell.imp_uid in _just_booked(run):
            # The webhook of the charge that was just looked up and booked: it has nothing new to say.
            run.answer_bell(bell, Disposition.APPLIED)
            await run.write("the webhook of a period already booked")
            continue
        found: PaymentFact | None = await workflow.execute_activity_method(
            PaymentActivities.find_payment, bell.imp_uid, summary=f"look up {bell.imp_uid}", **policies.LOOK_UP
        )
        if found is not None and found.status == "paid" and _is_an_older_number_of_this_period(run, found.merchant_uid):
            await _stand_still(run, found)
            continue
        genuine = found is not None and found.merchant_uid == bell.merchant_uid
        run.answer_bell(bell, Disposition.STALE if genuine else Disposition.MISMATCH)
        await run.write("a webhook for an order that is not open", payments=[found] if found and genuine else [])
