"""What PortOne said, translated once by the activities; nothing in here is a judgement."""

import re
from dataclasses import dataclass
from datetime import datetime

from billing.domain.instants import require_utc
from billing.domain.money import Money

_LAST_FOUR = re.compile(r"[0-9]{4}", re.ASCII)


def last_four(masked: str | None) -> str | None:
    """The last four digits of a card number however it is masked or grouped; None when they are not all there.

    PGs mask differently (`95404900****1569`, `9540-49**-****-1569`; facts.md 7.1).
    """
    if masked is None:
        return None
    end = re.sub(r"[\s.-]", "", masked)[-4:]
    return end if _LAST_FOUR.fullmatch(end) else None


def mask_to_last_four(masked: str | None) -> str | None:
    """A card number as it may be kept and shown, `****-****-****-1234`; None when the last four are not known.

    Applied to everything that PortOne sends, because some PGs mask less than others.
    """
    digits = last_four(masked)
    return None if digits is None else f"****-****-****-{digits}"


@dataclass(frozen=True, slots=True)
class CancellationFact:
    """One refund in a payment's `cancel_history`: ours, or somebody's in PortOne's console (facts.md 2.8).

    Args:
        cancellation_id: PortOne's; "" where an old row has none.
        amount: in minor units.
        reason: as it was given.
        cancelled_at: UTC, None where PortOne does not say.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    cancellation_id: str
    amount: int
    reason: str | None = None
    cancelled_at: datetime | None = None

    def __post_init__(self) -> None:
        require_utc("cancelled_at", self.cancelled_at)


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """One payment row of PortOne (facts.md 2.8).

    Args:
        imp_uid: PortOne's number of this attempt.
        merchant_uid: our order number; several attempts may share it.
        status: `ready`, `paid`, `cancelled`, `failed`, or something newer.
        amount: of the attempt, before refunds.
        cancelled_amount: refunded so far, in minor units; a partial refund turns the status to `cancelled` too.
        customer_uid: the billing key that was charged.
        pg_provider: which PG took it.
        paid_at: UTC, None when it was not paid.
        failed_at: UTC, None when it did not fail.
        fail_reason: the PG's words.
        card_name: the issuer's name.
        card_number: masked to the last four digits.
        receipt_url: for the customer.
        sandbox: whether it went through a test channel; None from before PortOne said so.
        name: of the order.
        cancellations: every refund of it, oldest first; empty where PortOne did not list them.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    imp_uid: str
    merchant_uid: str
    status: str
    amount: Money
    cancelled_amount: int = 0
    customer_uid: str | None = None
    pg_provider: str | None = None
    paid_at: datetime | None = None
    failed_at: datetime | None = None
    fail_reason: str | None = None
    card_name: str | None = None
    card_number: str | None = None
    receipt_url: str | None = None
    sandbox: bool | None = None
    name: str | None = None
    cancellations: tuple[CancellationFact, ...] = ()

    def __post_init__(self) -> None:
        require_utc("paid_at", self.paid_at)
        require_utc("failed_at", self.failed_at)


@dataclass(frozen=True, slots=True)
class ScheduleFact:
    """One schedule row of PortOne (facts.md 2.6).

    Args:
        merchant_uid: the order it will pay.
        customer_uid: the billing key it will charge.
        status: `scheduled`, `executed`, `revoked`, or something newer.
        schedule_at: UTC.
        amount: it will charge.
        payment_status: None before execution, then `paid`, `failed` or `cancelled`.
        imp_uid: of the attempt, None before execution.
        fail_reason: the PG's words.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    merchant_uid: str
    customer_uid: str
    status: str
    schedule_at: datetime
    amount: Money
    payment_status: str | None = None
    imp_uid: str | None = None
    fail_reason: str | None = None

    def __post_init__(self) -> None:
        require_utc("schedule_at", self.schedule_at)


@dataclass(frozen=True, slots=True)
class BillingKeyFact:
    """One billing key of PortOne, without the key itself (facts.md 2.3).

    Args:
        customer_uid: its name, one per card.
        pg_provider: which PG holds it.
        pg_id: the merchant id at that PG.
        card_name: the issuer's name; None for keys that are no card.
        card_number: masked to the last four digits.
        card_type: 0 credit, 1 check, None unknown.
        customer_id: the customer's id at the PG, where it has one.
        inserted_at: UTC, first issued.
        updated_at: UTC, last replaced.
        sandbox: whether it lives in a test channel.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    customer_uid: str
    pg_provider: str | None = None
    pg_id: str | None = None
    card_name: str | None = None
    card_number: str | None = None
    card_type: int | None = None
    customer_id: str | None = None
    inserted_at: datetime | None = None
    updated_at: datetime | None = None
    sandbox: bool | None = None

    def __post_init__(self) -> None:
        require_utc("inserted_at", self.inserted_at)
        require_utc("updated_at", self.updated_at)

    def label(self) -> str | None:
        """What a person reads, "Shinhan ****1234", as far as PortOne said it; None when it said neither part."""
        digits = last_four(self.card_number)
        words = [self.card_name or "", f"****{digits}" if digits else ""]
        return " ".join(word for word in words if word) or None
