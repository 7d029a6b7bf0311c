"""The orders of a subscription as its state has them: what an order number stands for, and what was paid with one."""

from pydantic import BaseModel

from billing.domain.books import PaidWith
from billing.domain.money import Money


class OpenOrder(BaseModel):
    """What the current order number stands for in the ledger: another amount or card needs another number."""

    merchant_uid: str
    amount: Money
    tax_free: int = 0
    vat_amount: int | None = None
    customer_uid: str
    name: str = ""


class PaidOrder(BaseModel):
    """An order that was paid for the running period, with what of it the period is paid with.

    It is what a refund of the period goes back through; `returned` is what PortOne has given back of it in all, in
    minor units, as far as that is recorded.
    """

    merchant_uid: str
    imp_uid: str | None = None
    amount: Money
    returned: int = 0

    def paid_with(self) -> PaidWith:
        """The order as the books have it."""
        return PaidWith(self.merchant_uid, self.imp_uid, self.amount.amount, self.returned)
