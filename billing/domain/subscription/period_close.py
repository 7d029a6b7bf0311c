"""The period is closed: paid, or it costs nothing; what was to change with it changes, and the next one opens."""

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from billing.domain.bills import Bill
from billing.domain.calendar import Anchor, days_later, time_zone
from billing.domain.events import EventType
from billing.domain.facts import BillingKeyFact, PaymentFact
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import payloads
from billing.domain.subscription.orders import PaidOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Verdict, returned_amount


def settle_paid(
    subscription: Subscription,
    recording: Recording,
    now: datetime,
    verdict: Verdict,
    billing_key: BillingKeyFact | None = None,
    *,
    late: bool = False,
) -> None:
    """Record the open period as paid and, in the same transaction, open the intent of the next one.

    It came `late` when it was not expected any more; an attempt that was recorded as failed always does.
    """
    state, payment = subscription.state, verdict.payment
    if payment is not None and (late or _came_late(subscription, payment)):
        _reopen(subscription, recording, now, payment)
    if state.status is SubscriptionStatus.INCOMPLETE:
        # Whichever look finds the first charge paid: its key is written down with it.
        billing_key = billing_key or state.method.issued
    state.cancel.has_settled(subscription.terms.merchant_uid)
    state.period.move(CycleState.PAID)
    result = subscription.result(CycleState.PAID, payment, now)
    bill = subscription.terms.bill()
    recording.emit(
        EventType.CHARGE_PAID,
        f"{bill.amount} for period {state.period.cycle} is paid",
        payloads.charge(subscription, CycleState.PAID, payment),
        now,
    )
    state.paid.paid_with(payment.imp_uid if payment else None)
    order = PaidOrder(
        merchant_uid=subscription.terms.merchant_uid,
        imp_uid=state.paid.last_imp_uid,
        amount=payment.amount if payment else bill.amount,
        returned=returned_amount(payment) if payment else 0,
    )
    if payment is not None and state.method.card is None:
        shown = BillingKeyFact(
            subscription.terms.customer_uid, card_name=payment.card_name, card_number=payment.card_number
        )
        state.method.note_card(shown.label())
    state.paid.count_period(subscription.terms.holding().value())
    paid = state.period.cycle
    _begin_the_next_period(subscription, recording, now, order)
    recording.write(
        f"period {paid} is paid",
        now,
        results=[result],
        payments=verdict.rows,
        intents=[subscription.intent()] if subscription.terms.charging else [],
        billing_key=billing_key,
    )


def _came_late(subscription: Subscription, payment: PaymentFact) -> bool:
    """Whether it is an attempt that was recorded as failed, or one that nobody had planned any more."""
    state = subscription.state
    given_up = state.arrears.retries_over and state.period.state is CycleState.DECLINED
    return given_up or payment.imp_uid in state.period.known_failures


def _reopen(subscription: Subscription, recording: Recording, now: datetime, payment: PaymentFact) -> None:
    """The period was given up, or is being tried again, and is paid after all while it is still open."""
    state = subscription.state
    if state.period.state not in (CycleState.DECLINED, CycleState.REVOKED, CycleState.NOT_EXECUTED):
        # The retry that stood for it was taken back, or is not needed any more.
        state.period.move(CycleState.REVOKED)
    for step in (CycleState.LATE_PAID, CycleState.REOPENED):
        state.period.move(step)
        recording.note_result(subscription.result(step, payment, now))
    text = f"period {state.period.cycle} was paid after it had been declined"
    recording.emit(
        EventType.CHARGE_LATE_PAID, text, payloads.charge(subscription, CycleState.LATE_PAID, payment, text), now
    )


def settle_skipped(
    subscription: Subscription, recording: Recording, now: datetime, billing_key: BillingKeyFact | None = None
) -> None:
    """Let a period pass that costs nothing, or too little to be charged, and open the next one; no call is made."""
    state, owed = subscription.state, subscription.terms.bill().carried
    state.period.move(CycleState.SKIPPED)
    why = f"costs too little to be charged: {owed} is carried on" if owed > 0 else "costs nothing"
    text = f"period {state.period.cycle} {why}"
    result = subscription.result(CycleState.SKIPPED, None, now, why)
    recording.emit(EventType.CHARGE_SKIPPED, text, payloads.charge(subscription, CycleState.SKIPPED), now)
    state.paid.count_period(subscription.terms.holding().value())
    _begin_the_next_period(subscription, recording, now, None)
    recording.write(
        text,
        now,
        results=[result],
        intents=[subscription.intent()] if subscription.terms.charging else [],
        billing_key=billing_key,
    )


