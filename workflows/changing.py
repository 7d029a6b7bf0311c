"""A change of plan, quantity or coupon: with the next period, or at once and prorated by the day.

The preview and the charge come from the same pure functions (`billing.domain.proration`, `billing.domain.bills`).
A change that costs money applies only when its payment succeeded; until then everything stays as it was.
"""

from temporalio import workflow

from billing.domain.bills import Bill
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import change_merchant_uid
from billing.domain.money import Money
from billing.domain.parked import ParkedKind
from billing.domain.proration import ChangeQuote
from billing.domain.records import ChargeIntent, ChargeKind, ChargeResult, PendingChange
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import When
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.records import OpenOrder, PaidOrder, Purpose
from billing.domain.verdict import Finding, Verdict
from workflows import attempts, bookkeeping, first_period, parking, possible, quoting, scheduling, stopping, telling
from workflows.attempts import Proven
from workflows.orders import CancelChange, ChangePlan
from workflows.showing import snapshot
from workflows.subscription_run import SubscriptionRun

UNFINISHED = "PortOne has not finished an earlier payment of the open period; nothing was changed"


async def change(run: SubscriptionRun, order: ChangePlan) -> OrderAnswered | None:
    """Change with the next period, or now; it is added to a change that waits, or with `now` takes its place.

    Raises:
        ApplicationError: the next charge ran first, and the order makes no sense in the period that began with it.
    """
    if run.state.status in possible.OWING:
        # The period that is owed is tried on as it is, under its number: nothing of it has to be stopped.
        return await _change_with_the_next_period(run, order, _untouched(run), first_cycle=run.state.cycle + 1)
    stopped = await stopping.stop_the_charge(run)
    if stopped.unfinished:
        return _answer(run, stopped, code="charge_unfinished", message=UNFINISHED)
    if stopped.stands_in_the_way:
        message = "the next charge ran first and was not paid; nothing was changed"
        return _answer(run, stopped, code=f"charge_{stopped.charge.value}", message=message)
    if stopped.charge is ChargeAtOrder.PAID:
        possible.check(order, run.state, run.plan, workflow.now(), run.customer_uid)
    if order.at is When.PERIOD_END:
        return await _change_with_the_next_period(run, order, stopped)
    if run.state.status is SubscriptionStatus.TRIALING:
        return await _change_in_the_trial(run, order, stopped)
    return await _change_now(run, order, stopped)


async def cancel_change(run: SubscriptionRun, _order: CancelChange) -> OrderAnswered:
    """Forget the pending change; the next period is charged as before."""
    if run.state.coming_change is not run.state.pending_change:
        _forget_the_pending(run)
        await run.write("the pending change is forgotten")
        return _answer(run, _untouched(run))
    stopped = await stopping.stop_the_charge(run)
    if stopped.charge is ChargeAtOrder.DECLINED and scheduling.is_under_way(run):
        # It ran at this moment and was declined, and its retry would be scheduled at the price of the change.
        stopped = await stopping.stop_the_charge(run)
    if stopped.unfinished:
        return _answer(run, stopped, code="charge_unfinished", message=UNFINISHED)
    if stopped.charge is ChargeAtOrder.MISMATCH:
        message = "the next charge ran first and is not as ordered; decide that first"
        return _answer(run, stopped, code="charge_mismatch", message=message)
    if run.state.pending_change is None:
        message = "the period began first, and the change with it"
        return _answer(run, stopped, code="change_applied", message=message)
    _forget_the_pending(run)
    _close_what_nothing_will_charge(run, "the change was taken back")
    run.state.plans_again = "the plan stays"
    await run.write("the pending change is forgotten")
    return _answer(run, stopped)


def _untouched(run: SubscriptionRun) -> stopping.Stopped:
    return stopping.Stopped(ChargeAtOrder.NONE_PLANNED, run.merchant_uid)


