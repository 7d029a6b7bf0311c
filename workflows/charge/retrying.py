"""A charge that somebody asks for now: beside the planned retries, or with another card."""

from datetime import datetime

from temporalio import workflow

from billing.domain.states import CycleState
from billing.domain.subscription import dunning, scheduling
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.period_close import settle_paid
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.standing import stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding
from workflows.charge import attempts, declines, stopping
from workflows.charge.attempts import Proven
from workflows.charge.settling import settle

RAN = frozenset({ChargeAtOrder.PAID, ChargeAtOrder.DECLINED, ChargeAtOrder.MISMATCH})
"""What a charge that was to be stopped may have come to instead."""


def try_now(
    subscription: Subscription, recording: Recording, now: datetime, planned: datetime | None, purpose: Purpose
) -> None:
    """Let the unpaid period be charged now; nothing of it stands at PortOne any more."""
    state = subscription.state
    if state.period.number_declined and not subscription.terms.number_is_reusable():
        scheduling.renumber(subscription, recording, now, "this PG takes no order number twice")
    elif state.period.order not in (None, subscription.terms.would_open()):
        scheduling.renumber(subscription, recording, now, "it costs another amount by now")
    state.period.move(CycleState.VERIFYING)
    attempts.begin(subscription, now, purpose, planned=planned)


async def tried(subscription: Subscription, recording: Recording, proven: Proven) -> OrderAnswered:
    """The charge that was asked for is proven: record it, and answer what came of it."""
    number, verdict = subscription.terms.merchant_uid, dunning.as_declined(proven.verdict)
    match verdict.finding:
        case Finding.PAID:
            charge = ChargeAtOrder.PAID
            settle_paid(subscription, recording, workflow.now(), verdict)
        case Finding.DECLINED:
            charge = ChargeAtOrder.DECLINED
            await declines.after_decline(subscription, recording, verdict, by_hand=True, planned=proven.charge.planned)
        case Finding.MISMATCH:
            charge = ChargeAtOrder.MISMATCH
            await settle(subscription, recording, verdict)
        case _:
            charge = ChargeAtOrder.UNKNOWN
            stand(subscription, recording, workflow.now(), CycleState.UNKNOWN, verdict)
    return answer(charge, stopping.Stopped(charge, number, verdict.payment), verdict.reason)


def plan_as_before(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Put the planned attempt back that was taken away from PortOne, under the same number and for the same day."""
    if subscription.state.period.state is not CycleState.REVOKED:
        return
    if subscription.terms.can_reschedule():
        recording.note_result(subscription.result(CycleState.PLANNED, None, now, "planned again"))
        scheduling.begin(subscription, anew=True)
    else:
        scheduling.charge_ourselves(subscription, recording, now, "this PG cannot book a schedule again")


def answer(charge: ChargeAtOrder, ran: stopping.Stopped, failure: str | None) -> OrderAnswered:
    """What somebody is answered who asked for a charge: what it came to."""
    paid = charge is ChargeAtOrder.PAID
    return OrderAnswered(
        done=paid,
        code=None if paid else f"charge_{charge.value}",
        message=None if paid else failure,
        charge=charge,
        merchant_uid=ran.merchant_uid,
        charged=ran.payment.amount if paid and ran.payment else None,
    )
