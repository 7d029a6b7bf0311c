"""Change plan, quantity or coupon: with the next period, or now at what it costs."""

from datetime import datetime

from temporalio import workflow

from billing.domain import bounds, refusals
from billing.domain.bills import Bill, Holding
from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import change_merchant_uid
from billing.domain.money import Money
from billing.domain.parked import ParkedKind
from billing.domain.proration import ChangeQuote
from billing.domain.records import ChargeIntent, ChargeKind, ChargeResult, PendingChange
from billing.domain.refusals import Refusal, RefusedError, need
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription import (
    change_quote,
    first_period,
    parking,
    payloads,
    pending_change,
    pg_fit,
    skipping,
)
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import When
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.orders import OpenOrder, PaidOrder
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict
from workflows.charge import attempts, look_up, stopping
from workflows.charge.attempts import Proven
from workflows.subscription.commands.command import OWING, Command, Fault, has_numbers_left, is_not_parked

UNFINISHED = "PortOne has not finished an earlier payment of the open period; nothing was changed"

CHANGE_UNPAID = Refusal("change_unpaid", f"{refusals.PAY}, or take that change back (DELETE …/pending-change)")
PERIOD_UNPAID = Refusal("period_unpaid", f"{refusals.PAY}, or change with the period after it (at: period_end)")
CURRENCY_CHANGED = Refusal(
    "currency_changed",
    "start a new subscription in the other currency, and cancel this one",
    status=422,
    field="plan.currency",
)
DOES_NOT_FIT = Refusal(
    "does_not_fit", "change plan, quantity and coupon together, so that they fit", status=422, field="quantity"
)
TERM_IS_OVER = Refusal("term_is_over", "take a plan with more periods, or without max_cycles")
PERIOD_SKIPPED = Refusal(
    "period_skipped", "change with the next period (at: period_end), or undo the skip by POST …/undo-skip"
)


class ChangePlan(ItemsChange):
    """Change plan, quantity or coupon: now, or with the next period."""


def guard(message: ChangePlan, subscription: Subscription, _now: datetime) -> None:
    """Refuse where there is nothing that could change, or not to this."""
    state, plan = subscription.state, subscription.terms.plan
    if state.status in OWING:
        why = "a period is not paid, so there is nothing paid that a change now could prorate"
        need(message.at is When.PERIOD_END, PERIOD_UNPAID, why)
        why = "the change that is pending comes with a period that is not paid, and is part of its price"
        need(state.coming_change is None, CHANGE_UNPAID, why)
    need(not state.cancel.at_period_end, refusals.CANCEL_IS_SET, "it ends with its period")
    is_not_parked(subscription)
    if message.at is When.NOW:
        paused = state.status is SubscriptionStatus.PAUSED
        need(not paused, refusals.NOT_ACTIVE, "what is paused changes with the period it resumes with")
        running = not skipping.is_running(subscription)
        need(running, PERIOD_SKIPPED, "nothing is paid for in a skipped period, so that nothing could be prorated")
    if message.plan is not None:
        same = message.plan.price.currency == plan.price.currency
        need(same, CURRENCY_CHANGED, f"a change keeps its currency, {plan.price.currency}")
    _fits(message, subscription)
    has_numbers_left(subscription)
    pg_fit.check_change(subscription, message)


def _fits(message: ChangePlan, subscription: Subscription) -> None:
    state, terms = subscription.state, subscription.terms
    after = message.instead_of(terms.held(), state.items.pending)
    try:
        Holding(after.plan, after.quantity, after.coupon)
    except ValueError as error:
        raise RefusedError(DOES_NOT_FIT, str(error)) from None
    another = terms.has_another_calendar(after.plan)
    begun = message.at is When.NOW and not another and state.status is SubscriptionStatus.ACTIVE
    ahead = 0 if begun else 2 if state.status in OWING else 1
    periods, term = state.paid.cycles + ahead, after.plan.max_cycles
    enough = state.paid.another_begins(term, periods - 1)
    need(enough, TERM_IS_OVER, f"it would be in period {periods} of a plan that ends after {term}")


