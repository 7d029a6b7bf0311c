"""What follows when the outcome of a charge of ours, or of refunds, is proven: whoever wanted it goes on."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.domain.records import ChargeResult
from billing.domain.states import CycleState
from billing.domain.subscription.answers import CancelAnswered, ChargeAtOrder, OrderAnswered
from billing.domain.subscription.records import Purpose
from billing.domain.verdict import Finding
from workflows import (
    cancellation,
    card_change,
    changing,
    deciding,
    opening,
    refunding,
    resuming,
    retrying,
    stopping,
    trials,
    unpaid,
)
from workflows.attempts import Proven
from workflows.bells import hand_on
from workflows.subscription_run import SubscriptionRun

_Follow = Callable[[SubscriptionRun, Proven], Awaitable[OrderAnswered | None]]


async def follow(run: SubscriptionRun, proven: Proven) -> None:
    """Go on with what the charge was for, and answer the command that asked for it, where one did."""
    if run.state.ended_at is not None:
        await _after_the_end(run, proven)
        return
    asking, run.asking = run.asking, None
    try:
        answer = await _FOLLOWS[proven.charge.purpose](run, proven)
    except ApplicationError as refusal:
        if asking is None:
            raise
        asking.refusal = refusal
    else:
        if asking is not None:
            asking.answer = answer
    if asking is not None:
        run.told_later(asking)


async def refunds(run: SubscriptionRun) -> None:
    """Go on with refunds, and with what follows when all of them are over."""
    if not await refunding.go_on(run):
        return
    whom = run.state.refunds_for
    asking, run.asking = run.asking, None
    answer: OrderAnswered | CancelAnswered | None
    if whom is not None and whom.decision is not None:
        answer = await deciding.given_back(run)
    else:
        answer = await cancellation.given_back(run)
    if asking is not None and answer is not None:
        asking.answer = answer
        run.told_later(asking)


async def _after_the_end(run: SubscriptionRun, proven: Proven) -> None:
    """The subscription was ended while the outcome was open: what was paid is given back, a decline is written down."""
    verdict, number = proven.verdict, proven.charge.order.merchant_uid
    charge = ChargeAtOrder.NONE_PLANNED
    match verdict.finding:
        case Finding.PAID | Finding.MISMATCH:
            charge = ChargeAtOrder.PAID if verdict.finding is Finding.PAID else ChargeAtOrder.MISMATCH
            await hand_on(run, [verdict.payment] if verdict.payment is not None else [])
        case Finding.DECLINED if number == run.merchant_uid:
            charge = ChargeAtOrder.DECLINED
            await stopping.write_the_last_decline(run, verdict)
        case Finding.PENDING:
            charge = ChargeAtOrder.UNKNOWN
        case _:
            result = ChargeResult(number, CycleState.NOT_EXECUTED, workflow.now(), message=verdict.reason)
            await run.write("the charge that was begun never ran", results=[result])
    if run.state.canceled is not None:
        run.state.canceled = run.state.canceled.model_copy(update={"charge": charge})
    asking, run.asking = run.asking, None
    if asking is not None:
        asking.refusal = ApplicationError(
            f"the subscription was canceled meanwhile; the charge is {charge.value}",
            type="SubscriptionEnded",
            non_retryable=True,
        )
        run.told_later(asking)


async def _due(run: SubscriptionRun, proven: Proven) -> None:
    await unpaid.charged_on_its_day(run, proven.verdict)


async def _first(run: SubscriptionRun, proven: Proven) -> None:
    await opening.first_charged(run, proven)


async def _resumed_by_itself(run: SubscriptionRun, proven: Proven) -> None:
    await resuming.charged_by_itself(run, proven)


_FOLLOWS: Mapping[Purpose, _Follow] = MappingProxyType(
    {
        Purpose.FIRST: _first,
        Purpose.DUE: _due,
        Purpose.RETRY: retrying.tried,
        Purpose.CARD: card_change.tried,
        Purpose.DECISION: retrying.tried,
        Purpose.RESUME: resuming.charged_by_hand,
        Purpose.RESUME_BY_ITSELF: _resumed_by_itself,
        Purpose.TRIAL_END: trials.charged,
        Purpose.CHANGE: changing.charged,
    }
)
