"""What stands until a person decides, which decisions there are, and what each of them does.

docs/reference/parked.md is written from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from billing.domain.instants import require_utc


class Decision(StrEnum):
    """What a person may decide about something that stands parked."""

    PAID = "paid"
    NOT_PAID = "not_paid"
    RETRY = "retry"
    REFUND = "refund"
    END = "end"
    REVOKE = "revoke"
    KEEP = "keep"


class ParkedKind(StrEnum):
    """Why something stands parked."""

    CHARGE_MISMATCH = "charge_mismatch"
    CHARGE_UNKNOWN = "charge_unknown"
    SCHEDULE_REVOKED = "schedule_revoked"
    EARLIER_NUMBER_PAID = "earlier_number_paid"
    REFUNDED_ELSEWHERE = "refunded_elsewhere"
    CHANGE_MISMATCH = "change_mismatch"
    REFUND_REFUSED = "refund_refused"
    SECOND_PAYMENT = "second_payment"
    SCHEDULE_LEFT = "schedule_left"
    REFUND_OWED = "refund_owed"
    CHARGE_LEFT = "charge_left"


_K, _D = ParkedKind, Decision

SENTENCES: Mapping[ParkedKind, str] = MappingProxyType(
    {
        _K.CHARGE_MISMATCH: "PortOne has a payment of the open period that is not as it was ordered, or several.",
        _K.CHARGE_UNKNOWN: "No look for days could prove whether the open period was charged or not.",
        _K.SCHEDULE_REVOKED: "The charge of the open period was taken back at PortOne, and not from here.",
        _K.EARLIER_NUMBER_PAID: "The open period was paid under an order number that had been given up, and it costs "
        "something else by now.",
        _K.REFUNDED_ELSEWHERE: "Money that was paid went back to the customer, and not from here.",
        _K.CHANGE_MISMATCH: "PortOne has a payment of a plan change that is not as it was ordered.",
        _K.REFUND_REFUSED: "Money that pays for nothing is to go back, and PortOne refuses to refund it.",
        _K.SECOND_PAYMENT: "An order has another payment than the one that it is booked with, and PortOne does not "
        "show that one: this may be the only one. Once PortOne shows both, it goes back by itself.",
        _K.SCHEDULE_LEFT: "A subscription has ended, and a charge is scheduled on its key that nobody here ordered, or "
        "that a subscription which is over ordered and that could not be taken back.",
        _K.REFUND_OWED: "A subscription has ended, and what was to go back with its end was refused.",
        _K.CHARGE_LEFT: "A subscription has ended, and no look could prove whether its last charge was paid. It is "
        "looked up daily; what turns out to be paid goes back.",
    }
)
"""What stands parked under each name, one sentence for people."""

_LOOK = "PortOne is looked up first, and a payment that is as ordered wins over the decision."

DECISIONS: Mapping[ParkedKind, Mapping[Decision, str]] = MappingProxyType(
    {
        _K.CHARGE_MISMATCH: {
            _D.PAID: "The payment pays the period, whatever its amount; of several the one that is as ordered, else "
            "the oldest, and the others go back. Refused where PortOne has no payment.",
            _D.REFUND: "All that PortOne holds of it goes back. Then the period is charged anew under another order "
            "number: on its day, or at once when that is over.",
            _D.END: "The subscription ends now, and all that PortOne holds of it goes back.",
        },
        _K.CHARGE_UNKNOWN: {
            _D.PAID: "PortOne's payment is looked up once more and booked. Refused where PortOne has none.",
            _D.NOT_PAID: f"{_LOOK} Otherwise the charge counts as declined, and dunning goes on under the same number.",
            _D.RETRY: f"{_LOOK} Otherwise it is charged now, under the same number, which PortOne pays only once.",
            _D.END: f"{_LOOK} Otherwise the subscription ends now; should the charge prove to be paid, it goes back.",
        },
        _K.SCHEDULE_REVOKED: {
            _D.RETRY: f"{_LOOK} Otherwise the charge is booked again for its day, or made now when that is over.",
            _D.END: f"{_LOOK} Otherwise the subscription ends now.",
        },
        _K.EARLIER_NUMBER_PAID: {
            _D.PAID: "What was paid pays the period, whatever it costs by now; its newer number is never charged.",
            _D.REFUND: "It goes back, and the period is charged under its newer number: on its day, or at once when "
            "that is over.",
            _D.END: "The subscription ends now, and it goes back.",
        },
        _K.REFUNDED_ELSEWHERE: {
            _D.PAID: "The refund is taken as it is: the period keeps counting as paid, and access stays.",
            _D.END: "The subscription ends now. What is left of the payment stays, unless you refund it by the API.",
        },
        _K.CHANGE_MISMATCH: {
            _D.PAID: "The money is kept and counts toward the next bills; the old terms stay.",
            _D.REFUND: "It goes back, and the old terms stay; the change may be ordered anew.",
            _D.END: "The subscription ends now, and it goes back.",
        },
        _K.REFUND_REFUSED: {
            _D.REFUND: "The refund is tried once more.",
            _D.PAID: "The money is kept, and who kept it and why is written down.",
        },
        _K.SECOND_PAYMENT: {
            _D.REFUND: "It goes back.",
            _D.PAID: "The money is kept, and who kept it and why is written down.",
        },
        _K.SCHEDULE_LEFT: {
            _D.REVOKE: "The schedule is taken back, and its row is read as proof. Where it ran first, the answer says "
            "so, and what was paid is announced.",
            _D.KEEP: "It is left to run: somebody else's business, and who said so and why is written down.",
        },
        _K.CHARGE_LEFT: {
            _D.NOT_PAID: "PortOne is looked up first, and what is paid goes back. Otherwise the charge counts as "
            "declined; should it be paid later, it goes back then.",
            _D.KEEP: "PortOne is looked up first, and what is paid goes back. Otherwise the charge is let go, whatever "
            "became of it: it was settled with the buyer in another way. Should it be paid later, it goes back then.",
        },
        _K.REFUND_OWED: {
            _D.REFUND: "What PortOne still holds of the amount that is owed is refunded once more. Where it is refused "
            "again, the answer says why, and it stands on.",
            _D.KEEP: "It is not refunded from here: it was given back in another way, or stays; who said so and why is "
            "written down.",
        },
    }
)
"""Which decisions each kind allows, and what each does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedRecord:
    """One thing that stands parked, or stood.

    Args:
        parked_id: its own; the same thing parked again has another.
        kind: why.
        workflow_id: of the run that takes the decision.
        customer_uid: the one that the subscription was started under.
        subscription_id: the incarnation; None where there is none.
        reason: why, in words.
        known: what is known of it, for people.
        merchant_uid: the order it is about.
        imp_uid: PortOne's payment, where there is one.
        parked_at: UTC.
        revision: of who wrote it: an older one never replaces a newer one.
        closed_at: UTC, when it stood no longer; None while it stands.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    parked_id: str
    kind: ParkedKind
    workflow_id: str
    customer_uid: str
    subscription_id: str | None = None
    reason: str
    merchant_uid: str
    parked_at: datetime
    revision: int
    known: tuple[str, ...] = ()
    imp_uid: str | None = None
    closed_at: datetime | None = None

    def __post_init__(self) -> None:
        require_utc("parked_at", self.parked_at)
        require_utc("closed_at", self.closed_at)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What may be decided."""
        return tuple(DECISIONS[self.kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What a person decided, with who and why; never changed.

    Args:
        decision_id: its own.
        parked_id: of what it decided.
        kind: why that stood parked.
        workflow_id: of the run that carried it out.
        customer_uid: the one that the subscription was started under.
        subscription_id: the incarnation; None where there is none.
        merchant_uid: the order it is about.
        parked_reason: why it stood parked, in words.
        decision: that was taken.
        by: who took it.
        reason: why, in their words.
        at: UTC.
        imp_uid: PortOne's payment, where there is one.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    decision_id: str
    parked_id: str
    kind: ParkedKind
    workflow_id: str
    customer_uid: str
    subscription_id: str | None = None
    merchant_uid: str
    parked_reason: str
    decision: Decision
    by: str
    reason: str
    at: datetime
    imp_uid: str | None = None

    def __post_init__(self) -> None:
        require_utc("at", self.at)
