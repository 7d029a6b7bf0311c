"""What PortOne, the ledger and the workflows may disagree about: one name and one sentence each."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from billing.domain.event_catalogue import event
from billing.domain.event_data import DifferenceData
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.money import Money


class Difference(StrEnum):
    """The name of a difference; `SENTENCES` says what each means."""

    PAID_AT_PORTONE_UNKNOWN_HERE = "paid_at_portone_unknown_here"
    PAID_HERE_NOT_AT_PORTONE = "paid_here_not_at_portone"
    AMOUNT_DIFFERS = "amount_differs"
    PAID_TWICE = "paid_twice"
    REFUNDED_ELSEWHERE = "refunded_elsewhere"
    REFUND_MISSING = "refund_missing"
    LATE_APPROVAL = "late_approval"
    EXECUTED_OR_RETRIED_ELSEWHERE = "executed_or_retried_elsewhere"
    SCHEDULE_MISSING = "schedule_missing"
    SCHEDULE_REVOKED_ELSEWHERE = "schedule_revoked_elsewhere"
    SCHEDULE_MOVED_ELSEWHERE = "schedule_moved_elsewhere"
    SCHEDULE_UNPLANNED = "schedule_unplanned"
    KEY_DELETED_ELSEWHERE = "key_deleted_elsewhere"
    CHARGE_OVERDUE = "charge_overdue"
    WORKFLOW_MISSING = "workflow_missing"


_D = Difference
SENTENCES: Mapping[Difference, str] = MappingProxyType(
    {
        _D.PAID_AT_PORTONE_UNKNOWN_HERE: "PortOne holds money for an order or a key of ours, booked nowhere here.",
        _D.PAID_HERE_NOT_AT_PORTONE: "The ledger says paid, and PortOne has no such payment.",
        _D.AMOUNT_DIFFERS: "PortOne charged, or will charge, another amount than was ordered.",
        _D.PAID_TWICE: "A period that is paid holds money a second time.",
        _D.REFUNDED_ELSEWHERE: "Money went back to the customer, and not from here.",
        _D.REFUND_MISSING: "The ledger says refunded, and PortOne still holds that money.",
        _D.LATE_APPROVAL: "A charge was approved after it was booked as declined, or after the subscription ended.",
        _D.EXECUTED_OR_RETRIED_ELSEWHERE: "A charge was run by hand, or by PortOne's recovery, and not as planned.",
        _D.SCHEDULE_MISSING: "The workflow has a charge registered at PortOne, and PortOne has no schedule for it.",
        _D.SCHEDULE_REVOKED_ELSEWHERE: "A registered charge was revoked, and not from here.",
        _D.SCHEDULE_MOVED_ELSEWHERE: "A registered charge stands at another time than was planned.",
        _D.SCHEDULE_UNPLANNED: "PortOne will run a charge, for one of our orders or keys, that no workflow planned.",
        _D.KEY_DELETED_ELSEWHERE: "The billing key of a living subscription is gone at PortOne, not deleted from here.",
        _D.CHARGE_OVERDUE: "A charge is long due, and nobody has settled it.",
        _D.WORKFLOW_MISSING: "The ledger says that a subscription lives, and no workflow runs for it.",
    }
)
"""What each difference means, one sentence for people."""

ABOUT_A_PAYMENT = frozenset(
    {
        _D.PAID_AT_PORTONE_UNKNOWN_HERE,
        _D.AMOUNT_DIFFERS,
        _D.PAID_TWICE,
        _D.REFUNDED_ELSEWHERE,
        _D.REFUND_MISSING,
        _D.LATE_APPROVAL,
        _D.EXECUTED_OR_RETRIED_ELSEWHERE,
    }
)
"""Differences that, where they name an imp_uid, a workflow is told of as a webhook would have told it."""

NEEDS_THE_RUN = frozenset(
    {
        _D.AMOUNT_DIFFERS,
        _D.EXECUTED_OR_RETRIED_ELSEWHERE,
        _D.SCHEDULE_MISSING,
        _D.SCHEDULE_REVOKED_ELSEWHERE,
        _D.SCHEDULE_MOVED_ELSEWHERE,
        _D.SCHEDULE_UNPLANNED,
        _D.CHARGE_OVERDUE,
    }
)
"""Differences that are not judged, and so not resolved either, while the workflow cannot say where it stands."""


class DifferenceState(StrEnum):
    """OPEN until a later look no longer finds it (RESOLVED), or a person takes it as it is (ACCEPTED)."""

    OPEN = "open"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"


class RunState(StrEnum):
    """Where one reconciliation stands; a FAILED one has compared less than it should have."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One difference, as a look found it.

    `kind`, `merchant_uid`, `imp_uid`, `customer_uid` and `detail` are its identity: the same difference found again
    is the same row, and another amount or instant is another difference.

    Args:
        kind: its name.
        portone: what PortOne has, for people.
        ledger: what is known here, for people.
        merchant_uid: the order, "" when it is about none.
        imp_uid: PortOne's payment, "" when it is about none.
        customer_uid: the billing key, "" when it is about none.
        detail: what else tells it apart, "" when nothing does.
        amount: in doubt, where it is about money.
        status: PortOne's word for the payment, as a webhook would say it.
        subscription_id: the incarnation it belongs to, None when it belongs to none.
        started_under: the customer_uid that the subscription was started under.
        workflow_id: of the run to ring, None when there is none to ring.
        ended: whether that subscription has ended, so that a run under the same id is another one's.
    """

    kind: Difference
    portone: str
    ledger: str
    merchant_uid: str = ""
    imp_uid: str = ""
    customer_uid: str = ""
    detail: str = ""
    amount: Money | None = None
    status: str = ""
    subscription_id: str | None = None
    started_under: str | None = None
    workflow_id: str | None = None
    ended: bool = False

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """What makes it this difference and no other."""
        return self.kind.value, self.merchant_uid, self.imp_uid, self.customer_uid, self.detail


@dataclass(frozen=True, slots=True)
class Subject:
    """What one look is about: an order number, or the key or the run of a subscription.

    Args:
        merchant_uid: the order, "" for a key or a run.
        kind: of a difference that is about no order.
        customer_uid: of the key, or that the subscription was started under.
        subscription_id: of the key's or the run's subscription.
    """

    merchant_uid: str = ""
    kind: Difference | None = None
    customer_uid: str = ""
    subscription_id: str = ""


def difference_event(found: Found, at: datetime, opened: int) -> OutgoingEvent:
    """What the world outside is told when a difference opens for the `opened`-th time.

    Raises:
        ValueError: `at` is not aware UTC.
    """
    name = hashlib.sha256("\n".join((*found.identity, str(opened))).encode()).hexdigest()[:32]
    data = DifferenceData(
        customer_uid=found.started_under or found.customer_uid or found.merchant_uid,
        subscription_id=found.subscription_id,
        kind=found.kind.value,
        found_at=at,
        portone=found.portone,
        ledger=found.ledger,
        merchant_uid=found.merchant_uid or None,
        imp_uid=found.imp_uid or None,
        amount=found.amount.amount if found.amount else None,
        currency=found.amount.currency if found.amount else None,
    )
    return event(EventType.DIFFERENCE_FOUND, at, f"difference_{name}", SENTENCES[found.kind], data)