def _answer(
    run: SubscriptionRun, stopped: stopping.Stopped, *, code: str | None = None, message: str | None = None
) -> OrderAnswered:
    return OrderAnswered(
        snapshot=snapshot(run),
        done=code is None,
        code=code,
        message=message,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid if stopped.charge is not ChargeAtOrder.NONE_PLANNED else None,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def _forget_the_pending(run: SubscriptionRun) -> None:
    change, run.state.pending_change = run.state.pending_change, None
    if change is not None:
        run.tell(
            EventType.PLAN_CHANGE_CANCELED,
            f"will not change to {change.plan.name} × {change.quantity}",
            telling.change(run, change, "next_period", reason="taken back or replaced"),
        )


def _close_what_nothing_will_charge(run: SubscriptionRun, why: str) -> None:
    """What is held now has no further period: the number that was opened for one is closed."""
    if not run.charging and run.state.open_order is not None:
        run.close_number(CycleState.SKIPPED, why)
        run.state.open_order = None


async def _change_with_the_next_period(
    run: SubscriptionRun, order: ItemsChange, stopped: stopping.Stopped, *, first_cycle: int | None = None
) -> OrderAnswered:
    """Let the change come with the open period, or with `first_cycle`, where the open one is owed as it is."""
    after = quoting.wanted(run, order)
    _forget_the_pending(run)
    run.state.pending_change, run.state.pending_from = after, first_cycle
    run.tell(
        EventType.PLAN_CHANGE_SCHEDULED,
        f"changes to {after.plan.name} × {after.quantity} with the next period",
        telling.change(run, after, "next_period"),
    )
    if first_cycle is None:
        run.state.plans_again = "the plan changes with it"
    await run.write("a change waits for the next period")
    return _answer(run, stopped)


async def _change_in_the_trial(run: SubscriptionRun, order: ItemsChange, stopped: stopping.Stopped) -> OrderAnswered:
    """Nobody paid for the days of a trial: what is wanted takes the place of what is held, and the trial goes on."""
    after = quoting.wanted(run, order)
    told = telling.change(run, after, order.proration.value, now=True)
    _forget_the_pending(run)
    first_period.hold_in_the_trial(run, after)
    run.tell(EventType.PLAN_CHANGE_APPLIED, f"changed to {after.plan.name} × {after.quantity}", told)
    run.state.plans_again = "the plan has changed"
    await run.write("the change is applied")
    return _answer(run, stopped)


async def _change_now(run: SubscriptionRun, order: ItemsChange, stopped: stopping.Stopped) -> OrderAnswered | None:
    await bookkeeping.follow(run)
    after, costs = quoting.wanted(run, order), quoting.quote(run, order, workflow.now())
    bill = costs.due_now
    if bill is not None and bill.amount.amount > 0:
        if not run.state.has_card:
            run.state.plans_again = "the plan stays"
            message = f"the change costs {bill.amount}, and there is no payment method"
            return _answer(run, stopped, code="no_payment_method", message=message)
        await _charge(run, order, costs, bill)
        return None
    await _apply_now(run, order, after, costs, None)
    run.state.plans_again = "the plan has changed"
    return _answer(run, stopped)


async def charged(run: SubscriptionRun, proven: Proven) -> OrderAnswered:
    """What the change costs is proven: paid, it applies as it was quoted; else everything stays as it was."""
    order, costs, verdict = proven.charge.change, proven.charge.costs, proven.verdict
    assert order is not None  # noqa: S101 - noted when the charge began
    assert costs is not None  # noqa: S101
    run.state.plans_again = "the plan stays"
    number, payment = proven.charge.order.merchant_uid, verdict.payment
    if verdict.finding is not Finding.PAID or payment is None:
        return await _declined(run, order, proven.charge.order.amount, number, verdict)
    await _apply_now(run, order, quoting.wanted(run, order), costs, payment)
    run.state.plans_again = "the plan has changed"
    return OrderAnswered(snapshot=snapshot(run), charge=ChargeAtOrder.PAID, merchant_uid=number, charged=payment.amount)


async def _charge(run: SubscriptionRun, order: ItemsChange, costs: ChangeQuote, bill: Bill) -> None:
    run.state.changes += 1
    number, after = change_merchant_uid(run.start.subscription_id, run.state.changes), quoting.wanted(run, order)
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
    ordered = OpenOrder(
        merchant_uid=number,
        amount=bill.amount,
        tax_free=bill.tax_free,
        vat_amount=bill.vat_amount,
        customer_uid=run.customer_uid,
        name=after.plan.name,
    )
    attempts.begin(run, Purpose.CHANGE, order=ordered, change=order, costs=costs)


async def _declined(
    run: SubscriptionRun, order: ItemsChange, amount: Money, number: str, verdict: Verdict
) -> OrderAnswered:
    """Nothing is changed; money that moved in another way than ordered waits for a person."""
    after = quoting.wanted(run, order)
    states = {
        Finding.DECLINED: CycleState.DECLINED,
        Finding.MISMATCH: CycleState.MISMATCH,
        Finding.PENDING: CycleState.MISMATCH,
    }
    state, payment = states.get(verdict.finding, CycleState.NOT_EXECUTED), verdict.payment
    reason = verdict.reason or verdict.finding.value
    if state is CycleState.MISMATCH:
        parking.park(run, ParkedKind.CHANGE_MISMATCH, f"a plan change: {reason}", number, payment)
    run.tell(
        EventType.PLAN_CHANGE_DECLINED,
        f"the change to {after.plan.name} was not paid",
        telling.change(
            run, after, order.proration.value, amount=amount.amount, merchant_uid=number, reason=reason, now=True
        ),
    )
    await run.write(
        "the change was not paid",
        results=[_result(number, state, payment, reason)],
        payments=[payment] if payment else [],
    )
    return OrderAnswered(
        snapshot=snapshot(run),
        done=False,
        code=f"charge_{state.value}",
        message=reason,
        charge=ChargeAtOrder.MISMATCH if state is CycleState.MISMATCH else ChargeAtOrder.DECLINED,
        merchant_uid=number,
    )


async def _apply_now(
    run: SubscriptionRun,
    order: ItemsChange,
    after: PendingChange,
    costs: ChangeQuote,
    payment: PaymentFact | None,
) -> None:
    moved = payment.amount.amount if payment is not None else costs.balance - run.state.balance
    told = telling.change(
        run,
        after,
        order.proration.value,
        amount=moved,
        merchant_uid=payment.merchant_uid if payment else None,
        imp_uid=payment.imp_uid if payment else None,
        now=True,
    )
    _forget_the_pending(run)
    paid = None
    if payment is not None:
        paid = PaidOrder(merchant_uid=payment.merchant_uid, imp_uid=payment.imp_uid, amount=payment.amount)
    quoting.hold(run, after, costs, paid)
    _close_what_nothing_will_charge(run, "the term is over with the running period")
    run.tell(EventType.PLAN_CHANGE_APPLIED, f"changed to {after.plan.name} × {after.quantity}", told)
    results = []
    if payment is not None:
        run.tell(
            EventType.CHARGE_PAID,
            f"{payment.amount} for the change is paid",
            telling.other_charge(run, payment, CycleState.PAID, None),
        )
        results = [_result(payment.merchant_uid, CycleState.PAID, payment, None)]
    await run.write("the change is applied", results=results, payments=[payment] if payment else [])


def _result(number: str, state: CycleState, payment: PaymentFact | None, reason: str | None) -> ChargeResult:
    return ChargeResult(number, state, workflow.now(), imp_uid=payment.imp_uid if payment else None, message=reason)