def faults(message: ChangePlan) -> list[Fault]:
    """What lies beyond a bound."""
    plan = bounds.plan_fault(message.plan) if message.plan is not None else None
    coupon = bounds.coupon_fault(message.coupon) if message.coupon is not None else None
    quantity = ("quantity", bounds.number_fault(message.quantity, 1, bounds.MAX_QUANTITY))
    return [quantity, *(fault for fault in (plan, coupon) if fault is not None)]


async def work(subscription: Subscription, recording: Recording, order: ChangePlan) -> OrderAnswered | None:
    """Change with the next period, or now; it is added to a change that waits, or with `now` takes its place.

    Raises:
        RefusedError: the next charge ran first, and the order makes no sense in the period that began with it.
    """
    if subscription.state.status in OWING:
        # The period that is owed is tried on as it is, under its number: nothing of it has to be stopped.
        return _change_with_the_next_period(
            subscription,
            recording,
            workflow.now(),
            order,
            untouched(subscription),
            first_cycle=subscription.state.period.cycle + 1,
        )
    stopped = await stopping.stop_the_charge(subscription, recording)
    if stopped.unfinished:
        return answer(stopped, code="charge_unfinished", message=UNFINISHED)
    if stopped.stands_in_the_way:
        message = "the next charge ran first and was not paid; nothing was changed"
        return answer(stopped, code=f"charge_{stopped.charge.value}", message=message)
    if stopped.charge is ChargeAtOrder.PAID:
        guard(order, subscription, workflow.now())
    if order.at is When.PERIOD_END:
        return _change_with_the_next_period(subscription, recording, workflow.now(), order, stopped)
    if subscription.state.status is SubscriptionStatus.TRIALING:
        return _change_in_the_trial(subscription, recording, workflow.now(), order, stopped)
    return await _change_now(subscription, recording, order, stopped)


def untouched(subscription: Subscription) -> stopping.Stopped:
    """The open charge was left as it is."""
    return stopping.Stopped(ChargeAtOrder.NONE_PLANNED, subscription.terms.merchant_uid)


def answer(stopped: stopping.Stopped, *, code: str | None = None, message: str | None = None) -> OrderAnswered:
    """What a change is answered; with a code, that it came to nothing."""
    return OrderAnswered(
        done=code is None,
        code=code,
        message=message,
        charge=stopped.charge,
        merchant_uid=stopped.merchant_uid if stopped.charge is not ChargeAtOrder.NONE_PLANNED else None,
        charged=stopped.payment.amount if stopped.payment else None,
    )


def close_what_nothing_will_charge(subscription: Subscription, recording: Recording, now: datetime, why: str) -> None:
    """What is held now has no further period: the number that was opened for one is closed."""
    if not subscription.terms.charging and subscription.state.period.order is not None:
        recording.close_order(CycleState.SKIPPED, why, now)
        subscription.state.period.close_order()


def _change_with_the_next_period(
    subscription: Subscription,
    recording: Recording,
    now: datetime,
    order: ItemsChange,
    stopped: stopping.Stopped,
    *,
    first_cycle: int | None = None,
) -> OrderAnswered:
    """Let the change come with the open period, or with `first_cycle`, where the open one is owed as it is."""
    after = change_quote.wanted(subscription, order)
    pending_change.drop(subscription, recording, now, "taken back or replaced")
    subscription.state.items.wait_for(after, first_cycle)
    recording.emit(
        EventType.PLAN_CHANGE_SCHEDULED,
        f"changes to {after.plan.name} × {after.quantity} with the next period",
        payloads.change(subscription, after, "next_period"),
        now,
    )
    if first_cycle is None:
        subscription.state.period.plan_again("the plan changes with it")
    recording.write("a change waits for the next period", now)
    return answer(stopped)


