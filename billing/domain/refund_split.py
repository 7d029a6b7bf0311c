"""The tax-free part and the VAT of one more refund: as the charge was split, unless the caller says otherwise.

A charge may have been taken in another amount than ordered, and refunded in part elsewhere; what is left of its parts
is reckoned from all of that, so that the refund that gives the last won back gives the last of both parts back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.domain.facts import PaymentFact
from billing.domain.known_order import KnownOrder, KnownRefund
from billing.domain.proration import refund_parts
from billing.domain.records import RefundState

Split = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class RefundablePayment:
    """A payment with its parts and what of them went back before; amounts in minor units, a VAT of None is the PG's."""

    amount: int
    tax_free: int
    vat_amount: int | None
    refunded: tuple[int, int, int | None] = (0, 0, 0)

    @classmethod
    def of(cls, order: KnownOrder, payment: PaymentFact, refunds: Sequence[KnownRefund]) -> "RefundablePayment":
        """The parts of the payment of an order, after the refunds that are known and those that PortOne counts."""
        amount, ordered = payment.amount.amount, order.amount.amount
        tax_free, vat_amount = order.tax_free, order.vat_amount
        if amount != ordered:
            # Not as ordered: its parts keep their shares, and the VAT is the PG's.
            tax_free, vat_amount = (tax_free * amount // ordered if ordered else 0), None
        done = [each for each in refunds if each.state is RefundState.REFUNDED]
        refunded = (
            sum(each.amount for each in done),
            sum(each.tax_free for each in done),
            sum(each.vat_amount or 0 for each in done),
        )
        whole = cls(amount, tax_free, vat_amount, refunded)
        return whole.after(payment.cancelled_amount - refunded[0])

    def after(self, unknown: int) -> "RefundablePayment":
        """The same after a refund of which only the amount is known; its parts are reckoned."""
        if unknown <= 0:
            return self
        tax_free, vat_amount = refund_parts(self.amount, self.tax_free, self.vat_amount, self.refunded, unknown)
        amount, tax_before, vat_before = self.refunded
        refunded = (amount + unknown, tax_before + tax_free, (vat_before or 0) + (vat_amount or 0))
        return RefundablePayment(self.amount, self.tax_free, self.vat_amount, refunded)

    def split(self, refund_amount: int, tax_free: int | None = None, vat_amount: int | None = None) -> Split:
        """The parts of a refund of that amount; what is given wins, as far as the payment has so much left of it.

        Raises:
            ValueError: the amount is not left, or what is given does not fit.
        """
        reckoned_tax, reckoned_vat = refund_parts(
            self.amount, self.tax_free, self.vat_amount, self.refunded, refund_amount
        )
        tax = reckoned_tax if tax_free is None else tax_free
        if not 0 <= tax <= min(refund_amount, self._tax_left):
            raise ValueError(
                f"tax_free is 0 to the {min(refund_amount, self._tax_left)} that are left of it, got {tax}"
            )
        taxed = refund_amount - tax
        if self.vat_amount is None:
            if taxed > self._rest_left:
                raise ValueError(
                    f"tax_free must be {refund_amount - self._rest_left} or more: no more is left beside it"
                )
            if vat_amount is not None and not 0 <= vat_amount <= taxed:
                raise ValueError(f"vat_amount is 0 to {taxed}, got {vat_amount}")
            return tax, vat_amount
        least, most = max(0, taxed - self._rest_left), min(self._vat_left, taxed)
        vat = min(max(reckoned_vat or 0, least), most) if vat_amount is None else vat_amount
        if not least <= vat <= most:
            raise ValueError(f"beside a tax_free of {tax} vat_amount is {least} to {most}, got {vat}")
        return tax, vat

    @property
    def _tax_left(self) -> int:
        return self.tax_free - self.refunded[1]

    @property
    def _vat_left(self) -> int:
        return (self.vat_amount or 0) - (self.refunded[2] or 0 if self.vat_amount is not None else 0)

    @property
    def _rest_left(self) -> int:
        return self.amount - self.refunded[0] - self._tax_left - self._vat_left


def split_elsewhere(
    order: KnownOrder, payment: PaymentFact, refunds: Sequence[KnownRefund], amounts: Sequence[int]
) -> list[Split]:
    """The parts of refunds that were made elsewhere, of which only the amounts are known; nothing where none fit."""
    before = replace(payment, cancelled_amount=max(0, payment.cancelled_amount - sum(amounts)))
    splits: list[Split] = []
    try:
        whole = RefundablePayment.of(order, before, refunds)
        for amount in amounts:
            splits.append(whole.split(amount))
            whole = whole.after(amount)
    except ValueError:
        return [(0, None)] * len(amounts)
    return splits
