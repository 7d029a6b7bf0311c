"""A charge that somebody asks for now: beside the planned retries, or with another card."""

from datetime import datetime

from billing.domain.states import CycleState
from billing.domain.verdict import Finding
from workflows import arbiter, dunning
from workflows.charging import charge_now
from workflows.orders import ChargeAtOrder, OrderAnswered, RetryNow
from workflows.settling import settle
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid


async def retry_now(run: SubscriptionRun, _order: RetryNow) -> OrderAnswered:
    """Charge the unpaid period now; a decline leaves the retries as they were planned."""
    planned = None if run.state.retries_over else run.state.due_at
    stopped = await arbiter.stop_the_charge(run)
    if stopped.charge is ChargeAtOrder.PAID or stopped.stands_in_the_way:
        # The attempt that was planned ran at this very moment: it is the answer.
        return OrderAnswered(
            snapshot=snapshot(run),
            done=stopped.charge is ChargeAtOrder.PAID,
            code=None if stopped.charge is ChargeAtOrder.PAID else f"charge_{stopped.charge.value}",
            message=run.state.last_failure,
            charge=stopped.charge,
            merchant_uid=stopped.merchant_uid,
            charged=stopped.payment.amount if stopped.payment else None,
        )
    return await try_now(run, planned)


async def try_now(run: SubscriptionRun, planned: datetime | None) -> OrderAnswered:
    """Charge the unpaid period now, and answer what came of it; nothing of it stands at PortOne any more."""
    state, number = run.state, run.merchant_uid
    state.move(CycleState.VERIFYING)
    verdict = dunning.as_declined(await charge_now(run))
    charge = ChargeAtOrder.DECLINED
    if verdict.finding is Finding.PAID:
        charge = ChargeAtOrder.PAID
        await settle_paid(run, verdict)
    elif verdict.finding is Finding.DECLINED:
        await dunning.after_decline(run, verdict, by_hand=True, planned=planned)
    else:
        charge = ChargeAtOrder.MISMATCH
        await settle(run, verdict)
    paid = charge is ChargeAtOrder.PAID
    return OrderAnswered(
        snapshot=snapshot(run),
        done=paid,
        code=None if paid else f"charge_{charge.value}",
        message=None if paid else verdict.reason,
        charge=charge,
        merchant_uid=number,
        charged=verdict.payment.amount if paid and verdict.payment else None,
    )
