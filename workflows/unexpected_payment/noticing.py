"""What a person did in PortOne's console, or PortOne late by itself: noticed, looked up, booked in a named state.

A webhook, the reconciliation or a look of our own is only a reason to look. What touches the open period or parks the
subscription is done here; money that pays for nothing is handed on to a workflow of its own, which gives it back.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.foreign import ForeignFact
from billing.domain.known_order import Known, KnownOrder
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.parked import ParkedKind
from billing.domain.records import ChargeResult
from billing.domain.refusals import RefusedError
from billing.domain.states import CycleState
from billing.domain.subscription import parking, payloads, returns
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.subscription.period_close import settle_paid
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.standing import STANDING, stand
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Expected, Finding, Verdict, is_as_ordered, net_amount
from workflows import policies
from workflows.charge import look_up, portone, stopping
from workflows.charge.settling import settle, verify
from workflows.unexpected_payment import notifications
from workflows.unexpected_payment.console_refunds import refunds_elsewhere

_NOT_SENT = frozenset({CycleState.PLANNED, CycleState.GATED})
_STOPPED = frozenset({ChargeAtOrder.REVOKED, ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.DECLINED})


def has_something_to_attend(subscription: Subscription, *, listening: bool) -> bool:
    """Whether a notification of another order, or a look that was asked for, is to be looked into."""
    if subscription.state.reports.look_asked and subscription.state.in_flight.charge is None:
        return True
    return bool(_of_others(subscription, listening=listening))


async def attend(subscription: Subscription, recording: Recording, *, listening: bool) -> None:
    """Look into notifications that the next step does not wait for, and at everything when somebody asked.

    `listening` says that the next step takes those of the open order.
    """
    state = subscription.state
    theirs = _of_others(subscription, listening=listening)[: policies.PAYMENTS_AT_ONCE]
    if theirs:
        judged = await notifications.look_into(subscription, recording, theirs)
        state.reports.take(theirs)
        await _or_look_again(
            subscription, [fact.payment.merchant_uid for fact, _ in judged], _act(subscription, recording, judged)
        )
    if state.reports.look_asked and state.in_flight.charge is None:
        asked = state.reports.take_looks()
        await _or_look_again(
            subscription,
            asked or [subscription.terms.merchant_uid],
            _look_at_everything(subscription, recording, asked),
        )
        state.reports.were_looked_up()
    _charge_what_it_costs_now(subscription)


async def _or_look_again(subscription: Subscription, numbers: Sequence[str], acting: Awaitable[None]) -> None:
    """Act, and where PortOne does not answer on the way, keep in mind to look at these orders again.

    Raises:
        ActivityError: PortOne does not answer.
    """
    try:
        await acting
    except ActivityError:
        for number in numbers:
            subscription.state.reports.ask_for_a_look(number)
        raise


def _of_others(subscription: Subscription, *, listening: bool) -> list[PaymentReported]:
    charge = subscription.state.in_flight.charge
    mine = {subscription.terms.merchant_uid} if listening or charge is not None else set()
    if charge is not None:
        mine.add(charge.order.merchant_uid)
    return [report for report in subscription.state.reports.waiting if report.merchant_uid not in mine]


def _charge_what_it_costs_now(subscription: Subscription) -> None:
    """The credit that the next bill counted on went back: what stands for it is taken back, and stands anew."""
    state = subscription.state
    if not state.paid.credit_went_back or state.in_flight.charge is not None:
        return
    state.paid.credit_is_followed()
    another = state.period.order is not None and state.period.order != subscription.terms.would_open()
    if not another or not subscription.terms.charging or state.period.state in STANDING:
        return
    if state.arrears.retries_over:
        # Nothing stands for it; whoever pays it by hand takes another number.
        return
    state.period.plan_again("credit that it counted on went back")


async def _act(subscription: Subscription, recording: Recording, judged: Sequence[tuple[ForeignFact, Known]]) -> None:
    """Write down what has changed, book what is ours to book, hand on what is not, and turn to the open period last."""
    others, earlier, open_order = [], [], False
    for fact, known in judged:
        if not notifications.is_to_be_acted_on(subscription, fact):
            continue
        mine = subscription.state.ended_at is None and known.subscription_id == subscription.start.subscription_id
        if mine and fact.payment.merchant_uid == subscription.terms.merchant_uid and subscription.terms.charging:
            open_order = True
        elif mine and subscription.terms.charging and _pays_the_open_period(subscription, fact):
            earlier.append(fact.payment)
        else:
            if mine and known.order is not None and fact.elsewhere:
                _book_refunds_elsewhere(subscription, recording, workflow.now(), fact, known.order, known)
            if fact.unexpected or fact.own or (fact.elsewhere and not mine):
                others.append(fact.payment)
    _give_up_a_number_that_was_paid(subscription, others)
    if recording.has_notes:
        payments = [fact.payment for fact, known in judged if known.order is not None and known.living]
        recording.write("webhooks of orders that are not open", workflow.now(), payments=payments)
    await notifications.hand_on(subscription, recording, others)
    for payment in earlier:
        await _settle_an_earlier_number(subscription, recording, payment)
    if open_order and subscription.state.in_flight.charge is None:
        await _look_at_the_open_order(subscription, recording)


def _pays_the_open_period(subscription: Subscription, fact: ForeignFact) -> bool:
    number = fact.payment.merchant_uid
    return (
        fact.held > 0
        and notifications.pays_late(fact)
        and notifications.is_an_older_number_of_this_period(subscription, number)
    )


def _give_up_a_number_that_was_paid(subscription: Subscription, payments: Sequence[PaymentFact]) -> None:
    """Somebody paid the open number although nothing is to be charged: it goes back, and is never used again."""
    state = subscription.state
    paid = any(payment.merchant_uid == subscription.terms.merchant_uid for payment in payments)
    if paid and state.ended_at is None and state.period.state is not CycleState.MISMATCH:
        state.take_next_number()


# ---------------------------------------------------------------- a refund that was made elsewhere


def _book_refunds_elsewhere(
    subscription: Subscription, recording: Recording, now: datetime, fact: ForeignFact, order: KnownOrder, known: Known
) -> None:
    """Money went back behind our back: it is written down, and where it had paid for something, a person decides."""
    payment = fact.payment
    for record in refunds_elsewhere(fact, order, known):
        recording.note_refund(record)
    back = Money(sum(each.amount for each in fact.elsewhere), payment.amount.currency)
    kept = net_amount(payment)
    reason = f"{back} of {payment.amount} went back in PortOne's console, {Money(kept, back.currency)} is left"
    recording.emit(
        EventType.CHARGE_REFUNDED_ELSEWHERE,
        f"{back} of order {order.merchant_uid} went back, not from here",
        payloads.other_charge(subscription, payment, CycleState.MISMATCH, reason),
        now,
    )
    if order.paid and order.imp_uid == payment.imp_uid:
        at = max(now, order.settled_at or now)
        recording.note_result(
            ChargeResult(order.merchant_uid, CycleState.MISMATCH, at, payment.imp_uid, message=reason)
        )
        parking.park(
            subscription, recording, now, ParkedKind.REFUNDED_ELSEWHERE, reason, order.merchant_uid, payment=payment
        )


# ---------------------------------------------------------------- the open period, paid under an earlier number


async def _settle_an_earlier_number(subscription: Subscription, recording: Recording, payment: PaymentFact) -> None:
    """The period was paid under a number that had been given up: its newer number must not run as well."""
    if subscription.state.in_flight.charge is not None:
        subscription.state.reports.remember(payment.merchant_uid)
        return
    try:
        stopped = await stopping.stop_the_charge(subscription, recording)
    except RefusedError:
        # Nobody knows yet whether the newer number runs: the earlier payment is looked at again later.
        subscription.state.reports.put_off(payment.merchant_uid, workflow.now())
        return
    if stopped.charge is ChargeAtOrder.PAID:
        # The newer number was faster: what was paid under the earlier one pays for nothing.
        await notifications.hand_on(subscription, recording, [payment])
        return
    if stopped.charge not in _STOPPED or stopped.unfinished:
        # It stands parked for another reason; with the decision the earlier payment is looked at again.
        subscription.state.reports.remember(payment.merchant_uid)
        return
    if is_as_ordered(Expected(payment.merchant_uid, subscription.terms.bill().amount), payment):
        settle_as_earlier(subscription, recording, workflow.now(), payment)
        return
    state = subscription.state
    costs = subscription.terms.bill().amount
    reason = f"the period was paid late as {payment.merchant_uid}: {payment.amount}, and costs {costs} now"
    if state.period.state in _NOT_SENT:
        state.period.move(CycleState.VERIFYING)
    state.period.move(CycleState.MISMATCH)
    state.period.park(reason)
    recording.emit(
        EventType.CHARGE_LATE_PAID,
        f"order {payment.merchant_uid} was paid after it had been given up",
        payloads.other_charge(subscription, payment, CycleState.LATE_PAID, reason),
        workflow.now(),
    )
    parking.park(
        subscription,
        recording,
        workflow.now(),
        ParkedKind.EARLIER_NUMBER_PAID,
        reason,
        payment.merchant_uid,
        payment=payment,
        of_cycle=True,
    )
    late = ChargeResult(payment.merchant_uid, CycleState.LATE_PAID, workflow.now(), payment.imp_uid, message=reason)
    recording.write(
        "an earlier order number of this period was paid late", workflow.now(), results=[late], payments=[payment]
    )


def settle_as_earlier(subscription: Subscription, recording: Recording, now: datetime, payment: PaymentFact) -> None:
    """Book the open period as paid under an earlier number of its own; the newer one is never charged."""
    parsed = parse_cycle_merchant_uid(payment.merchant_uid)
    assert parsed is not None  # noqa: S101 - only numbers of this period come here
    if subscription.state.period.order is not None:
        recording.close_order(CycleState.SKIPPED, f"the period is paid as {payment.merchant_uid}", now)
    subscription.state.period.go_back_to_number(parsed[2])
    settle_paid(subscription, recording, now, Verdict(Finding.PAID, payment), late=True)


# ---------------------------------------------------------------- looking at everything


async def _look_at_everything(subscription: Subscription, recording: Recording, asked: Sequence[str]) -> None:
    """Look at all that PortOne has: the open order, what paid the running period, what was asked for, the key."""
    state = subscription.state
    if state.ended_at is None and subscription.terms.charging:
        await _look_at_the_open_order(subscription, recording)
    numbers = dict.fromkeys(
        [*(order.merchant_uid for order in state.paid.orders), *asked, subscription.terms.merchant_uid]
    )
    if subscription.terms.charging and state.ended_at is None:
        numbers.pop(subscription.terms.merchant_uid, None)
    rows: list[PaymentFact] = []
    for number in numbers:
        rows += await portone.find_payments(number)
    returns.record(subscription, recording, workflow.now(), rows)
    await _act(subscription, recording, await notifications.judge_rows(recording, rows))
    await look_up.check_the_key(subscription, recording)
    recording.close_reports(workflow.now())


async def _look_at_the_open_order(subscription: Subscription, recording: Recording) -> None:
    state, verdict = subscription.state, await verify(subscription, recording)
    if state.period.state in _NOT_SENT:
        if verdict.finding is Finding.DECLINED:
            # Somebody tried it before anything was to be charged: no attempt of this period.
            state.period.count_failures()
            recording.write("a charge that nobody ordered was declined", workflow.now(), payments=_of(verdict))
            return
        if verdict.finding in (Finding.PAID, Finding.MISMATCH):
            state.period.move(CycleState.VERIFYING)
    gone = verdict.finding is Finding.ABSENT and verdict.schedule is None and workflow.now() < state.period.due_at
    if verdict.schedule is not None:
        state.schedule.is_shown()
    if gone and state.schedule.stands and state.period.state is CycleState.REGISTERED:
        since, quiet = state.schedule.is_not_shown(workflow.now()), subscription.start.policy.quiet
        if not quiet.counts(since, workflow.now()):
            # One look proves no absence, since looks lag behind; nor do two.
            soon = min(workflow.now() + policies.MISSING_LOOK, quiet.look_at(since, 0))
            state.reports.look_at(subscription.terms.merchant_uid, soon)
            recording.close_reports(workflow.now())
            return
        stand(
            subscription,
            recording,
            workflow.now(),
            CycleState.REVOKED,
            replace(verdict, reason="PortOne has no schedule for it any more"),
        )
        return
    await settle(subscription, recording, verdict)
    recording.close_reports(workflow.now())


def _of(verdict: Verdict) -> list[PaymentFact]:
    return [verdict.payment] if verdict.payment else []
