"""A refund, full or partial, that happens once however often it is asked for.

PortOne's `checksum` is the guard: it refunds only while the cancellable balance is what we read before sending.
So the same request may be sent again after a lost answer: if the first one took effect, the balance has moved
and the second is refused.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ActivityError

from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.records import ChargeResult, LedgerEntry, RefundRecord, RefundState
from billing.domain.states import CycleState
from workflows import policies
from workflows.contracts import CancelAnswer, CancelPayment, RefundSettled, StartRefund
from workflows.ports import LedgerActivities, PaymentActivities


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class RefundWorkflow:
    """Refunds one payment; one at a time for each order number, by its workflow id."""

    @workflow.run
    async def run(self, start: StartRefund) -> RefundSettled:
        """Look up, write the intent, refund under the checksum, look up again, write the result."""
        before = await _refundable(start.merchant_uid)
        if before is None:
            return _refused(start, "payment_not_found", f"no paid payment of {start.merchant_uid!r}", None)
        remaining = before.amount.amount - before.cancelled_amount
        amount = start.amount or Money(remaining, before.amount.currency)
        if amount.currency != before.amount.currency:
            return _refused(start, "currency_mismatch", f"the payment is in {before.amount.currency}", remaining)
        if not 0 < amount.amount <= remaining:
            return _refused(start, "amount_exceeds_balance", f"{remaining} can still be refunded", remaining)
        await _write(start, before, amount, CancelAnswer(outcome=RefundState.INTENT))
        answer = await _refund_to_the_end(start, before, amount)
        await _write(start, before, amount, answer)
        done = answer.outcome is RefundState.REFUNDED
        return RefundSettled(
            refund_id=start.refund_id,
            state=answer.outcome,
            amount=amount,
            remaining=remaining - amount.amount if done else remaining,
            code=answer.code,
            message=answer.message,
        )


async def _refundable(merchant_uid: str) -> PaymentFact | None:
    rows = await workflow.execute_activity_method(
        PaymentActivities.find_payments, merchant_uid, summary=f"look up {merchant_uid}", **policies.LOOK_UP
    )
    # A partly refunded payment reads `cancelled` (facts.md 2.8).
    paid = [row for row in rows if row.status in ("paid", "cancelled")]
    return max(paid, key=lambda row: row.amount.amount - row.cancelled_amount, default=None)


async def _refund_to_the_end(start: StartRefund, before: PaymentFact, amount: Money) -> CancelAnswer:
    order = CancelPayment(
        refund_id=start.refund_id,
        imp_uid=before.imp_uid,
        amount=amount,
        checksum=before.amount.amount - before.cancelled_amount,
        reason=start.reason,
        tax_free=start.tax_free,
        vat_amount=start.vat_amount,
    )
    answer = CancelAnswer(outcome=RefundState.UNKNOWN)
    for wait in (*policies.RESEND_AFTER, None):
        answer = await _send(order)
        after = await workflow.execute_activity_method(
            PaymentActivities.find_payment, before.imp_uid, summary=f"look up {before.imp_uid}", **policies.LOOK_UP
        )
        if after is not None and after.cancelled_amount >= before.cancelled_amount + amount.amount:
            return CancelAnswer(outcome=RefundState.REFUNDED, payment=after)
        if answer.outcome is RefundState.REFUSED:
            return answer
        if wait is not None:
            await workflow.sleep(wait, summary=f"outcome of refunding {amount} unknown; the balance has not moved")
    return answer


async def _send(order: CancelPayment) -> CancelAnswer:
    try:
        return await workflow.execute_activity_method(
            PaymentActivities.cancel_payment, order, summary=f"refund {order.amount}", **policies.SEND_ONCE
        )
    except ActivityError as error:
        return CancelAnswer(outcome=RefundState.UNKNOWN, message=str(error.cause or error))


async def _write(start: StartRefund, payment: PaymentFact, amount: Money, answer: CancelAnswer) -> None:
    refund = RefundRecord(
        refund_id=start.refund_id,
        merchant_uid=start.merchant_uid,
        imp_uid=payment.imp_uid,
        amount=amount,
        state=answer.outcome,
        at=workflow.now(),
        reason=start.reason,
        code=answer.code,
        message=answer.message,
    )
    after = answer.payment or payment
    results: tuple[ChargeResult, ...] = ()
    if answer.outcome is RefundState.REFUNDED and after.cancelled_amount >= after.amount.amount:
        # Nothing of the charge is left: the order is refunded, no longer paid.
        results = (ChargeResult(start.merchant_uid, CycleState.REFUNDED, workflow.now(), imp_uid=after.imp_uid),)
    entry = LedgerEntry(refunds=(refund,), payments=(after,), results=results)
    await workflow.execute_activity_method(
        LedgerActivities.record, entry, summary=f"refund {answer.outcome.value}", **policies.LEDGER
    )


def _refused(start: StartRefund, code: str, message: str, remaining: int | None) -> RefundSettled:
    return RefundSettled(
        refund_id=start.refund_id, state=RefundState.REFUSED, code=code, message=message, remaining=remaining
    )
