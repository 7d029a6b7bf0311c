"""What a person decides about something that stands parked (billing.domain.parked says what each decision does).

PortOne is looked up before anything is decided: a decision never overrides a payment that is as ordered. A decision is
written down, with who and why, before it is carried out; one that cannot be carried out is refused and not written.
"""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow

from billing.domain import calls, refusals
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.parked import Decision, ParkedKind
from billing.domain.records import ChargeResult, RefundState
from billing.domain.refusals import Refusal, RefusedError
from billing.domain.states import CycleState
from billing.domain.subscription import parking, scheduling
from billing.domain.subscription.answers import ChargeAtOrder, OrderAnswered
from billing.domain.subscription.choices import When
from billing.domain.subscription.decision import DecisionTaken
from billing.domain.subscription.in_flight import Purpose
from billing.domain.subscription.parked_items import ParkedItem
from billing.domain.subscription.period_close import settle_paid
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.refunds import RefundsFor
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Finding, Verdict, net_amount, the_one_to_keep
from workflows.charge import declines, portone, retrying, stopping
from workflows.charge.settling import settle, verify
from workflows.refund import refunding
from workflows.subscription.commands import cancel
from workflows.subscription.commands.command import MOST_RENUMBERINGS
from workflows.unexpected_payment.console_refunds import refunds_elsewhere
from workflows.unexpected_payment.noticing import settle_as_earlier
from workflows.unexpected_payment.notifications import hand_on, judge_rows

ALREADY_DECIDED = Refusal("already_decided", "GET /v1/parked shows what stands")
NO_PAYMENT = Refusal("no_payment", "look at PortOne's console, and take another decision")
CURRENCY_DIFFERS = Refusal("currency_differs", "let it go back instead (refund), or end it (end)")


def _write_down(
    subscription: Subscription, recording: Recording, now: datetime, order: DecisionTaken, item: ParkedItem
) -> None:
    parking.decided(subscription, recording, now, item, order)
    recording.write(f"{order.by} decided {order.decision.value}: {order.reason}"[:200], now)


# ---------------------------------------------------------------- the charge of the open period


