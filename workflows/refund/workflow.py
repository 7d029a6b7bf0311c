"""A refund, full or partial, that happens once however often it is asked for.

PortOne's `checksum` is the guard: it refunds only while the cancellable balance is what we read before sending. So the
same request may be sent again after a lost answer: if the first one took effect, the balance has moved and the second
is refused. What took effect is known by our mark in the payment's own history, never by how far the balance moved:
somebody may have refunded as much in PortOne's console at the same moment.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError, FailureError

from billing.domain.attempt import RESEND_AFTER
from billing.domain.event_catalogue import event
from billing.domain.event_data import RefundData
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.facts import CancellationFact, PaymentFact
from billing.domain.known_order import AskedOrder, Known
from billing.domain.money import Money
from billing.domain.pg_capabilities import capability
from billing.domain.pg_rules import PgRefusal, refusal_of_part
from billing.domain.records import ChargeResult, LedgerEntry, RefundRecord, RefundState
from billing.domain.refund_mark import mark_of, marked
from billing.domain.refund_messages import RefundSettled, StartRefund
from billing.domain.refund_split import RefundablePayment
from billing.domain.states import CycleState
from billing.domain.subscription.reports import LookAgain
from billing.domain.subscription.start import subscription_workflow_id
from billing.domain.verdict import net_amount
from workflows import policies
from workflows.contracts import CancelAnswer, CancelPayment
from workflows.ports import LedgerActivities, PaymentActivities

_BY_ITSELF = "admin"
"""Who asked for a refund where nobody says (facts.md 2.8): PortOne's own default."""


_YES = "0"
_ACCEPTED = CancelAnswer(outcome=RefundState.UNKNOWN, code=_YES, message="PortOne took it, and nothing is refunded yet")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is refunded of which payment, and how it is split.

    `known` is what the ledger has of it.
    """

    before: PaymentFact
    amount: Money
    tax_free: int
    vat_amount: int | None
    known: Known

    @property
    def balance(self) -> int:
        """What can be refunded before it."""
        return net_amount(self.before)


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class RefundWorkflow:
    """Refunds one payment; one at a time for each order number, by its workflow id."""

    @workflow.run
    async def run(self, start: StartRefund) -> RefundSettled:
        """Look up, write the intent, refund under the checksum, look up again, write the result."""
        before, known = await _find(start)
        if before is None:
            return _refused(start, "payment_not_found", f"no paid payment of {start.merchant_uid!r}", None)
        planned = _plan(start, before, known)
        if isinstance(planned, RefundSettled):
            return planned
        if (done := _with_our_mark(before, start.refund_id)) is not None:
            # An earlier run of this refund died after it had taken effect.
            answer = CancelAnswer(outcome=RefundState.REFUNDED, payment=before)
            await _write(start, planned, answer, done)
            await _tell_whose_order_it_is(start, planned)
            return _settled(start, planned, answer)
        whole_only = _refused_by_pg(planned)
        if whole_only is not None:
            why = CancelAnswer(outcome=RefundState.REFUSED, code=whole_only.code, message=whole_only.detail)
            await _write(start, planned, why)
            return _refused(start, whole_only.code, whole_only.detail, planned.balance)
        await _write(start, planned, CancelAnswer(outcome=RefundState.INTENT))
        planned, answer = await _to_the_end(start, planned)
        done = _with_our_mark(answer.payment, start.refund_id) if answer.payment else None
        await _write(start, planned, answer, done)
        if answer.outcome is RefundState.REFUNDED:
            await _tell_whose_order_it_is(start, planned)
        return _settled(start, planned, answer)


async def _find(start: StartRefund) -> tuple[PaymentFact | None, Known]:
    """The row to refund, and what is known of it.

    Who names the payment has seen it: a look that does not show it lags behind, and is made again.
    """
    for wait in (*policies.REFUND_LOOKS, None):
        rows = await workflow.execute_activity_method(
            PaymentActivities.find_payments,
            start.merchant_uid,
            summary=f"look up {start.merchant_uid}",
            **policies.LOOK_UP,
        )
        before, known = await _refundable(start, rows)
        if before is not None or start.imp_uid is None or wait is None:
            break
        await workflow.sleep(wait, summary=f"{start.imp_uid} is not shown as paid; looking again")
    return before, known


async def _refundable(start: StartRefund, rows: Sequence[PaymentFact]) -> tuple[PaymentFact | None, Known]:
    """The row to refund: the one that was named, else the charge's own, else the one with most left."""
    # A partly refunded payment reads `cancelled` (facts.md 2.8).
    paid = [row for row in rows if row.status in ("paid", "cancelled")]
    best = max(paid, key=net_amount, default=None)
    if best is None:
        return best, Known()
    known = await _known(start.merchant_uid, best.imp_uid)
    booked = known.order.imp_uid if known.order is not None and known.order.paid else None
    wanted = start.imp_uid or booked or best.imp_uid
    chosen = next((row for row in paid if row.imp_uid == wanted), None)
    if chosen is not None and chosen.imp_uid != best.imp_uid:
        known = await _known(start.merchant_uid, chosen.imp_uid)
    return chosen, known


