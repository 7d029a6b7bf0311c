"""The messages of a late or foreign fact: a payment that nobody expects any more, and what came of it."""

from enum import StrEnum

from billing.domain.message import Message
from billing.domain.money import Money


class ReportedFact(Message):
    """Something that was said of a payment whose subscription or payment workflow no longer listens: ids only.

    `handed_on_by` is the subscription that looked into it and is not its owner, or settles nothing by it: a payment is
    never handed back to whom it came from.
    """

    imp_uid: str
    merchant_uid: str
    status: str = ""
    cancellation_id: str = ""
    handed_on_by: str | None = None


class StartLateFact(Message):
    """Look a payment up that nobody expects any more; what was said of it comes as signals of `ReportedFact`."""

    imp_uid: str


class FactState(StrEnum):
    """What became of a late fact.

    NOTHING_NEW: the ledger has all of it. UNKNOWN_PAYMENT: PortOne does not have it so. NOTED: written down and
    announced. REFUNDED: it was not ours to keep and went back. KEPT: a person decided that it stays. REVOKED: a
    schedule of somebody else was taken back.
    """

    NOTHING_NEW = "nothing_new"
    UNKNOWN_PAYMENT = "unknown_payment"
    NOTED = "noted"
    REFUNDED = "refunded"
    KEPT = "kept"
    REVOKED = "revoked"


class FactSettled(Message):
    """How a late fact ended; `amount` is what went back, where something did."""

    imp_uid: str
    state: FactState
    amount: Money | None = None
    message: str | None = None


class FactDecided(Message):
    """What a decision about a late fact came to; `done` is False where it could not be carried out, with a `code`."""

    done: bool = True
    state: FactState | None = None
    code: str | None = None
    message: str | None = None
    refunded: Money | None = None