def _begin_the_next_period(
    subscription: Subscription, recording: Recording, now: datetime, paid: PaidOrder | None
) -> None:
    state, was, change = subscription.state, subscription.state.status, subscription.state.coming_change
    told = None
    if change is not None:
        told = payloads.change(subscription, change, "next_period", effective_at=now)
    # Where access was closed meanwhile, the period that is paid now begins now, and none is owed for the time between.
    closed = was is SubscriptionStatus.UNPAID or state.arrears.end_action_taken
    turn(subscription, now.replace(microsecond=0) if closed else None, paid)
    state.become(SubscriptionStatus.ACTIVE)
    state.pause.is_over()
    if change is not None and told is not None:
        recording.emit(EventType.PLAN_CHANGE_APPLIED, f"changed to {change.plan.name} × {change.quantity}", told, now)
    if was is not SubscriptionStatus.ACTIVE:
        resumed = was is SubscriptionStatus.PAUSED
        event = EventType.SUBSCRIPTION_RESUMED if resumed else EventType.SUBSCRIPTION_ACTIVE
        recording.emit(event, "goes on" if resumed else "is paid for", payloads.subscription(subscription), now)


def turn(subscription: Subscription, begins_anew: datetime | None = None, paid: PaidOrder | None = None) -> None:
    """Turn the books to the period whose bill is paid: what was to change with it changes, and its days begin.

    Pure, so that a preview and a test reckon as a charge does. With `begins_anew` the billing day moves there;
    another interval or zone counts from the day on which it begins. `paid` is the order that paid the bill.
    """
    state, terms = subscription.state, subscription.terms
    bill, holding, change, cycle = terms.bill(), terms.holding(), state.coming_change, state.period.cycle
    _count_what_begins_whole(subscription)
    begins, whole_from = _entered(subscription) if begins_anew is None else _begin_anew(subscription, begins_anew)
    state.periods.count_days_from(whole_from if begins != whole_from else None)
    state.items.count_coupon(holding.coupon if bill.coupon_used else None)
    _pay(subscription, bill, paid)
    if change is not None:
        if terms.has_another_calendar(change.plan):
            state.periods.anchor_at(Anchor.at(whole_from, change.plan.zone), cycle)
        subscription.become(change, coupon_used=bill.coupon_used)
    elif bill.coupon_used:
        state.items.use_coupon()
    ends_at = terms.due(cycle + 1)
    state.periods.enter(begins, ends_at)
    state.begin_next_period(ends_at)


def _count_what_begins_whole(subscription: Subscription) -> None:
    """A part of a period was laid, and one of another calendar takes its place, whole."""
    state, terms = subscription.state, subscription.terms
    if state.periods.paid_days and not terms.is_a_part:
        state.paid.not_given_more(-Fraction(state.periods.paid_days, terms.days()))


def _entered(subscription: Subscription) -> tuple[datetime, datetime]:
    """When the open period begins, whenever it was paid, and where its days are counted from."""
    state, terms = subscription.state, subscription.terms
    whole_from = terms.due(state.period.cycle)
    if not state.periods.paid_days:
        return whole_from, whole_from
    begins = days_later(whole_from, state.periods.paid_days, terms.plan.zone)
    zone = time_zone(terms.plan.zone)
    if state.period.due_at.astimezone(zone).date() == begins.astimezone(zone).date():
        begins = state.period.due_at
    return begins, whole_from if terms.is_a_part else begins


def _begin_anew(subscription: Subscription, at: datetime) -> tuple[datetime, datetime]:
    """The same for a period that begins at `at`: a part of one has as many days from there as were billed."""
    state, terms = subscription.state, subscription.terms
    zone, cycle = terms.plan.zone, state.period.cycle
    if not terms.is_a_part:
        state.periods.anchor_at(Anchor.at(at, zone), cycle)
        return at, at
    ends = days_later(at, terms.days() - state.periods.paid_days, zone)
    whole_from = days_later(at, -state.periods.paid_days, zone)
    state.periods.anchor_at(Anchor.at(ends, zone), cycle + 1)
    return at, whole_from


def _pay(subscription: Subscription, bill: Bill, paid: PaidOrder | None) -> None:
    came = None
    if paid is not None:
        # What went back of it before it counted is gone.
        whole = paid.paid_with()
        came = replace(whole, amount=max(0, whole.amount - whole.returned))
    worth = bill.amount.amount + bill.carried - subscription.state.paid.balance
    before, holding = subscription.terms.books(), subscription.terms.holding()
    subscription.keep(before.begun(holding, worth, bill.carried, bill.amount.amount, came))
