"""A change of plan, quantity or coupon: with the next period, or at once and prorated by the day.

The preview and the charge come from the same pure functions (`billing.domain.proration`, `billing.domain.bills`).
A change that costs money applies only when its payment succeeded; until then everything stays as it was.
"""

from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

from billing.domain.bills import Bill, Holding
from billing.domain.calendar import Anchor
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import change_merchant_uid
from billing.domain.proration import ChangeQuote, change_now
from billing.domain.records import ChargeIntent, ChargeKind, ChargeResult, PendingChange
from billing.domain.states import CycleState
from billing.domain.verdict import Finding, Verdict
from workflows import arbiter, telling
from workflows.charging import charge_order
from workflows.orders import CancelChange, ChangePlan, ChargeAtOrder, OrderAnswered, When
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import PaidOrder


def wanted(run: SubscriptionRun, order: ChangePlan) -> PendingChange:
    """What is held after the order, whole; what it does not name stays as it is, or as a pending change has it."""
    held = PendingChange(run.plan, run.state.quantity, run.state.coupon)
    if order.at is When.PERIOD_END:
        held = run.state.pending_change or held
    coupon = None if order.without_coupon else order.coupon or held.coupon
    return PendingChange(order.plan or held.plan, order.quantity or held.quantity, coupon)


def quote(run: SubscriptionRun, order: ChangePlan, at: datetime) -> ChangeQuote:
    """What the change costs at `at`; pure: the preview asks it, and the charge is what it says."""
    state, after = run.state, wanted(run, order)
    start, end = state.period_start, state.period_end
    assert start is not None  # noqa: S101 - an active subscription has a period
    assert end is not None  # noqa: S101
    before = state.paid_by or Holding(run.plan, state.quantity)
    return change_now(
        before, run.holding_of(after), start, end, min(max(at, start), end), order.proration, state.balance
    )


async def change(run: SubscriptionRun, order: ChangePlan) -> OrderAnswered:
    """Change with the next period, or now; the newest change replaces a pending one."""
    stopped = await arbiter.stop_the_charge(run)
    if stopped.stands_in_the_way:
        message = "the next charge ran first and was not paid; nothing was changed"
        return OrderAnswered(
            snapshot=snapshot(run), done=False, code=f"charge_{stopped.charge.value}", message=message,
            charge=stopped.charge, merchant_uid=stopped.merchant_uid,
        )  # fmt: skip
    if order.at is When.NOW:
        return await _change_now(run, order)
    after = wanted(run, order)
    if run.state.pending_change is not None:
        _tell_of_the_replaced(run, run.state.pending_change)
    run.state.pending_change = after
    run.tell(
        EventType.PLAN_CHANGE_SCHEDULED,
        f"changes to {after.plan.name} × {after.quantity} with the next period",
        telling.change(run, after, order.proration.value),
    )
    await run.write("a change waits for the next period")
    await arbiter.plan_again(run, "the plan changes with it")
    return OrderAnswered(snapshot=snapshot(run), charge=stopped.charge)


async def cancel_change(run: SubscriptionRun, _order: CancelChange) -> OrderAnswered:
    """Forget the pending change; the next period is charged as before."""
    stopped = await arbiter.stop_the_charge(run)
    if run.state.pending_change is not None:
        _tell_of_the_replaced(run, run.state.pending_change)
        run.state.pending_change = None
        await run.write("the pending change is forgotten")
        await arbiter.plan_again(run, "the plan stays")
    return OrderAnswered(snapshot=snapshot(run), charge=stopped.charge)


def _tell_of_the_replaced(run: SubscriptionRun, change: PendingChange) -> None:
    run.tell(
        EventType.PLAN_CHANGE_CANCELED,
        f"will not change to {change.plan.name} × {change.quantity}",
        telling.change(run, change, "next_period", reason="taken back or replaced"),
    )


@dataclass(frozen=True, slots=True)
class _Paid:
    merchant_uid: str | None = None
    payment: PaymentFact | None = None


async def _change_now(run: SubscriptionRun, order: ChangePlan) -> OrderAnswered:
    after, costs = wanted(run, order), quote(run, order, workflow.now())
    bill, paid = costs.due_now, _Paid()
    if bill is not None and bill.amount.amount > 0:
        run.state.changes += 1
        number = change_merchant_uid(run.start.subscription_id, run.state.changes)
        verdict = await _charge(run, after, bill, number)
        if verdict.finding is not Finding.PAID:
            return await _declined(run, order, bill, number, verdict)
        paid = _Paid(number, verdict.payment)
    await _apply_now(run, order, after, costs, paid)
    await arbiter.plan_again(run, "the plan has changed")
    return OrderAnswered(
        snapshot=snapshot(run),
        charge=ChargeAtOrder.PAID if paid.payment else ChargeAtOrder.NONE_PLANNED,
        merchant_uid=paid.merchant_uid,
        charged=paid.payment.amount if paid.payment else None,
    )


