"""What PortOne said, translated once by the activities and believed nowhere without `verdict.judge`."""

import re
from dataclasses import dataclass
from datetime import datetime

from billing.domain.money import Money


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """One payment row of PortOne: GET /payments/{imp_uid} or /payments/findAll/{merchant_uid}.

    `status` is PortOne's word: ready, paid, cancelled, failed, or one not yet known.
    A partial refund turns `status` into cancelled (facts.md 2.8): what is left is `amount` minus `cancelled_amount`.
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


@dataclass(frozen=True, slots=True)
class ScheduleFact:
    """One schedule row: GET /subscribe/payments/schedule/{merchant_uid}.

    `status` is scheduled, executed or revoked; `payment_status` is None until it ran.
    """

    merchant_uid: str
    customer_uid: str
    status: str
    schedule_at: datetime
    amount: Money
    payment_status: str | None = None
    imp_uid: str | None = None
    fail_reason: str | None = None


@dataclass(frozen=True, slots=True)
class BillingKeyFact:
    """One billing key, its card number masked to the last four digits."""

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

    def label(self) -> str | None:
        """What a person reads: "Shinhan ****1234", as far as PortOne said it."""
        digits = last_four(self.card_number)
        words = [self.card_name or "", f"****{digits}" if digits else ""]
        return " ".join(word for word in words if word) or None


def last_four(card_number: str | None) -> str | None:
    """The last four digits of a masked card number, or None when it has none to show."""
    if card_number is None:
        return None
    found = re.search(r"([0-9]{4})[^0-9*]*\Z", card_number)
    return found[1] if found else None


def mask_to_last_four(card_number: str | None) -> str | None:
    """`****-****-****-1234`: of a card number nothing but the last four digits is kept (reliability.md 6.1)."""
    digits = last_four(card_number)
    return f"****-****-****-{digits}" if digits else None
