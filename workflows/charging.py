"""Charging the current cycle ourselves, where PortOne has no schedule that would do it."""

from temporalio import workflow

from billing.domain.outcomes import ChargeOutcome
from billing.domain.verdict import Verdict
from workflows import policies
from workflows.charge_protocol import charge_to_the_end
from workflows.contracts import ChargeAgain, ChargeAnswer
from workflows.ports import PaymentActivities
from workflows.subscription_run import SubscriptionRun


async def charge_now(run: SubscriptionRun) -> Verdict:
    """Charge the current cycle ourselves, with `again`, to a proven end."""

    async def send(send_no: int) -> ChargeAnswer:
        run.state.sends = send_no
        plan = run.start.plan
        order = ChargeAgain(
            workflow_id=workflow.info().workflow_id,
            merchant_uid=run.merchant_uid,
            customer_uid=run.start.customer_uid,
            amount=plan.price,
            name=plan.name,
            send_no=send_no,
            tax_free=plan.tax_free,
            vat_amount=plan.vat_amount,
            customer=run.start.customer,
            channel=run.start.channel,
        )
        answer = await workflow.execute_activity_method(
            PaymentActivities.charge_again,
            order,
            summary=f"charge {plan.price}, period {run.state.cycle}",
            **policies.CHARGE,
        )
        if answer.outcome is ChargeOutcome.UNKNOWN:
            workflow.set_current_details(f"{run.details()}\n\nThe answer to the charge is lost; looking it up.")
        return answer

    return await charge_to_the_end(
        run.expected(),
        send,
        quiet=run.start.policy.quiet,
        pause=run.pause,
        known_failures=run.state.known_failures,
        first_send_no=run.state.sends + 1,
        note=run.note_failures,
    )