async def _charge(run: SubscriptionRun, after: PendingChange, bill: Bill, number: str) -> Verdict:
    intent = ChargeIntent(
        merchant_uid=number,
        workflow_id=workflow.info().workflow_id,
        kind=ChargeKind.CHANGE,
        amount=bill.amount,
        name=after.plan.name,
        due_at=workflow.now(),
        subscription_id=run.start.subscription_id,
        customer_uid=run.customer_uid,
        tax_free=bill.tax_free,
        vat_amount=bill.vat_amount,
    )
    await run.write(f"a change for {bill.amount} is charged", intents=[intent])
    return await charge_order(run, number, bill, after.plan.name)


async def _declined(
    run: SubscriptionRun, order: ChangePlan, bill: Bill, number: str, verdict: Verdict
) -> OrderAnswered:
    """Nothing is changed; money that moved in another way than ordered waits for a person."""
    after = wanted(run, order)
    states = {Finding.DECLINED: CycleState.DECLINED, Finding.MISMATCH: CycleState.MISMATCH}
    state, payment = states.get(verdict.finding, CycleState.NOT_EXECUTED), verdict.payment
    reason = verdict.reason or verdict.finding.value
    if state is CycleState.MISMATCH:
        run.state.parked_reason = f"the charge {number} of a plan change is not as ordered: {reason}"
        run.tell(EventType.SUBSCRIPTION_PARKED, "a plan change is parked", telling.parked(run, reason, payment))
    run.tell(
        EventType.PLAN_CHANGE_DECLINED,
        f"the change to {after.plan.name} was not paid",
        telling.change(
            run, after, order.proration.value, amount=bill.amount.amount, merchant_uid=number, reason=reason, now=True
        ),
    )
    await run.write(
        "the change was not paid",
        results=[_result(number, state, payment, reason)],
        payments=[payment] if payment else [],
    )
    await arbiter.plan_again(run, "the plan stays")
    return OrderAnswered(
        snapshot=snapshot(run),
        done=False,
        code=f"charge_{state.value}",
        message=reason,
        charge=ChargeAtOrder.MISMATCH if state is CycleState.MISMATCH else ChargeAtOrder.DECLINED,
        merchant_uid=number,
    )


async def _apply_now(
    run: SubscriptionRun, order: ChangePlan, after: PendingChange, costs: ChangeQuote, paid: _Paid
) -> None:
    state = run.state
    told = telling.change(
        run,
        after,
        order.proration.value,
        amount=paid.payment.amount.amount if paid.payment else costs.balance - state.balance,
        merchant_uid=paid.merchant_uid,
        imp_uid=paid.payment.imp_uid if paid.payment else None,
        now=True,
    )
    if state.pending_change is not None:
        _tell_of_the_replaced(run, state.pending_change)
    run.take_over(after, coupon_used=costs.coupon_used)
    state.paid_by = costs.paid_by
    state.balance = costs.balance
    state.last_paid = costs.paid_by.value()
    if paid.merchant_uid is not None and paid.payment is not None:
        state.period_orders.append(
            PaidOrder(merchant_uid=paid.merchant_uid, imp_uid=paid.payment.imp_uid, amount=paid.payment.amount)
        )
    if costs.new_period:
        state.paid_cycles += 1
        state.anchor = Anchor.at(costs.period_start, after.plan.zone)
        state.first_cycle = state.cycle - 1
        state.period_start, state.period_end = costs.period_start, costs.period_end
        state.due_at = costs.period_end
    run.tell(EventType.PLAN_CHANGE_APPLIED, f"changed to {after.plan.name} × {after.quantity}", told)
    results = []
    if paid.payment is not None:
        run.tell(
            EventType.CHARGE_PAID,
            f"{paid.payment.amount} for the change is paid",
            telling.other_charge(run, paid.payment, CycleState.PAID, None),
        )
        results = [_result(paid.payment.merchant_uid, CycleState.PAID, paid.payment, None)]
    await run.write("the change is applied", results=results, payments=[paid.payment] if paid.payment else [])


def _result(number: str, state: CycleState, payment: PaymentFact | None, reason: str | None) -> ChargeResult:
    return ChargeResult(number, state, workflow.now(), imp_uid=payment.imp_uid if payment else None, message=reason)
