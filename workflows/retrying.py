"""A charge that somebody asks for now: beside the planned retries, or with another card."""

from datetime import datetime

from temporalio import workflow

from billing.domain.states import CycleState
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.records import Purpose
from billing.domain.verdict import Finding
from workflows import attempts, dunning, scheduling, stopping
from workflows.attempts import Proven
from workflows.orders import RetryNow
from workflows.settling import settle, stand
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

RAN = frozenset({ChargeAtOrder.PAID, ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH})
"""What a charge that was to be stopped may have come to instead."""


async def retry_now(run: SubscriptionRun, _order: RetryNow) -> OrderAnswered | None:
    """Charge the unpaid period now; a decline leaves the retries as they were planned."""
    allowed_at = await dunning.card_may_be_tried_at(run, workflow.now())
    if allowed_at > workflow.now():
        message = f"the card was tried too often; it may be tried again {run.local(allowed_at)}"
        return OrderAnswered(snapshot=snapshot(run), done=False, code="card_tried_too_often", message=message)
    planned = None if run.state.retries_over else run.state.due_at
    stopped = await stopping.stop_the_charge(run)
    if stopped.charge in RAN:
        # The attempt that was planned ran at this very moment: it is the answer.
        return _answer(run, stopped.charge, stopped, run.state.last_failure)
    if stopped.unfinished:
        await plan_as_before(run)
        message = "PortOne has not finished an earlier payment of this order; it is looked at until it has"
        return OrderAnswered(snapshot=snapshot(run), done=False, code="charge_unfinished", message=message)
    await try_now(run, planned, Purpose.RETRY)
    return None


async def try_now(run: SubscriptionRun, planned: datetime | None, purpose: Purpose) -> None:
    """Let the unpaid period be charged now; nothing of it stands at PortOne any more."""
    state = run.state
    if state.number_declined and not scheduling.number_is_reusable(run):
        await stopping.renumber(run, "this PG takes no order number twice")
    elif state.open_order not in (None, run.would_open()):
        await stopping.renumber(run, "it costs another amount by now")
    state.move(CycleState.VERIFYING)
    attempts.begin(run, purpose, planned=planned)


async def tried(run: SubscriptionRun, proven: Proven) -> OrderAnswered:
    """The charge that was asked for is proven: record it, and answer what came of it."""
    number, verdict = run.merchant_uid, dunning.as_declined(proven.verdict)
    match verdict.finding:
        case Finding.PAID:
            charge = ChargeAtOrder.PAID
            await settle_paid(run, verdict)
        case Finding.DECLINED:
            charge = ChargeAtOrder.DECLINED
            await dunning.after_decline(run, verdict, by_hand=True, planned=proven.charge.planned)
        case Finding.MISMATCH:
            charge = ChargeAtOrder.MISMATCH
            await settle(run, verdict)
        case _:
            charge = ChargeAtOrder.UNKNOWN
            await stand(run, CycleState.UNKNOWN, verdict)
    return _answer(run, charge, stopping.Stopped(charge, number, verdict.payment), verdict.reason)


async def plan_as_before(run: SubscriptionRun) -> None:
    """Put the planned attempt back that was taken away from PortOne, under the same number and for the same day."""
    if run.state.cycle_state is not CycleState.REVOKED:
        return
    if scheduling.can_reschedule(run):
        run.note_result(run.result(CycleState.PLANNED, None, "planned again"))
        scheduling.begin(run, anew=True)
    else:
        await scheduling.charge_ourselves(run, "this PG cannot book a schedule again")


def _answer(run: SubscriptionRun, charge: ChargeAtOrder, ran: stopping.Stopped, failure: str | None) -> OrderAnswered:
    paid = charge is ChargeAtOrder.PAID
    return OrderAnswered(
        snapshot=snapshot(run),
        done=paid,
        code=None if paid else f"charge_{charge.value}",
        message=None if paid else failure,
        charge=charge,
        merchant_uid=ran.merchant_uid,
        charged=ran.payment.amount if paid and ran.payment else None,
    )