def _change_in_the_trial(
    subscription: Subscription, recording: Recording, now: datetime, order: ItemsChange, stopped: stopping.Stopped
) -> OrderAnswered:
    """Nobody paid for the days of a trial: what is wanted takes the place of what is held, and the trial goes on."""
    after = change_quote.wanted(subscription, order)
    told = payloads.change(subscription, after, order.proration.value, effective_at=workflow.now())
    pending_change.drop(subscription, recording, now, "taken back or replaced")
    first_period.change_in_the_trial(subscription, after)
    recording.emit(EventType.PLAN_CHANGE_APPLIED, f"changed to {after.plan.name} × {after.quantity}", told, now)
    subscription.state.period.plan_again("the plan has changed")
    recording.write("the change is applied", now)
    return answer(stopped)


async def _change_now(
    subscription: Subscription, recording: Recording, order: ItemsChange, stopped: stopping.Stopped
) -> OrderAnswered | None:
    await look_up.follow_returns(subscription)
    after, costs = change_quote.wanted(subscription, order), change_quote.quote(subscription, order, workflow.now())
    bill = costs.due_now
    if bill is not None and bill.amount.amount > 0:
        if not subscription.state.method.is_there:
            subscription.state.period.plan_again("the plan stays")
            message = f"the change costs {bill.amount}, and there is no payment method"
            return answer(stopped, code="no_payment_method", message=message)
        _charge(subscription, recording, workflow.now(), order, costs, bill)
        return None
    _apply_now(subscription, recording, workflow.now(), order, after, costs, None)
    subscription.state.period.plan_again("the plan has changed")
    return answer(stopped)


def charged(subscription: Subscription, recording: Recording, now: datetime, proven: Proven) -> OrderAnswered:
    """What the change costs is proven: paid, it applies as it was quoted; else everything stays as it was."""
    order, costs, verdict = proven.charge.change, proven.charge.costs, proven.verdict
    assert order is not None  # noqa: S101 - noted when the charge began
    assert costs is not None  # noqa: S101
    subscription.state.period.plan_again("the plan stays")
    number, payment = proven.charge.order.merchant_uid, verdict.payment
    if verdict.finding is not Finding.PAID or payment is None:
        return _declined(subscription, recording, now, order, proven.charge.order.amount, number, verdict)
    _apply_now(subscription, recording, now, order, change_quote.wanted(subscription, order), costs, payment)
    subscription.state.period.plan_again("the plan has changed")
    return OrderAnswered(charge=ChargeAtOrder.PAID, merchant_uid=number, charged=payment.amount)


def _charge(
    subscription: Subscription, recording: Recording, now: datetime, order: ItemsChange, costs: ChangeQuote, bill: Bill
) -> None:
    number, after = (
        change_merchant_uid(subscription.start.subscription_id, subscription.state.paid.next_change()),
        change_quote.wanted(subscription, order),
    )
    intent = ChargeIntent(
        merchant_uid=number,
        workflow_id=workflow.info().workflow_id,
        kind=ChargeKind.CHANGE,
        amount=bill.amount,
        name=after.plan.name,
        due_at=now,
        subscription_id=subscription.start.subscription_id,
        customer_uid=subscription.terms.customer_uid,
        tax_free=bill.tax_free,
        vat_amount=bill.vat_amount,
    )
    recording.write(f"a change for {bill.amount} is charged", now, intents=[intent])
    ordered = OpenOrder(
        merchant_uid=number,
        amount=bill.amount,
        tax_free=bill.tax_free,
        vat_amount=bill.vat_amount,
        customer_uid=subscription.terms.customer_uid,
        name=after.plan.name,
    )
    attempts.begin(subscription, now, Purpose.CHANGE, order=ordered, change=order, costs=costs)