async def _known(merchant_uid: str, imp_uid: str) -> Known:
    known: Sequence[Known] = await workflow.execute_activity_method(
        LedgerActivities.known_orders,
        [AskedOrder(merchant_uid, imp_uid)],
        summary=f"what is known of {merchant_uid}",
        **policies.LEDGER,
    )
    return known[0]


def _plan(start: StartRefund, before: PaymentFact, known: Known) -> _Plan | RefundSettled:
    """What is refunded; or why nothing is, and then nothing was written and nothing sent."""
    remaining = net_amount(before)
    amount = start.amount or Money(remaining, before.amount.currency)
    done = _with_our_mark(before, start.refund_id)
    if done is not None:
        amount, remaining = Money(done.amount, before.amount.currency), remaining + done.amount
    if amount.currency != before.amount.currency:
        return _refused(start, "currency_mismatch", f"the payment is in {before.amount.currency}", remaining)
    if not 0 < amount.amount <= remaining:
        return _refused(start, "amount_exceeds_balance", f"{remaining} can still be refunded", remaining)
    if known.order is None or done is not None:
        return _Plan(before, amount, start.tax_free or 0, start.vat_amount, known)
    try:
        whole = RefundablePayment.of(known.order, before, known.refunds)
        tax_free, vat_amount = whole.split(amount.amount, start.tax_free, start.vat_amount)
    except ValueError as error:
        if start.tax_free is not None or start.vat_amount is not None:
            return _refused(start, "parts_do_not_fit", str(error), remaining)
        # Refunds made elsewhere have left parts that fit together no more: the PG splits it as it can.
        return _Plan(before, amount, 0, None, known)
    return _Plan(before, amount, tax_free, vat_amount, known)


def _refused_by_pg(plan: _Plan) -> PgRefusal | None:
    row = capability(plan.before.pg_provider or "")
    return refusal_of_part(row, plan.amount, plan.balance) if row is not None else None


def _with_our_mark(payment: PaymentFact, refund_id: str) -> CancellationFact | None:
    return next((each for each in payment.cancellations if mark_of(each.reason) == refund_id), None)


# ---------------------------------------------------------------- sending, for as long as it takes


async def _to_the_end(start: StartRefund, plan: _Plan) -> tuple[_Plan, CancelAnswer]:
    """Refund, until PortOne shows it in the payment's history, or has refused it and cannot do it any more.

    Where somebody refunded beside it, so that the balance is not what was read, it is asked for again with the new one
    while that allows. Answers the plan that was carried out last.
    """
    waits, open_since, accepted = _waits(), None, False
    while True:
        sent_at = workflow.now()
        answer = await _send(_order(start, plan, marked(start.reason, start.refund_id))) if not accepted else _ACCEPTED
        after = await _look(plan.before.imp_uid)
        if answer.outcome is RefundState.REFUSED and open_since is not None:
            # It proves nothing yet: a request before it was not answered, and may still be on its way.
            await workflow.sleep(policies.REFUND_SETTLES_WITHIN, summary="refused; an earlier request may be under way")
            after = await _look(plan.before.imp_uid)
        if _took_effect(start, answer, after):
            return plan, CancelAnswer(outcome=RefundState.REFUNDED, payment=_later_of(answer.payment, after))
        if answer.outcome is RefundState.REFUSED:
            if after is None or net_amount(after) == plan.balance:
                return plan, answer
            if start.amount is None or start.amount.amount > net_amount(after):
                moved = f"the balance is {net_amount(after)} by now: somebody else has refunded"
                return plan, answer.model_copy(update={"payment": after, "code": "balance_moved", "message": moved})
            plan, open_since = replace(plan, before=after), None
            continue
        # PortOne said yes and the PG takes its time (Paymentwall, facts.md 3.4): asked twice, it might refund twice.
        accepted = accepted or answer.code == _YES
        wait = next(waits)
        if answer.outcome is RefundState.UNKNOWN:
            open_since = open_since or sent_at
        if wait > policies.REFUND_TOLD_AFTER:
            state = RefundState.NOT_EXECUTED if open_since is None else RefundState.UNKNOWN
            await _write(start, plan, CancelAnswer(outcome=state, message=answer.message))
        await workflow.sleep(wait, summary=f"the outcome of refunding {plan.amount} is open; asking again")


def _took_effect(start: StartRefund, answer: CancelAnswer, after: PaymentFact | None) -> bool:
    if answer.outcome is RefundState.REFUNDED:
        return True
    return after is not None and _with_our_mark(after, start.refund_id) is not None


def _later_of(*rows: PaymentFact | None) -> PaymentFact | None:
    """The row of which more went back: a look that lags behind the answer says nothing of it."""
    return max((row for row in rows if row is not None), key=lambda row: row.cancelled_amount, default=None)


def _waits() -> Iterator[timedelta]:
    yield from RESEND_AFTER
    while True:
        yield policies.REFUND_AGAIN_DAILY


