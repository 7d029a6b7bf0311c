"""The end of a cycle: the period is paid or costs nothing, what was to change with it changes, the next one opens."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from temporalio import workflow

from billing.domain.bills import Bill
from billing.domain.both_sides import money_returned
from billing.domain.calendar import Anchor, days_later, time_zone
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.records import PaidOrder
from billing.domain.verdict import Verdict
from workflows import bookkeeping, first_period, telling
from workflows.subscription_run import SubscriptionRun


async def settle_paid(
    run: SubscriptionRun, verdict: Verdict, billing_key: BillingKeyFact | None = None, *, late: bool = False
) -> None:
    """Book the current cycle as paid and, in the same transaction, open the intent of the next one.

    It came `late` when it was not expected any more; an attempt that was booked as failed always does.
    """
    state, payment = run.state, verdict.payment
    if payment is not None and (late or _came_late(run, payment)):
        _reopen(run, payment)
    state.move(CycleState.PAID)
    result = run.result(CycleState.PAID, payment)
    bill = run.bill()
    run.tell(
        EventType.CHARGE_PAID,
        f"{bill.amount} for period {state.cycle} is paid",
        telling.charge(run, CycleState.PAID, payment),
    )
    state.last_paid_imp_uid = payment.imp_uid if payment else None
    order = PaidOrder(
        merchant_uid=run.merchant_uid,
        imp_uid=state.last_paid_imp_uid,
        amount=payment.amount if payment else bill.amount,
        returned=money_returned(payment) if payment else 0,
    )
    state.last_paid = run.holding().value()
    if payment is not None and state.card is None:
        state.card = BillingKeyFact(
            run.customer_uid, card_name=payment.card_name, card_number=payment.card_number
        ).label()
    state.paid_cycles += 1
    paid = state.cycle
    _begin_the_next_period(run, order)
    await run.write(
        f"period {paid} is paid",
        results=[result],
        payments=[payment] if payment else [],
        intents=[run.intent()] if run.charging else [],
        billing_key=billing_key,
    )


def _came_late(run: SubscriptionRun, payment: PaymentFact) -> bool:
    """Whether it is an attempt that was booked as failed, or one that nobody had planned any more."""
    state = run.state
    given_up = state.retries_over and state.cycle_state is CycleState.DECLINED
    return given_up or payment.imp_uid in state.known_failures


def _reopen(run: SubscriptionRun, payment: PaymentFact) -> None:
    """The period was given up, or is being tried again, and is paid after all while it is still open."""
    state = run.state
    if state.cycle_state not in (CycleState.DECLINED, CycleState.REVOKED, CycleState.NOT_EXECUTED):
        # The retry that stood for it was taken back, or is not needed any more.
        state.move(CycleState.REVOKED)
    for step in (CycleState.LATE_PAID, CycleState.REOPENED):
        state.move(step)
        run.note_result(run.result(step, payment))
    text = f"period {state.cycle} was paid after it had been declined"
    run.tell(EventType.CHARGE_LATE_PAID, text, telling.charge(run, CycleState.LATE_PAID, payment, text))


async def settle_skipped(run: SubscriptionRun, billing_key: BillingKeyFact | None = None) -> None:
    """Let a period pass that costs nothing, or too little to be charged, and open the next one; no call is made."""
    state, owed = run.state, run.bill().carried
    state.move(CycleState.SKIPPED)
    why = f"costs too little to be charged: {owed} is carried on" if owed > 0 else "costs nothing"
    text = f"period {state.cycle} {why}"
    result = run.result(CycleState.SKIPPED, None, why)
    run.tell(EventType.CHARGE_SKIPPED, text, telling.charge(run, CycleState.SKIPPED))
    state.last_paid = run.holding().value()
    state.paid_cycles += 1
    _begin_the_next_period(run, None)
    await run.write(
        text,
        results=[result],
        intents=[run.intent()] if run.charging else [],
        billing_key=billing_key,
    )


def _begin_the_next_period(run: SubscriptionRun, paid: PaidOrder | None) -> None:
    state, was, change = run.state, run.state.status, run.state.coming_change
    told = telling.change(run, change, "next_period", now=True) if change is not None else None
    # Where access was closed meanwhile, the period that is paid now begins now, and none is owed for the time between.
    closed = was is SubscriptionStatus.UNPAID or state.end_action_taken
    turn(run, workflow.now().replace(microsecond=0) if closed else None, paid)
    state.become(SubscriptionStatus.ACTIVE)
    state.paused_at = None
    if change is not None and told is not None:
        run.tell(EventType.PLAN_CHANGE_APPLIED, f"changed to {change.plan.name} × {change.quantity}", told)
    if was is not SubscriptionStatus.ACTIVE:
        resumed = was is SubscriptionStatus.PAUSED
        event = EventType.SUBSCRIPTION_RESUMED if resumed else EventType.SUBSCRIPTION_ACTIVE
        run.tell(event, "goes on" if resumed else "is paid for", telling.subscription(run))


def turn(run: SubscriptionRun, begins_anew: datetime | None = None, paid: PaidOrder | None = None) -> None:
    """Turn the books to the period whose bill is paid: what was to change with it changes, and its days begin.

    Pure, so that a preview and a test reckon as a charge does. With `begins_anew` the billing day moves there;
    another interval or zone counts from the day on which it begins. `paid` is the order that paid the bill.
    """
    state, bill, held, change = run.state, run.bill(), run.holding(), run.state.coming_change
    coupon_used = bill.coupon_used
    _count_what_begins_whole(run)
    begins, whole_from = _entered(run) if begins_anew is None else _begin_anew(run, begins_anew)
    state.counts_from = whole_from if begins != whole_from else None
    state.counted_coupon = held.coupon if coupon_used else None
    _pay(run, bill, paid)
    if change is None:
        state.coupon_cycles_used += 1 if coupon_used else 0
    else:
        if run.has_another_calendar(change.plan):
            state.anchor, state.first_cycle = Anchor.at(whole_from, change.plan.zone), state.cycle
        run.take_over(change, coupon_used=coupon_used)
    state.period_start, state.period_end = begins, run.due(state.cycle + 1)
    state.begin_cycle(state.period_end)


def _count_what_begins_whole(run: SubscriptionRun) -> None:
    """A part of a period was laid, and one of another calendar takes its place, whole."""
    state = run.state
    if state.paid_days and not run.is_a_part:
        state.not_given = str(Fraction(state.not_given) - Fraction(state.paid_days, first_period.days(run)))


def _entered(run: SubscriptionRun) -> tuple[datetime, datetime]:
    """When the open period begins, whenever it was paid, and where its days are counted from."""
    state, whole_from = run.state, run.due(run.state.cycle)
    if not state.paid_days:
        return whole_from, whole_from
    begins = days_later(whole_from, state.paid_days, run.plan.zone)
    zone = time_zone(run.plan.zone)
    if state.due_at.astimezone(zone).date() == begins.astimezone(zone).date():
        begins = state.due_at
    return begins, whole_from if run.is_a_part else begins


def _begin_anew(run: SubscriptionRun, at: datetime) -> tuple[datetime, datetime]:
    """The same for a period that begins at `at`: a part of one has as many days from there as were billed."""
    state, zone = run.state, run.plan.zone
    if not run.is_a_part:
        state.anchor, state.first_cycle = Anchor.at(at, zone), state.cycle
        return at, at
    ends = days_later(at, first_period.days(run) - state.paid_days, zone)
    state.anchor, state.first_cycle = Anchor.at(ends, zone), state.cycle + 1
    return at, days_later(at, -state.paid_days, zone)


def _pay(run: SubscriptionRun, bill: Bill, paid: PaidOrder | None) -> None:
    state, before = run.state, bookkeeping.books_of(run)
    came = None
    if paid is not None:
        # What went back of it before it counted is gone.
        whole = bookkeeping.paid_with(paid)
        came = replace(whole, amount=max(0, whole.amount - whole.returned))
    worth = bill.amount.amount + bill.carried - state.balance
    after = before.begun(run.holding(), worth, bill.carried, bill.amount.amount, came)
    bookkeeping.keep(run, after)