def _declined(
    subscription: Subscription,
    recording: Recording,
    now: datetime,
    order: ItemsChange,
    amount: Money,
    number: str,
    verdict: Verdict,
) -> OrderAnswered:
    """Nothing is changed; money that moved in another way than ordered waits for a person."""
    after = change_quote.wanted(subscription, order)
    states = {
        Finding.DECLINED: CycleState.DECLINED,
        Finding.MISMATCH: CycleState.MISMATCH,
        Finding.PENDING: CycleState.MISMATCH,
    }
    state, payment = states.get(verdict.finding, CycleState.NOT_EXECUTED), verdict.payment
    reason = verdict.reason or verdict.finding.value
    if state is CycleState.MISMATCH:
        parking.park(
            subscription,
            recording,
            now,
            ParkedKind.CHANGE_MISMATCH,
            f"a plan change: {reason}",
            number,
            payment=payment,
        )
    recording.emit(
        EventType.PLAN_CHANGE_DECLINED,
        f"the change to {after.plan.name} was not paid",
        payloads.change(
            subscription,
            after,
            order.proration.value,
            amount=amount.amount,
            merchant_uid=number,
            reason=reason,
            effective_at=workflow.now(),
        ),
        now,
    )
    recording.write(
        "the change was not paid",
        now,
        results=[_result(number, state, payment, reason)],
        payments=[payment] if payment else [],
    )
    return OrderAnswered(
        done=False,
        code=f"charge_{state.value}",
        message=reason,
        charge=ChargeAtOrder.MISMATCH if state is CycleState.MISMATCH else ChargeAtOrder.DECLINED,
        merchant_uid=number,
    )


def _apply_now(
    subscription: Subscription,
    recording: Recording,
    now: datetime,
    order: ItemsChange,
    after: PendingChange,
    costs: ChangeQuote,
    payment: PaymentFact | None,
) -> None:
    moved = payment.amount.amount if payment is not None else costs.balance - subscription.state.paid.balance
    told = payloads.change(
        subscription,
        after,
        order.proration.value,
        amount=moved,
        merchant_uid=payment.merchant_uid if payment else None,
        imp_uid=payment.imp_uid if payment else None,
        effective_at=workflow.now(),
    )
    pending_change.drop(subscription, recording, now, "taken back or replaced")
    paid = None
    if payment is not None:
        paid = PaidOrder(merchant_uid=payment.merchant_uid, imp_uid=payment.imp_uid, amount=payment.amount)
    change_quote.apply(subscription, after, costs, paid)
    close_what_nothing_will_charge(subscription, recording, now, "the term is over with the running period")
    recording.emit(EventType.PLAN_CHANGE_APPLIED, f"changed to {after.plan.name} × {after.quantity}", told, now)
    results = []
    if payment is not None:
        recording.emit(
            EventType.CHARGE_PAID,
            f"{payment.amount} for the change is paid",
            payloads.other_charge(subscription, payment, CycleState.PAID, None),
            now,
        )
        results = [_result(payment.merchant_uid, CycleState.PAID, payment, None)]
    recording.write("the change is applied", now, results=results, payments=[payment] if payment else [])


def _result(number: str, state: CycleState, payment: PaymentFact | None, reason: str | None) -> ChargeResult:
    return ChargeResult(number, state, workflow.now(), imp_uid=payment.imp_uid if payment else None, message=reason)


COMMAND = Command(
    name="change_plan",
    path="change-plan",
    summary="Change plan, quantity or coupon, now (prorated) or with the next period.",
    message=ChangePlan,
    guard=guard,
    work=work,
    refusals=(
        CHANGE_UNPAID,
        PERIOD_UNPAID,
        PERIOD_SKIPPED,
        CURRENCY_CHANGED,
        DOES_NOT_FIT,
        TERM_IS_OVER,
        refusals.CANCEL_IS_SET,
        refusals.PARKED,
        refusals.NOT_ACTIVE,
        refusals.TOO_MANY_CHANGES,
    ),
    events=(
        EventType.PLAN_CHANGE_SCHEDULED,
        EventType.PLAN_CHANGE_APPLIED,
        EventType.PLAN_CHANGE_DECLINED,
        EventType.PLAN_CHANGE_CANCELED,
    ),
    faults=faults,
)