def _order(start: StartRefund, plan: _Plan, reason: str | None) -> CancelPayment:
    provider = plan.before.pg_provider
    known = capability(provider) if provider else None
    wants_requester = known is not None and "extra.requester" in known.required.get("cancel", ())
    return CancelPayment(
        refund_id=start.refund_id,
        imp_uid=plan.before.imp_uid,
        amount=plan.amount,
        checksum=plan.balance,
        reason=reason,
        tax_free=plan.tax_free,
        vat_amount=plan.vat_amount,
        requester=(start.requester or _BY_ITSELF) if wants_requester else None,
    )


async def _look(imp_uid: str) -> PaymentFact | None:
    return await workflow.execute_activity_method(
        PaymentActivities.find_payment, imp_uid, summary=f"look up {imp_uid}", **policies.LOOK_UP
    )


async def _send(order: CancelPayment) -> CancelAnswer:
    try:
        return await workflow.execute_activity_method(
            PaymentActivities.cancel_payment, order, summary=f"refund {order.amount}", **policies.SEND_ONCE
        )
    except ActivityError as error:
        return CancelAnswer(outcome=RefundState.UNKNOWN, message=str(error.cause or error))


# ---------------------------------------------------------------- writing and telling


async def _write(start: StartRefund, plan: _Plan, answer: CancelAnswer, done: CancellationFact | None = None) -> None:
    refund = RefundRecord(
        refund_id=start.refund_id,
        merchant_uid=start.merchant_uid,
        imp_uid=plan.before.imp_uid,
        amount=plan.amount,
        state=answer.outcome,
        at=workflow.now(),
        reason=start.reason,
        cancellation_id=(done.cancellation_id or None) if done is not None else None,
        code=answer.code,
        message=answer.message,
        tax_free=plan.tax_free,
        vat_amount=plan.vat_amount,
    )
    after = answer.payment or plan.before
    results: tuple[ChargeResult, ...] = ()
    if answer.outcome is RefundState.REFUNDED and after.cancelled_amount >= after.amount.amount:
        # Nothing of the charge is left: the order is refunded, no longer paid.
        results = (ChargeResult(start.merchant_uid, CycleState.REFUNDED, workflow.now(), imp_uid=after.imp_uid),)
    entry = LedgerEntry(refunds=(refund,), payments=(after,), results=results, events=_told(start, plan, answer))
    await workflow.execute_activity_method(
        LedgerActivities.record, entry, summary=f"refund {answer.outcome.value}", **policies.LEDGER
    )


_EVENTS = {
    RefundState.REFUNDED: EventType.REFUND_SUCCEEDED,
    RefundState.REFUSED: EventType.REFUND_REFUSED,
    RefundState.UNKNOWN: EventType.REFUND_UNKNOWN,
}


def _told(start: StartRefund, plan: _Plan, answer: CancelAnswer) -> tuple[OutgoingEvent, ...]:
    """The event of what became of it, the same however often it is written; nothing of a mere intent."""
    owner = start.customer_uid or (plan.known.customer_uid if plan.known is not None else None)
    what = _EVENTS.get(answer.outcome)
    if owner is None or what is None:
        return ()
    done = answer.outcome is RefundState.REFUNDED
    data = RefundData(
        customer_uid=owner,
        subscription_id=start.subscription_id or plan.known.subscription_id,
        refund_id=start.refund_id,
        merchant_uid=start.merchant_uid,
        imp_uid=plan.before.imp_uid,
        state=answer.outcome.value,
        amount=plan.amount.amount,
        currency=plan.amount.currency,
        remaining=_remaining(plan, answer) if answer.outcome is not RefundState.UNKNOWN else None,
        code=answer.code,
        reason=start.reason if done else answer.message or start.reason,
    )
    words = {RefundState.REFUNDED: "went back", RefundState.REFUSED: "was not refunded"}
    text = f"{plan.amount} of order {start.merchant_uid} {words.get(answer.outcome, 'may or may not have gone back')}"
    return (event(what, workflow.now(), f"evt_{start.refund_id}-{answer.outcome.value}", text, data),)


def _remaining(plan: _Plan, answer: CancelAnswer) -> int:
    return net_amount(answer.payment or plan.before)


async def _tell_whose_order_it_is(start: StartRefund, plan: _Plan) -> None:
    """Let the living subscription look: its books count on the order. One that refunds by itself knows."""
    known = plan.known
    if start.subscription_id is not None or not known.living or known.customer_uid is None:
        return
    handle = workflow.get_external_workflow_handle(subscription_workflow_id(known.customer_uid))
    # It has ended meanwhile: nothing more is reckoned by its books.
    with suppress(FailureError):
        await handle.signal("look_again", LookAgain(merchant_uid=start.merchant_uid, reason="refunded"))


def _settled(start: StartRefund, plan: _Plan, answer: CancelAnswer) -> RefundSettled:
    return RefundSettled(
        refund_id=start.refund_id,
        state=answer.outcome,
        amount=plan.amount,
        remaining=_remaining(plan, answer),
        code=answer.code,
        message=answer.message,
    )


def _refused(start: StartRefund, code: str, message: str, remaining: int | None) -> RefundSettled:
    return RefundSettled(
        refund_id=start.refund_id, state=RefundState.REFUSED, code=code, message=message, remaining=remaining
    )
