"""What follows when the outcome of a charge of ours, or of refunds, is proven: whoever wanted it goes on."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from temporalio import workflow

from billing.domain.records import ChargeResult
from billing.domain.refusals import ENDED, RefusedError
from billing.domain.states import CycleState
from billing.domain.subscription import dunning
from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder, OrderAnswered
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding
from workflows.charge import left_undecided, retrying, unpaid
from workflows.charge.attempts import Proven
from workflows.refund import refunding
from workflows.subscription import deciding, opening
from workflows.subscription.commands import cancel, change_payment_method, change_plan, change_trial, resume
from workflows.subscription.commands.failures import as_failure
from workflows.subscription.desk import Desk
from workflows.unexpected_payment.notifications import hand_on

_Follow = Callable[[Subscription, Recording, Proven], Awaitable[OrderAnswered | None]]


async def follow(subscription: Subscription, recording: Recording, desk: Desk, proven: Proven) -> None:
    """Go on with what the charge was for, and answer the command that asked for it, where one did."""
    if subscription.state.ended_at is not None:
        await _after_the_end(subscription, recording, desk, proven)
        return
    try:
        answer = await _FOLLOWS[proven.charge.purpose](subscription, recording, proven)
    except RefusedError as refused:
        if desk.asking is None:
            raise
        desk.refuse_asking(as_failure(refused))
    else:
        if answer is not None:
            desk.answer_asking(answer)


async def refunds(subscription: Subscription, recording: Recording, desk: Desk) -> None:
    """Go on with refunds, and with what follows when all of them are over."""
    if not await refunding.go_on(subscription, recording, desk):
        return
    whom = subscription.state.refunds.whom
    answer: OrderAnswered | CancelAnswered | None
    if whom is not None and whom.decision is not None:
        answer = deciding.given_back(subscription, recording, workflow.now())
    else:
        answer = await cancel.given_back(subscription, recording)
    if answer is not None:
        desk.answer_asking(answer)


async def _after_the_end(subscription: Subscription, recording: Recording, desk: Desk, proven: Proven) -> None:
    """The subscription was ended while the outcome was open: what was paid is given back, a decline is written down."""
    verdict, number = proven.verdict, proven.charge.order.merchant_uid
    charge = ChargeAtOrder.NONE_PLANNED
    match verdict.finding:
        case Finding.PAID | Finding.MISMATCH:
            charge = ChargeAtOrder.PAID if verdict.finding is Finding.PAID else ChargeAtOrder.MISMATCH
            await hand_on(subscription, recording, [verdict.payment] if verdict.payment is not None else [])
        case Finding.DECLINED if number == subscription.terms.merchant_uid:
            charge = ChargeAtOrder.DECLINED
            dunning.write_the_last_decline(subscription, recording, workflow.now(), verdict)
        case Finding.PENDING:
            charge, why = ChargeAtOrder.UNKNOWN, verdict.reason or "PortOne does not decide"
            await left_undecided.leave(subscription, recording, proven.charge.order, why)
        case _:
            result = ChargeResult(number, CycleState.NOT_EXECUTED, workflow.now(), message=verdict.reason)
            recording.write("the charge that was begun never ran", workflow.now(), results=[result])
    subscription.state.cancel.charge_came_to(charge)
    why = f"the subscription was canceled meanwhile; the charge is {charge.value}"
    desk.refuse_asking(as_failure(RefusedError(ENDED, why)))


async def _due(subscription: Subscription, recording: Recording, proven: Proven) -> None:
    await unpaid.charged_on_its_day(subscription, recording, proven.verdict)


async def _first(subscription: Subscription, recording: Recording, proven: Proven) -> None:
    opening.first_charged(subscription, recording, workflow.now(), proven)


async def _resumed_by_itself(subscription: Subscription, recording: Recording, proven: Proven) -> None:
    await resume.charged_by_itself(subscription, recording, proven)


async def _changed(subscription: Subscription, recording: Recording, proven: Proven) -> OrderAnswered:
    return change_plan.charged(subscription, recording, workflow.now(), proven)


_FOLLOWS: Mapping[Purpose, _Follow] = MappingProxyType(
    {
        Purpose.FIRST: _first,
        Purpose.DUE: _due,
        Purpose.RETRY: retrying.tried,
        Purpose.CARD: change_payment_method.tried,
        Purpose.DECISION: retrying.tried,
        Purpose.RESUME: resume.charged_by_hand,
        Purpose.RESUME_BY_ITSELF: _resumed_by_itself,
        Purpose.TRIAL_END: change_trial.charged,
        Purpose.CHANGE: _changed,
    }
)
