"""Refunds that were made elsewhere, as the ledger keeps them, so that all refunds of a payment add up to PortOne's."""

from temporalio import workflow

from billing.domain.foreign import ForeignFact, elsewhere_refund_id
from billing.domain.known_order import Known, KnownOrder
from billing.domain.money import Money
from billing.domain.records import RefundRecord, RefundState
from billing.domain.refund_split import split_elsewhere


def refunds_elsewhere(fact: ForeignFact, order: KnownOrder, known: Known) -> list[RefundRecord]:
    """One record for each refund that was not made from here and is not written down yet."""
    payment = fact.payment
    splits = split_elsewhere(order, payment, known.refunds, [each.amount for each in fact.elsewhere])
    return [
        RefundRecord(
            refund_id=elsewhere_refund_id(each),
            merchant_uid=payment.merchant_uid,
            imp_uid=payment.imp_uid,
            amount=Money(each.amount, payment.amount.currency),
            state=RefundState.REFUNDED,
            at=workflow.now(),
            reason=f"made elsewhere: {each.reason or 'no reason given'}",
            cancellation_id=each.cancellation_id or None,
            tax_free=tax_free,
            vat_amount=vat_amount,
        )
        for each, (tax_free, vat_amount) in zip(fact.elsewhere, splits, strict=True)
    ]
