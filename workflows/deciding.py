"""What a person decides about something that stands parked (billing.domain.parked says what each decision does).

PortOne is looked up before anything is decided: a decision never overrides a payment that is as ordered. A decision is
written down, with who and why, before it is carried out; one that cannot be carried out is refused and not written.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.domain import calls, refusals
from billing.domain.both_sides import money_held
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.parked import Decision, ParkedKind
from billing.domain.records import ChargeResult, RefundState
from billing.domain.states import CycleState
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import When
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.records import ParkedItem, Purpose, RefundsFor
from billing.domain.verdict import Finding, Verdict
from workflows import (
    cancellation,
    dunning,
    parking,
    portone,
    possible,
    refunding,
    retrying,
    scheduling,
    stopping,
)
from workflows.bells import hand_on, judge_rows
from workflows.foreign import settle_as_earlier
from workflows.foreign_refunds import refunds_elsewhere
from workflows.orders import CancelSubscription
from workflows.settling import settle, verify
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

_Carry = Callable[[SubscriptionRun, DecisionTaken, ParkedItem], Awaitable[OrderAnswered | None]]


async def decide(run: SubscriptionRun, order: DecisionTaken) -> OrderAnswered | None:
    """Carry a decision out; None where a charge or refunds are under way, and it is answered when they are over.

    Raises:
        ApplicationError: what it was about stands no longer, or the decision cannot be carried out as things are.
    """
    item = possible.item_of(order, run.state)
    if refunding.are_under_way(run):
        raise _refused("charge_running", "what was decided before is being given back")
    return await _CARRY_OUT[item.kind](run, order, item)


async def _write_down(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> None:
    parking.decided(run, item, order)
    await run.write(f"{order.by} decided {order.decision.value}: {order.reason}"[:200])


# ---------------------------------------------------------------- the charge of the open period


async def _about_the_charge(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered | None:
    """Mismatch, unknown or revoked: what PortOne has now is looked up first."""
    verdict = await verify(run)
    rows = await portone.find_payments(run.merchant_uid)
    stood = run.state.cycle_state
    if verdict.finding is Finding.PAID:
        return await _found_paid(run, order, item, verdict)
    if verdict.finding is Finding.MISMATCH and stood is not CycleState.MISMATCH:
        await settle(run, verdict)
        raise _refused("charge_mismatch", "PortOne has a payment by now that is not as ordered")
    if stood is CycleState.REVOKED and verdict.finding is Finding.PENDING:
        await settle(run, verdict)
        if run.state.cycle_state is not CycleState.REVOKED:
            raise _refused("already_decided", "it stands at PortOne again; somebody booked it there")
    match order.decision:
        case Decision.PAID:
            return await _count_as_paid(run, order, item, rows)
        case Decision.REFUND:
            return await _give_back_and_charge_anew(run, order, item, run.merchant_uid)
        case Decision.END:
            return await _end(run, order, item)
        case Decision.NOT_PAID:
            return await _count_as_declined(run, order, item)
        case _:
            # Only `retry` is left of what is allowed here.
            return await _try_again(run, order, item)


async def _found_paid(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem, verdict: Verdict) -> OrderAnswered:
    """PortOne shows by now that it is paid as ordered: that is booked, whatever was decided."""
    agreed = order.decision is Decision.PAID
    if agreed:
        parking.decided(run, item, order)
    await settle(run, verdict)
    return OrderAnswered(
        snapshot=snapshot(run),
        done=agreed,
        code=None if agreed else "paid_meanwhile",
        message=None if agreed else "PortOne shows by now that it is paid as ordered; it was booked so",
        charge=ChargeAtOrder.PAID,
        merchant_uid=item.merchant_uid,
        charged=verdict.payment.amount if verdict.payment else None,
    )


async def _count_as_paid(
    run: SubscriptionRun, order: DecisionTaken, item: ParkedItem, rows: Sequence[PaymentFact]
) -> OrderAnswered:
    """Book what there is as the payment of the period, and let whatever else PortOne holds of it go back."""
    kept = _the_one_to_keep(run, rows)
    if kept is None:
        raise _refused("no_payment", f"PortOne has no payment of {run.merchant_uid}; it cannot be booked as paid")
    if kept.amount.currency != run.bill().amount.currency:
        raise _refused("currency_differs", f"{kept.amount} cannot pay a bill in {run.bill().amount.currency}")
    await _write_down(run, order, item)
    number = run.merchant_uid
    if not money_held(kept):
        # It counts, and the money is gone all the same: the books say so.
        run.note_result(ChargeResult(number, CycleState.PAID, workflow.now(), kept.imp_uid))
        run.note_result(ChargeResult(number, CycleState.REFUNDED, workflow.now(), kept.imp_uid, message=item.reason))
    await _note_what_went_back(run, kept)
    await settle_paid(run, Verdict(Finding.PAID, kept))
    await hand_on(run, [row for row in rows if money_held(row) and row.imp_uid != kept.imp_uid])
    charged = Money(money_held(kept), kept.amount.currency)
    return OrderAnswered(snapshot=snapshot(run), charge=ChargeAtOrder.PAID, merchant_uid=number, charged=charged)


async def _note_what_went_back(run: SubscriptionRun, kept: PaymentFact) -> None:
    """What was refunded elsewhere of a payment that counts all the same is decided with it."""
    for fact, known in await judge_rows([kept] if kept.cancelled_amount else []):
        if known.order is not None:
            for record in refunds_elsewhere(fact, known.order, known):
                run.note_refund(record)


def _the_one_to_keep(run: SubscriptionRun, rows: Sequence[PaymentFact]) -> PaymentFact | None:
    """The row that is as ordered, else the oldest that holds money, else the newest that was paid once."""
    expected = run.expected()
    holding = sorted((row for row in rows if money_held(row)), key=lambda row: (str(row.paid_at), row.imp_uid))
    exact = [
        row
        for row in holding
        if (row.amount, row.cancelled_amount) == (expected.amount, 0)
        and expected.customer_uid in (None, row.customer_uid)
    ]
    returned = [row for row in rows if row.status == "cancelled"]
    return next(iter([*exact, *holding, *returned[-1:]]), None)


async def _count_as_declined(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered:
    """It was not paid: the schedule can run no more, and dunning goes on under the same number."""
    verdict = await _take_back_what_stands(run)
    if verdict is not None:
        return await _found_paid(run, order, item, verdict)
    await _write_down(run, order, item)
    await dunning.after_decline(run, Verdict(Finding.DECLINED, None, f"not paid, as {order.by} decided"))
    return OrderAnswered(snapshot=snapshot(run), charge=ChargeAtOrder.DECLINED, merchant_uid=item.merchant_uid)


async def _try_again(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered | None:
    """Book a revoked charge again for its day, or charge now; always under the same number."""
    verdict = await _take_back_what_stands(run)
    if verdict is not None:
        return await _found_paid(run, order, item, verdict)
    await _write_down(run, order, item)
    state = run.state
    ahead = state.cycle_state is CycleState.REVOKED and workflow.now() < state.due_at
    state.parked_reason = None
    if ahead and scheduling.can_reschedule(run):
        run.note_result(run.result(CycleState.PLANNED, None, "planned again"))
        scheduling.begin(run, anew=True)
        return OrderAnswered(snapshot=snapshot(run), charge=ChargeAtOrder.NONE_PLANNED, merchant_uid=run.merchant_uid)
    if ahead:
        await scheduling.charge_ourselves(run, "taken back in PortOne's console")
        return OrderAnswered(snapshot=snapshot(run), charge=ChargeAtOrder.NONE_PLANNED, merchant_uid=run.merchant_uid)
    await retrying.try_now(run, None, Purpose.DECISION)
    return None


async def _take_back_what_stands(run: SubscriptionRun) -> Verdict | None:
    """Make sure that PortOne runs the charge no more by itself; the verdict when it turns out to be paid.

    Raises:
        ApplicationError: `charge_running`, when it can still run.
    """
    if run.state.booked or calls.may_charge(run.state.calls, run.merchant_uid):
        await portone.unschedule(run, run.customer_uid, run.merchant_uid)
        row = await portone.find_schedule(run.merchant_uid)
        if row is not None and row.status == "scheduled":
            raise _refused("charge_running", "PortOne would not take its schedule back")
        if calls.may_charge(run.state.calls, run.merchant_uid):
            raise _refused("charge_running", "an earlier call was not answered, and may still let it be charged")
        verdict = await verify(run)
        if verdict.finding is Finding.PAID:
            return verdict
        run.state.booked = False
    return None


# ---------------------------------------------------------------- paid under an earlier number


async def _about_an_earlier_number(
    run: SubscriptionRun, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered | None:
    rows = [row for row in await portone.find_payments(item.merchant_uid) if money_held(row)]
    match order.decision:
        case Decision.END:
            return await _end(run, order, item)
        case Decision.REFUND:
            return await _give_back_and_charge_anew(run, order, item, item.merchant_uid)
        case _:
            if not rows:
                raise _refused("no_payment", f"PortOne holds nothing of {item.merchant_uid} any more")
            await _write_down(run, order, item)
            await settle_as_earlier(run, rows[0])
            await hand_on(run, rows[1:])
            return OrderAnswered(
                snapshot=snapshot(run), charge=ChargeAtOrder.PAID, merchant_uid=item.merchant_uid,
                charged=rows[0].amount,
            )  # fmt: skip


# ---------------------------------------------------------------- giving back, ending


async def _give_back_and_charge_anew(
    run: SubscriptionRun, order: DecisionTaken, item: ParkedItem, number: str
) -> OrderAnswered | None:
    """All that PortOne holds of the period goes back; then its next number is charged, when that is due."""
    if run.state.generation >= possible.MOST_RENUMBERINGS:
        raise _refused("too_many_changes", "the period has no order number left for another charge")
    verdict = await _take_back_what_stands(run)
    if verdict is not None:
        return await _found_paid(run, order, item, verdict)
    await _write_down(run, order, item)
    if await _give_back(run, number, order, item):
        return None
    return await _charge_anew(run, order, number, Money(0, run.plan.price.currency))


async def _charge_anew(run: SubscriptionRun, order: DecisionTaken, number: str, back: Money) -> OrderAnswered:
    state = run.state
    state.move(CycleState.REFUNDED)
    if number == run.merchant_uid:
        run.close_number(CycleState.REFUNDED, f"given back, as {order.by} decided")
        state.open_order = None
    state.parked_reason, state.retries_over = None, False
    await stopping.renumber(run, f"{back} went back, as {order.by} decided")
    return OrderAnswered(snapshot=snapshot(run), merchant_uid=number, refunded=back)


async def _give_back(run: SubscriptionRun, number: str, order: DecisionTaken, item: ParkedItem) -> bool:
    """Let every row of a number that holds money go back; whether there is one."""
    rows = [row for row in await portone.find_payments(number) if money_held(row)]
    if rows:
        refunds = [refunding.of_payment(run, row, order.reason) for row in rows]
        refunding.begin(run, refunds, RefundsFor(reason=order.reason, decision=order, item=item))
    return bool(rows)


async def given_back(run: SubscriptionRun) -> OrderAnswered | None:
    """The refunds of a decision are over: what follows from it, or why not all of it went back."""
    state, whom = run.state, run.state.refunds_for
    refunds, state.refunds, state.refunds_for = state.refunds, [], None
    if whom is None or whom.decision is None or whom.item is None:
        return None
    back, refusal = Money(0, run.plan.price.currency), None
    for each in refunds:
        settled = each.settled
        assert settled is not None  # noqa: S101 - asked when all are over
        if settled.state is not RefundState.REFUNDED:
            refusal = settled.message or settled.code or settled.state.value
            break
        back = Money(back.amount + (settled.amount or each.amount).amount, each.amount.currency)
    order, item = whom.decision, whom.item
    if refusal is not None:
        return _not_given_back(run, item, back, refusal)
    if state.ended_at is not None:
        return OrderAnswered(snapshot=snapshot(run), merchant_uid=item.merchant_uid, refunded=back)
    if item.kind is ParkedKind.CHANGE_MISMATCH:
        return await _change_given_back(run, item, back)
    return await _charge_anew(run, order, item.merchant_uid, back)


def _not_given_back(run: SubscriptionRun, item: ParkedItem, back: Money, refusal: str) -> OrderAnswered:
    message = f"PortOne would not refund it: {refusal}"
    return OrderAnswered(
        snapshot=snapshot(run), done=False, code="refund_refused", message=message, merchant_uid=item.merchant_uid,
        refunded=back,
    )  # fmt: skip


async def _end(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered:
    """End now, truthfully: what PortOne holds of an order that pays for nothing goes back by itself."""
    await _write_down(run, order, item)
    reason = f"decided by {order.by}: {order.reason}"
    told = await cancellation.carry_out(run, CancelSubscription(at=When.NOW, reason=reason))
    assert told is not None  # noqa: S101 - without a refund it is answered at once
    return OrderAnswered(
        snapshot=snapshot(run), charge=told.charge, merchant_uid=told.merchant_uid, charged=told.charged_amount
    )


# ---------------------------------------------------------------- other orders of the subscription


async def _about_a_refund_elsewhere(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered:
    """Take the refund as it is, or end; the books follow what PortOne holds by now."""
    rows = [row for row in await portone.find_payments(item.merchant_uid) if row.imp_uid == item.imp_uid]
    held = sum(money_held(row) for row in rows)
    state = CycleState.PAID if held else CycleState.REFUNDED
    message = f"{order.decision.value}, as {order.by} decided: {order.reason}"
    run.note_result(ChargeResult(item.merchant_uid, state, workflow.now(), item.imp_uid, message=message))
    parking.unpark(run, item)
    if order.decision is Decision.END:
        return await _end(run, order, item)
    await _write_down(run, order, item)
    return OrderAnswered(snapshot=snapshot(run), merchant_uid=item.merchant_uid)


async def _about_a_change(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered | None:
    if order.decision is Decision.END:
        return await _end(run, order, item)
    if order.decision is Decision.REFUND:
        await _write_down(run, order, item)
        if await _give_back(run, item.merchant_uid, order, item):
            return None
        return await _change_given_back(run, item, Money(0, run.plan.price.currency))
    return await _count_toward_the_next_bills(run, order, item)


async def _change_given_back(run: SubscriptionRun, item: ParkedItem, back: Money) -> OrderAnswered:
    parking.unpark(run, item)
    await run.write(f"{back} of the plan change went back")
    return OrderAnswered(snapshot=snapshot(run), merchant_uid=item.merchant_uid, refunded=back)


async def _count_toward_the_next_bills(run: SubscriptionRun, order: DecisionTaken, item: ParkedItem) -> OrderAnswered:
    """The money of a change that was not applied becomes credit; the open charge follows the smaller bill."""
    rows = [row for row in await portone.find_payments(item.merchant_uid) if money_held(row)]
    if not rows:
        raise _refused("no_payment", f"PortOne holds nothing of {item.merchant_uid} any more")
    kept, *more = rows
    if kept.amount.currency != run.plan.price.currency:
        raise _refused("currency_differs", f"{kept.amount} cannot pay bills in {run.plan.price.currency}")
    stopped = await stopping.stop_the_charge(run)
    run.state.balance -= money_held(kept)
    run.note_result(ChargeResult(item.merchant_uid, CycleState.PAID, workflow.now(), kept.imp_uid))
    parking.unpark(run, item)
    await _write_down(run, order, item)
    await hand_on(run, more)
    run.state.plans_again = "what was paid for the change counts toward it"
    return OrderAnswered(
        snapshot=snapshot(run), charge=stopped.charge, merchant_uid=item.merchant_uid,
        charged=Money(money_held(kept), kept.amount.currency),
    )  # fmt: skip


_CARRY_OUT: Mapping[ParkedKind, _Carry] = MappingProxyType(
    {
        ParkedKind.CHARGE_MISMATCH: _about_the_charge,
        ParkedKind.CHARGE_UNKNOWN: _about_the_charge,
        ParkedKind.SCHEDULE_REVOKED: _about_the_charge,
        ParkedKind.EARLIER_NUMBER_PAID: _about_an_earlier_number,
        ParkedKind.REFUNDED_ELSEWHERE: _about_a_refund_elsewhere,
        ParkedKind.CHANGE_MISMATCH: _about_a_change,
    }
)


def _refused(code: str, message: str) -> ApplicationError:
    return ApplicationError(refusals.told(code, message), type=code, non_retryable=True)
