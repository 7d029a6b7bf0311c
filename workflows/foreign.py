"""What a person did in PortOne's console, or PortOne late by itself: noticed, looked up, booked in a named state.

A webhook, the reconciliation or a look of our own is only a reason to look. What touches the open period or parks the
subscription is done here; money that pays for nothing is handed on to a workflow of its own, which gives it back.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from billing.domain.events import EventType
from billing.domain.facts import PaymentFact
from billing.domain.foreign import ForeignFact
from billing.domain.known_order import Known, KnownOrder
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.parked import ParkedKind
from billing.domain.records import ChargeResult
from billing.domain.states import CycleState
from billing.domain.subscription.answers import ChargeAtOrder
from billing.domain.subscription.reports import PaymentReported
from billing.domain.verdict import Finding, Verdict
from workflows import bells, bookkeeping, elsewhere, parking, policies, portone, stopping, telling
from workflows.foreign_refunds import refunds_elsewhere
from workflows.settling import STANDING, settle, stand, verify
from workflows.subscription_run import SubscriptionRun
from workflows.turnover import settle_paid

_NOT_SENT = frozenset({CycleState.PLANNED, CycleState.GATED})
_STOPPED = frozenset({ChargeAtOrder.REVOKED, ChargeAtOrder.NONE_PLANNED, ChargeAtOrder.DECLINED})


def has_something_to_attend(run: SubscriptionRun, *, listening: bool) -> bool:
    """Whether a notification of another order, or a look that was asked for, is to be looked into."""
    if run.state.look_asked and run.state.charge is None:
        return True
    return bool(_of_others(run, listening=listening))


async def attend(run: SubscriptionRun, *, listening: bool) -> None:
    """Look into notifications that the next step does not wait for, and at everything when somebody asked.

    `listening` says that the next step takes those of the open order.
    """
    state = run.state
    theirs = _of_others(run, listening=listening)[: policies.FACTS_AT_ONCE]
    if theirs:
        taken = {id(bell) for bell in theirs}
        judged = await bells.look_into(run, theirs)
        state.bells = [bell for bell in state.bells if id(bell) not in taken]
        await _or_look_again(run, [fact.payment.merchant_uid for fact, _ in judged], _act(run, judged))
    if state.look_asked and state.charge is None:
        asked, state.looks_asked, state.look_asked = state.looks_asked, [], False
        await _or_look_again(run, asked or [run.merchant_uid], _look_at_everything(run, asked))
    _charge_what_it_costs_now(run)


async def _or_look_again(run: SubscriptionRun, numbers: Sequence[str], acting: Awaitable[None]) -> None:
    """Act, and where PortOne does not answer on the way, keep in mind to look at these orders again.

    Raises:
        ActivityError: PortOne does not answer.
    """
    try:
        await acting
    except ActivityError:
        for number in numbers:
            run.state.ask_for_a_look(number)
        raise


def _of_others(run: SubscriptionRun, *, listening: bool) -> list[PaymentReported]:
    charge = run.state.charge
    mine = {run.merchant_uid} if listening or charge is not None else set()
    if charge is not None:
        mine.add(charge.order.merchant_uid)
    return [bell for bell in run.state.bells if bell.merchant_uid not in mine]


def _charge_what_it_costs_now(run: SubscriptionRun) -> None:
    """The credit that the next bill counted on went back: what stands for it is taken back, and stands anew."""
    state = run.state
    if not state.credit_went_back or state.charge is not None:
        return
    state.credit_went_back = False
    another = state.open_order is not None and state.open_order != run.would_open()
    if not another or not run.charging or state.cycle_state in STANDING:
        return
    if state.retries_over:
        # Nothing stands for it; whoever pays it by hand takes another number.
        return
    state.plans_again = "credit that it counted on went back"


async def _act(run: SubscriptionRun, judged: Sequence[tuple[ForeignFact, Known]]) -> None:
    """Book what is ours to book, hand on what is not, and turn to the open period last."""
    others, earlier, open_order = [], [], False
    for fact, known in judged:
        mine = run.state.ended_at is None and known.subscription_id == run.start.subscription_id
        if mine and fact.payment.merchant_uid == run.merchant_uid and run.charging:
            open_order = True
        elif mine and run.charging and _pays_the_open_period(run, fact):
            earlier.append(fact.payment)
        else:
            if mine and known.order is not None and fact.elsewhere:
                _book_refunds_elsewhere(run, fact, known.order, known)
            if fact.unexpected or fact.own or (fact.elsewhere and not mine):
                others.append(fact.payment)
    _give_up_a_number_that_was_paid(run, others)
    payments = [fact.payment for fact, known in judged if known.order is not None and known.living]
    if run.has_answers:
        await run.write("webhooks of orders that are not open", payments=payments)
    await bells.hand_on(run, others)
    for payment in earlier:
        await _settle_an_earlier_number(run, payment)
    if open_order and run.state.charge is None:
        await _look_at_the_open_order(run)


def _pays_the_open_period(run: SubscriptionRun, fact: ForeignFact) -> bool:
    number = fact.payment.merchant_uid
    return fact.held > 0 and bells.pays_late(fact) and bells.is_an_older_number_of_this_period(run, number)


def _give_up_a_number_that_was_paid(run: SubscriptionRun, payments: Sequence[PaymentFact]) -> None:
    """Somebody paid the open number although nothing is to be charged: it goes back, and is never used again."""
    state = run.state
    paid = any(payment.merchant_uid == run.merchant_uid for payment in payments)
    if paid and state.ended_at is None and state.cycle_state is not CycleState.MISMATCH:
        state.next_generation()


# ---------------------------------------------------------------- a refund that was made elsewhere


def _book_refunds_elsewhere(run: SubscriptionRun, fact: ForeignFact, order: KnownOrder, known: Known) -> None:
    """Money went back behind our back: it is written down, and where it had paid for something, a person decides."""
    payment = fact.payment
    for record in refunds_elsewhere(fact, order, known):
        run.note_refund(record)
    back = Money(sum(each.amount for each in fact.elsewhere), payment.amount.currency)
    kept = payment.amount.amount - payment.cancelled_amount
    reason = f"{back} of {payment.amount} went back in PortOne's console, {Money(kept, back.currency)} is left"
    run.tell(
        EventType.CHARGE_REFUNDED_ELSEWHERE,
        f"{back} of order {order.merchant_uid} went back, not from here",
        telling.other_charge(run, payment, CycleState.MISMATCH, reason),
    )
    if order.paid and order.imp_uid == payment.imp_uid:
        at = max(workflow.now(), order.settled_at or workflow.now())
        run.note_result(ChargeResult(order.merchant_uid, CycleState.MISMATCH, at, payment.imp_uid, message=reason))
        parking.park(run, ParkedKind.REFUNDED_ELSEWHERE, reason, order.merchant_uid, payment)


# ---------------------------------------------------------------- the open period, paid under an earlier number


async def _settle_an_earlier_number(run: SubscriptionRun, payment: PaymentFact) -> None:
    """The period was paid under a number that had been given up: its newer number must not run as well."""
    if run.state.charge is not None:
        run.state.looks_asked = [*run.state.looks_asked, payment.merchant_uid]
        return
    try:
        stopped = await stopping.stop_the_charge(run)
    except ApplicationError:
        # Nobody knows yet whether the newer number runs; when that is known, the earlier payment is looked at again.
        run.state.ask_for_a_look(payment.merchant_uid)
        return
    if stopped.charge is ChargeAtOrder.PAID:
        # The newer number was faster: what was paid under the earlier one pays for nothing.
        await bells.hand_on(run, [payment])
        return
    if stopped.charge not in _STOPPED or stopped.unfinished:
        # It stands parked for another reason; with the decision the earlier payment is looked at again.
        run.state.looks_asked = [*run.state.looks_asked, payment.merchant_uid]
        return
    if (payment.amount, payment.cancelled_amount) == (run.bill().amount, 0):
        await settle_as_earlier(run, payment)
        return
    state = run.state
    reason = f"the period was paid late as {payment.merchant_uid}: {payment.amount}, and costs {run.bill().amount} now"
    if state.cycle_state in _NOT_SENT:
        state.move(CycleState.VERIFYING)
    state.move(CycleState.MISMATCH)
    state.parked_reason = reason
    run.tell(
        EventType.CHARGE_LATE_PAID,
        f"order {payment.merchant_uid} was paid after it had been given up",
        telling.other_charge(run, payment, CycleState.LATE_PAID, reason),
    )
    parking.park(run, ParkedKind.EARLIER_NUMBER_PAID, reason, payment.merchant_uid, payment, of_cycle=True)
    late = ChargeResult(payment.merchant_uid, CycleState.LATE_PAID, workflow.now(), payment.imp_uid, message=reason)
    await run.write("an earlier order number of this period was paid late", results=[late], payments=[payment])


async def settle_as_earlier(run: SubscriptionRun, payment: PaymentFact) -> None:
    """Book the open period as paid under an earlier number of its own; the newer one is never charged."""
    parsed = parse_cycle_merchant_uid(payment.merchant_uid)
    assert parsed is not None  # noqa: S101 - only numbers of this period come here
    if run.state.open_order is not None:
        run.close_number(CycleState.SKIPPED, f"the period is paid as {payment.merchant_uid}")
    run.state.generation = parsed[2]
    await settle_paid(run, Verdict(Finding.PAID, payment), late=True)


# ---------------------------------------------------------------- looking at everything


async def _look_at_everything(run: SubscriptionRun, asked: Sequence[str]) -> None:
    """Look at all that PortOne has: the open order, what paid the running period, what was asked for, the key."""
    state = run.state
    if state.ended_at is None and run.charging:
        await _look_at_the_open_order(run)
    numbers = dict.fromkeys([*(order.merchant_uid for order in state.period_orders), *asked, run.merchant_uid])
    if run.charging and state.ended_at is None:
        numbers.pop(run.merchant_uid, None)
    rows: list[PaymentFact] = []
    for number in numbers:
        rows += await portone.find_payments(number)
    await bookkeeping.book(run, rows)
    judged = [each for each in await bells.judge_rows(rows) if each[0].says_something]
    await _act(run, judged)
    await elsewhere.check_the_key(run)
    await run.close_answered_bells()


async def _look_at_the_open_order(run: SubscriptionRun) -> None:
    state, verdict = run.state, await verify(run)
    if state.cycle_state in _NOT_SENT:
        if verdict.finding is Finding.DECLINED:
            # Somebody tried it before anything was to be charged: no attempt of this period.
            state.known_failures = sorted({*state.known_failures, *run.failures_seen})
            await run.write("a charge that nobody ordered was declined", payments=_of(verdict))
            return
        if verdict.finding in (Finding.PAID, Finding.MISMATCH):
            state.move(CycleState.VERIFYING)
    gone = verdict.finding is Finding.ABSENT and verdict.schedule is None and workflow.now() < state.due_at
    if gone and state.booked and state.cycle_state is CycleState.REGISTERED:
        await stand(run, CycleState.REVOKED, replace(verdict, reason="PortOne has no schedule for it any more"))
        return
    await settle(run, verdict)
    await run.close_answered_bells()


def _of(verdict: Verdict) -> list[PaymentFact]:
    return [verdict.payment] if verdict.payment else []
