"""The messages of a late or foreign fact: a payment that nobody expects any more, and what came of it."""

from enum import StrEnum

from billing.domain.message import Message
from billing.domain.money import Money
from billing.domain.parked import ParkedRecord


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


LEFT_CHARGE = "LeftChargeWorkflow"
"""The name of the workflow that watches a charge that was left."""


def left_charge_workflow_id(merchant_uid: str) -> str:
    """The workflow id of a charge whose outcome nobody knew when its subscription was over: one for each order."""
    return f"left-charge/{merchant_uid}"


class StartLeftCharge(Message):
    """Find out what became of an order whose subscription is over, or let a person say it.

    `amount` and `billing_key` are what was ordered. `known_failures` are payments that are recorded as declined.
    `status` is that of the subscription.
    """

    parked: ParkedRecord
    amount: Money
    billing_key: str
    status: str
    known_failures: tuple[str, ...] = ()


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
