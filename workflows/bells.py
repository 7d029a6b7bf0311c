"""Webhooks for orders that are not open: counted, looked up, written down; never a charge."""

from collections.abc import Sequence

from temporalio import workflow

from billing.domain.facts import PaymentFact
from billing.domain.records import Disposition
from workflows import policies
from workflows.contracts import PaymentReported
from workflows.ports import PaymentActivities
from workflows.subscription_run import SubscriptionRun


async def answer_stale_bells(run: SubscriptionRun, bells: Sequence[PaymentReported] | None = None) -> None:
    """Look up what a webhook says of an order that is not open, and write down what PortOne has; it charges nothing."""
    for bell in run.take_bells() if bells is None else bells:
        if bell.status == "paid" and bell.imp_uid == run.state.last_paid_imp_uid:
            # The webhook of the charge that was just looked up and booked: it has nothing new to say.
            run.answer_bell(bell, Disposition.APPLIED)
            await run.write("the webhook of a period already booked")
            continue
        found: PaymentFact | None = await workflow.execute_activity_method(
            PaymentActivities.find_payment, bell.imp_uid, summary=f"look up {bell.imp_uid}", **policies.LOOK_UP
        )
        genuine = found is not None and found.merchant_uid == bell.merchant_uid
        run.answer_bell(bell, Disposition.STALE if genuine else Disposition.MISMATCH)
        await run.write("a webhook for an order that is not open", payments=[found] if found and genuine else [])
