"""The end of a cycle: the period is paid or costs nothing, what was to change with it changes, the next one opens."""

from temporalio import workflow

from billing.domain.calendar import Anchor
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import Verdict
from workflows import telling
from workflows.subscription_run import SubscriptionRun
from workflows.subscription_state import PaidOrder


async def settle_paid(run: SubscriptionRun, verdict: Verdict, billing_key: BillingKeyFact | None = None) -> None:
    """Book the current cycle as paid and, in the same transaction, open the intent of the next one."""
    state, payment = run.state, verdict.payment
    state.move(CycleState.PAID)
    result = run.result(CycleState.PAID, payment)
    bill = run.bill()
    run.tell(
        EventType.CHARGE_PAID,
        f"{bill.amount} for period {state.cycle} is paid",
        telling.charge(run, CycleState.PAID, payment),
    )
    state.last_paid_imp_uid = payment.imp_uid if payment else None
    state.period_orders = [
        PaidOrder(merchant_uid=run.merchant_uid, imp_uid=state.last_paid_imp_uid, amount=bill.amount)
    ]
    state.last_paid = run.holding().value()
    if payment is not None and state.card is None:
        state.card = BillingKeyFact(
            run.customer_uid, card_name=payment.card_name, card_number=payment.card_number
        ).label()
    state.paid_cycles += 1
    paid = state.cycle
    _begin_the_next_period(run)
    await run.write(
        f"period {paid} is paid",
        results=[result],
        payments=[payment] if payment else [],
        intents=[run.intent()] if run.charging else [],
        billing_key=billing_key,
    )


async def settle_skipped(run: SubscriptionRun, billing_key: BillingKeyFact | None = None) -> None:
    """Let a period pass that costs nothing, and open the next one; no call is made."""
    state = run.state
    state.move(CycleState.SKIPPED)
    result = run.result(CycleState.SKIPPED, None, "costs nothing")
    run.tell(EventType.CHARGE_SKIPPED, f"period {state.cycle} costs nothing", telling.charge(run, CycleState.SKIPPED))
    state.period_orders = []
    state.last_paid = run.holding().value()
    state.paid_cycles += 1
    skipped = state.cycle
    _begin_the_next_period(run)
    await run.write(
        f"period {skipped} costs nothing",
        results=[result],
        intents=[run.intent()] if run.charging else [],
        billing_key=billing_key,
    )


def _begin_the_next_period(run: SubscriptionRun) -> None:
    state, bill, was = run.state, run.bill(), run.state.status
    begins = run.due(state.cycle)
    if was is SubscriptionStatus.UNPAID:
        # Access was closed meanwhile: the period that is paid now begins now.
        begins = workflow.now().replace(microsecond=0)
        state.anchor, state.first_cycle = Anchor.at(begins, run.plan.zone), state.cycle
    state.become(SubscriptionStatus.ACTIVE)
    state.paused_at = None
    state.balance = bill.carried
    _take_over_the_change(run, coupon_used=bill.coupon_used)
    state.period_start, state.period_end = begins, run.due(state.cycle + 1)
    state.begin_cycle(state.period_end)
    if was is not SubscriptionStatus.ACTIVE:
        resumed = was is SubscriptionStatus.PAUSED
        event = EventType.SUBSCRIPTION_RESUMED if resumed else EventType.SUBSCRIPTION_ACTIVE
        run.tell(event, "goes on" if resumed else "is paid for", telling.subscription(run))


def _take_over_the_change(run: SubscriptionRun, *, coupon_used: bool) -> None:
    """What was to change with this period changes now, because it is paid; another interval counts from its day."""
    state, change, held = run.state, run.state.pending_change, run.holding()
    if change is None:
        state.coupon_cycles_used += 1 if coupon_used else 0
        state.paid_by = held
        return
    boundary = run.due(state.cycle)
    told = telling.change(run, change, "next_period", now=True)
    another_calendar = (change.plan.interval, change.plan.zone) != (run.plan.interval, run.plan.zone)
    run.take_over(change, coupon_used=coupon_used)
    state.paid_by = held
    if another_calendar:
        state.anchor, state.first_cycle = Anchor.at(boundary, change.plan.zone), state.cycle
    run.tell(EventType.PLAN_CHANGE_APPLIED, f"changed to {change.plan.name} × {change.quantity}", told)