async def about_the_charge(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered | None:
    """Mismatch, unknown or revoked: what PortOne has now is looked up first."""
    verdict = await verify(subscription, recording)
    rows = await portone.find_payments(subscription.terms.merchant_uid)
    stood = subscription.state.period.state
    if verdict.finding is Finding.PAID:
        return await _found_paid(subscription, recording, order, item, verdict)
    if verdict.finding is Finding.MISMATCH and stood is not CycleState.MISMATCH:
        await settle(subscription, recording, verdict)
        raise RefusedError(refusals.CHARGE_MISMATCH, "PortOne has a payment by now that is not as ordered")
    if stood is CycleState.REVOKED and verdict.finding is Finding.PENDING:
        await settle(subscription, recording, verdict)
        if subscription.state.period.state is not CycleState.REVOKED:
            raise RefusedError(ALREADY_DECIDED, "it stands at PortOne again; somebody booked it there")
    match order.decision:
        case Decision.PAID:
            return await _count_as_paid(subscription, recording, order, item, rows)
        case Decision.REFUND:
            return await _give_back_and_charge_anew(
                subscription, recording, order, item, subscription.terms.merchant_uid
            )
        case Decision.END:
            return await _end(subscription, recording, order, item)
        case Decision.NOT_PAID:
            return await _count_as_declined(subscription, recording, order, item)
        case _:
            # Only `retry` is left of what is allowed here.
            return await _try_again(subscription, recording, order, item)


async def _found_paid(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem, verdict: Verdict
) -> OrderAnswered:
    """PortOne shows by now that it is paid as ordered: that is booked, whatever was decided."""
    agreed = order.decision is Decision.PAID
    if agreed:
        parking.decided(subscription, recording, workflow.now(), item, order)
    await settle(subscription, recording, verdict)
    return OrderAnswered(
        done=agreed,
        code=None if agreed else "paid_meanwhile",
        message=None if agreed else "PortOne shows by now that it is paid as ordered; it was booked so",
        charge=ChargeAtOrder.PAID,
        merchant_uid=item.merchant_uid,
        charged=verdict.payment.amount if verdict.payment else None,
    )


async def _count_as_paid(
    subscription: Subscription,
    recording: Recording,
    order: DecisionTaken,
    item: ParkedItem,
    rows: Sequence[PaymentFact],
) -> OrderAnswered:
    """Book what there is as the payment of the period, and let whatever else PortOne holds of it go back."""
    kept = the_one_to_keep(subscription.terms.expected(), rows)
    if kept is None:
        raise RefusedError(
            NO_PAYMENT, f"PortOne has no payment of {subscription.terms.merchant_uid}; it cannot be booked as paid"
        )
    if kept.amount.currency != subscription.terms.bill().amount.currency:
        raise RefusedError(
            CURRENCY_DIFFERS, f"{kept.amount} cannot pay a bill in {subscription.terms.bill().amount.currency}"
        )
    _write_down(subscription, recording, workflow.now(), order, item)
    number = subscription.terms.merchant_uid
    if not net_amount(kept):
        # It counts, and the money is gone all the same: the books say so.
        recording.note_result(ChargeResult(number, CycleState.PAID, workflow.now(), kept.imp_uid))
        recording.note_result(
            ChargeResult(number, CycleState.REFUNDED, workflow.now(), kept.imp_uid, message=item.reason)
        )
    await _note_what_went_back(recording, kept)
    settle_paid(subscription, recording, workflow.now(), Verdict(Finding.PAID, kept))
    await hand_on(subscription, recording, [row for row in rows if net_amount(row) and row.imp_uid != kept.imp_uid])
    charged = Money(net_amount(kept), kept.amount.currency)
    return OrderAnswered(charge=ChargeAtOrder.PAID, merchant_uid=number, charged=charged)


async def _note_what_went_back(recording: Recording, kept: PaymentFact) -> None:
    """What was refunded elsewhere of a payment that counts all the same is decided with it."""
    for fact, known in await judge_rows(recording, [kept] if kept.cancelled_amount else []):
        if known.order is not None:
            for record in refunds_elsewhere(fact, known.order, known):
                recording.note_refund(record)


async def _count_as_declined(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered:
    """It was not paid: the schedule can run no more, and dunning goes on under the same number."""
    verdict = await _take_back_what_stands(subscription, recording)
    if verdict is not None:
        return await _found_paid(subscription, recording, order, item, verdict)
    _write_down(subscription, recording, workflow.now(), order, item)
    await declines.after_decline(
        subscription, recording, Verdict(Finding.DECLINED, None, f"not paid, as {order.by} decided")
    )
    return OrderAnswered(charge=ChargeAtOrder.DECLINED, merchant_uid=item.merchant_uid)


async def _try_again(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered | None:
    """Book a revoked charge again for its day, or charge now; always under the same number."""
    verdict = await _take_back_what_stands(subscription, recording)
    if verdict is not None:
        return await _found_paid(subscription, recording, order, item, verdict)
    _write_down(subscription, recording, workflow.now(), order, item)
    state = subscription.state
    ahead = state.period.state is CycleState.REVOKED and workflow.now() < state.period.due_at
    state.period.unpark()
    if ahead and subscription.terms.can_reschedule():
        recording.note_result(subscription.result(CycleState.PLANNED, None, workflow.now(), "planned again"))
        scheduling.begin(subscription, anew=True)
        return OrderAnswered(charge=ChargeAtOrder.NONE_PLANNED, merchant_uid=subscription.terms.merchant_uid)
    if ahead:
        scheduling.charge_ourselves(subscription, recording, workflow.now(), "taken back in PortOne's console")
        return OrderAnswered(charge=ChargeAtOrder.NONE_PLANNED, merchant_uid=subscription.terms.merchant_uid)
    retrying.try_now(subscription, recording, workflow.now(), None, Purpose.DECISION)
    return None


async def _take_back_what_stands(subscription: Subscription, recording: Recording) -> Verdict | None:
    """Make sure that PortOne runs the charge no more by itself; the verdict when it turns out to be paid.

    Raises:
        RefusedError: `charge_running`, when it can still run.
    """
    if subscription.state.schedule.stands or calls.may_charge(
        subscription.state.in_flight.calls, subscription.terms.merchant_uid
    ):
        await portone.unschedule(
            subscription, recording, subscription.terms.customer_uid, subscription.terms.merchant_uid
        )
        row = await portone.find_schedule(subscription.terms.merchant_uid)
        row = scheduling.without_lag(subscription, row, workflow.now())
        if row is not None and row.status == "scheduled":
            raise RefusedError(refusals.CHARGE_RUNNING, "PortOne would not take its schedule back")
        if subscription.state.in_flight.may_charge(subscription.terms.merchant_uid):
            raise RefusedError(
                refusals.CHARGE_RUNNING, "an earlier call was not answered, and may still let it be charged"
            )
        verdict = await verify(subscription, recording)
        if verdict.finding is Finding.PAID:
            return verdict
        subscription.state.schedule.stands_no_more()
    return None


# ---------------------------------------------------------------- paid under an earlier number


async def about_an_earlier_number(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered | None:
    """The open period was paid under an earlier number of its own, and costs something else by now."""
    rows = [row for row in await portone.find_payments(item.merchant_uid) if net_amount(row)]
    match order.decision:
        case Decision.END:
            return await _end(subscription, recording, order, item)
        case Decision.REFUND:
            return await _give_back_and_charge_anew(subscription, recording, order, item, item.merchant_uid)
        case _:
            if not rows:
                raise RefusedError(NO_PAYMENT, f"PortOne holds nothing of {item.merchant_uid} any more")
            _write_down(subscription, recording, workflow.now(), order, item)
            settle_as_earlier(subscription, recording, workflow.now(), rows[0])
            await hand_on(subscription, recording, rows[1:])
            return OrderAnswered(
                charge=ChargeAtOrder.PAID, merchant_uid=item.merchant_uid,
                charged=rows[0].amount,
            )  # fmt: skip


# ---------------------------------------------------------------- giving back, ending


async def _give_back_and_charge_anew(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem, number: str
) -> OrderAnswered | None:
    """All that PortOne holds of the period goes back; then its next number is charged, when that is due."""
    if subscription.state.period.generation >= MOST_RENUMBERINGS:
        raise RefusedError(refusals.TOO_MANY_CHANGES, "the period has no order number left for another charge")
    verdict = await _take_back_what_stands(subscription, recording)
    if verdict is not None:
        return await _found_paid(subscription, recording, order, item, verdict)
    _write_down(subscription, recording, workflow.now(), order, item)
    if await _give_back(subscription, number, order, item):
        return None
    return _charge_anew(
        subscription, recording, workflow.now(), order, number, Money(0, subscription.terms.plan.price.currency)
    )


def _charge_anew(
    subscription: Subscription, recording: Recording, now: datetime, order: DecisionTaken, number: str, back: Money
) -> OrderAnswered:
    state = subscription.state
    state.period.move(CycleState.REFUNDED)
    if number == subscription.terms.merchant_uid:
        recording.close_order(CycleState.REFUNDED, f"given back, as {order.by} decided", now)
        state.period.close_order()
    state.period.unpark()
    state.arrears.an_attempt_is_planned()
    scheduling.renumber(subscription, recording, now, f"{back} went back, as {order.by} decided")
    return OrderAnswered(merchant_uid=number, refunded=back)


async def _give_back(subscription: Subscription, number: str, order: DecisionTaken, item: ParkedItem) -> bool:
    """Let every row of a number that holds money go back; whether there is one."""
    rows = [row for row in await portone.find_payments(number) if net_amount(row)]
    if rows:
        refunds = [refunding.of_payment(subscription, row, order.reason) for row in rows]
        refunding.begin(
            subscription, workflow.now(), refunds, RefundsFor(reason=order.reason, decision=order, item=item)
        )
    return bool(rows)


def given_back(subscription: Subscription, recording: Recording, now: datetime) -> OrderAnswered | None:
    """The refunds of a decision are over: what follows from it, or why not all of it went back."""
    state, whom = subscription.state, subscription.state.refunds.whom
    refunds = state.refunds.are_over()
    if whom is None or whom.decision is None or whom.item is None:
        return None
    back, refusal = Money(0, subscription.terms.plan.price.currency), None
    for each in refunds:
        settled = each.settled
        assert settled is not None  # noqa: S101 - asked when all are over
        if settled.state is not RefundState.REFUNDED:
            refusal = settled.message or settled.code or settled.state.value
            break
        back = Money(back.amount + (settled.amount or each.amount).amount, each.amount.currency)
    order, item = whom.decision, whom.item
    if refusal is not None:
        return _not_given_back(item, back, refusal)
    if state.ended_at is not None:
        return OrderAnswered(merchant_uid=item.merchant_uid, refunded=back)
    if item.kind is ParkedKind.CHANGE_MISMATCH:
        return _change_given_back(subscription, recording, now, item, back)
    return _charge_anew(subscription, recording, now, order, item.merchant_uid, back)


def _not_given_back(item: ParkedItem, back: Money, refusal: str) -> OrderAnswered:
    message = f"PortOne would not refund it: {refusal}"
    return OrderAnswered(
        done=False, code="refund_refused", message=message, merchant_uid=item.merchant_uid,
        refunded=back,
    )  # fmt: skip


async def _end(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered:
    """End now, truthfully: what PortOne holds of an order that pays for nothing goes back by itself."""
    _write_down(subscription, recording, workflow.now(), order, item)
    reason = f"decided by {order.by}: {order.reason}"
    told = await cancel.work(subscription, recording, cancel.CancelSubscription(at=When.NOW, reason=reason))
    assert told is not None  # noqa: S101 - without a refund it is answered at once
    return OrderAnswered(charge=told.charge, merchant_uid=told.merchant_uid, charged=told.charged_amount)


# ---------------------------------------------------------------- other orders of the subscription


async def about_a_refund_elsewhere(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered:
    """Take the refund as it is, or end; the books follow what PortOne holds by now."""
    rows = [row for row in await portone.find_payments(item.merchant_uid) if row.imp_uid == item.imp_uid]
    held = sum(net_amount(row) for row in rows)
    state = CycleState.PAID if held else CycleState.REFUNDED
    message = f"{order.decision.value}, as {order.by} decided: {order.reason}"
    recording.note_result(ChargeResult(item.merchant_uid, state, workflow.now(), item.imp_uid, message=message))
    parking.unpark(subscription, recording, workflow.now(), item)
    if order.decision is Decision.END:
        return await _end(subscription, recording, order, item)
    _write_down(subscription, recording, workflow.now(), order, item)
    return OrderAnswered(merchant_uid=item.merchant_uid)


async def about_a_change(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered | None:
    """A plan change has a payment that is not as it was ordered."""
    if order.decision is Decision.END:
        return await _end(subscription, recording, order, item)
    if order.decision is Decision.REFUND:
        _write_down(subscription, recording, workflow.now(), order, item)
        if await _give_back(subscription, item.merchant_uid, order, item):
            return None
        return _change_given_back(
            subscription, recording, workflow.now(), item, Money(0, subscription.terms.plan.price.currency)
        )
    return await _count_toward_the_next_bills(subscription, recording, order, item)


def _change_given_back(
    subscription: Subscription, recording: Recording, now: datetime, item: ParkedItem, back: Money
) -> OrderAnswered:
    parking.unpark(subscription, recording, now, item)
    recording.write(f"{back} of the plan change went back", now)
    return OrderAnswered(merchant_uid=item.merchant_uid, refunded=back)


async def _count_toward_the_next_bills(
    subscription: Subscription, recording: Recording, order: DecisionTaken, item: ParkedItem
) -> OrderAnswered:
    """The money of a change that was not applied becomes credit; the open charge follows the smaller bill."""
    rows = [row for row in await portone.find_payments(item.merchant_uid) if net_amount(row)]
    if not rows:
        raise RefusedError(NO_PAYMENT, f"PortOne holds nothing of {item.merchant_uid} any more")
    kept, *more = rows
    if kept.amount.currency != subscription.terms.plan.price.currency:
        raise RefusedError(
            CURRENCY_DIFFERS, f"{kept.amount} cannot pay bills in {subscription.terms.plan.price.currency}"
        )
    stopped = await stopping.stop_the_charge(subscription, recording)
    subscription.state.paid.credit(net_amount(kept))
    recording.note_result(ChargeResult(item.merchant_uid, CycleState.PAID, workflow.now(), kept.imp_uid))
    parking.unpark(subscription, recording, workflow.now(), item)
    _write_down(subscription, recording, workflow.now(), order, item)
    await hand_on(subscription, recording, more)
    subscription.state.period.plan_again("what was paid for the change counts toward it")
    return OrderAnswered(
        charge=stopped.charge, merchant_uid=item.merchant_uid,
        charged=Money(net_amount(kept), kept.amount.currency),
    )  # fmt: skip
