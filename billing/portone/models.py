"""PortOne's answers, as the wire has them.

Unknown fields are left aside and unknown words are kept as words: PortOne may add both at any time (facts.md 1.7).
Every field that the schema does not require may be missing or null.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact, mask_to_last_four
from billing.domain.money import Money


class Wire(BaseModel):
    """One object of an answer."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


class Cancellation(Wire):
    """One item of a payment's `cancel_history`."""

    pg_tid: str | None = None
    amount: Decimal = Decimal(0)
    cancelled_at: int | None = None
    reason: str | None = None
    cancellation_id: str | None = None
    receipt_url: str | None = None


class Payment(Wire):
    """A payment (PaymentAnnotation); times are Unix seconds, 0 when not applicable."""

    imp_uid: str
    merchant_uid: str
    amount: Decimal
    status: str
    cancel_amount: Decimal | None = None
    currency: str | None = None
    sandbox: bool | None = None
    pay_method: str | None = None
    channel: str | None = None
    pg_provider: str | None = None
    pg_id: str | None = None
    pg_tid: str | None = None
    apply_num: str | None = None
    card_code: str | None = None
    card_name: str | None = None
    card_number: str | None = None
    card_type: str | None = None
    name: str | None = None
    fail_reason: str | None = None
    cancel_reason: str | None = None
    receipt_url: str | None = None
    custom_data: str | None = None
    customer_uid: str | None = None
    customer_uid_usage: str | None = None
    started_at: int | None = None
    paid_at: int | None = None
    failed_at: int | None = None
    cancelled_at: int | None = None
    cancel_history: list[Cancellation] | None = None

    def fact(self) -> PaymentFact:
        """What the domain needs of it, the card number masked to the last four digits."""
        currency = self.currency or "KRW"
        return PaymentFact(
            imp_uid=self.imp_uid,
            merchant_uid=self.merchant_uid,
            status=self.status,
            amount=Money.from_wire(self.amount, currency),
            cancelled_amount=Money.from_wire(self.cancel_amount or 0, currency).amount,
            customer_uid=self.customer_uid,
            pg_provider=self.pg_provider,
            paid_at=instant(self.paid_at),
            failed_at=instant(self.failed_at),
            fail_reason=self.fail_reason,
            card_name=self.card_name,
            card_number=mask_to_last_four(self.card_number),
            receipt_url=self.receipt_url,
            sandbox=self.sandbox,
            name=self.name,
        )


class Schedule(Wire):
    """A schedule (ScheduleResultAnnotation); `payment_status` is null until it ran."""

    customer_uid: str
    merchant_uid: str
    schedule_at: int
    amount: Decimal
    schedule_status: str
    imp_uid: str | None = None
    payment_status: str | None = None
    currency: str | None = None
    name: str | None = None
    pg_provider: str | None = None
    pg_id: str | None = None
    executed_at: int | None = None
    revoked_at: int | None = None
    fail_reason: str | None = None

    def fact(self) -> ScheduleFact:
        """What the domain needs of it."""
        return ScheduleFact(
            merchant_uid=self.merchant_uid,
            customer_uid=self.customer_uid,
            status=self.schedule_status,
            schedule_at=datetime.fromtimestamp(self.schedule_at, UTC),
            amount=Money.from_wire(self.amount, self.currency or "KRW"),
            payment_status=self.payment_status or None,
            imp_uid=self.imp_uid or None,
            fail_reason=self.fail_reason,
        )


class BillingKey(Wire):
    """A billing key (CustomerAnnotation), its card number masked by PortOne."""

    customer_uid: str
    pg_provider: str | None = None
    pg_id: str | None = None
    customer_id: str | None = None
    card_name: str | None = None
    card_code: str | None = None
    card_number: str | None = None
    card_type: str | None = None
    customer_name: str | None = None
    inserted: int | None = None
    updated: int | None = None
    sandbox: bool | None = None

    def fact(self) -> BillingKeyFact:
        """What the domain needs of it, the card number masked to the last four digits."""
        return BillingKeyFact(
            customer_uid=self.customer_uid,
            pg_provider=self.pg_provider,
            pg_id=self.pg_id,
            card_name=self.card_name,
            card_number=mask_to_last_four(self.card_number),
            card_type=int(self.card_type) if self.card_type and self.card_type.isdecimal() else None,
            customer_id=self.customer_id,
            inserted_at=instant(self.inserted),
            updated_at=instant(self.updated),
            sandbox=self.sandbox,
        )


class Channel(Wire):
    """One payment channel of the merchant (GET /users/pg)."""

    pg_provider: str
    pg_id: str
    sandbox: bool
    type: str
    channel_name: str | None = None
    channel_key: str | None = None


class Prepared(Wire):
    """An amount registered before a window payment (/payments/prepare)."""

    merchant_uid: str
    amount: Decimal
    currency: str | None = None


Item = TypeVar("Item", bound=Wire)


class Page(Wire, Generic[Item]):
    """One page of a list; `next` is the number of the next page, 0 when there is none."""

    items: list[Item] = Field(default_factory=list, alias="list")
    total: int = 0
    previous: int = 0
    next: int = 0

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


def page_of(kind: type[Item], response: Any) -> Page[Item]:
    """A page, whether PortOne sent its paged object or a bare array (facts.md 2.3 names both)."""
    if isinstance(response, Mapping):
        found = [kind.model_validate(item) for item in response.get("list") or []]
        return Page(
            items=found,
            total=response.get("total") or len(found),
            previous=response.get("previous") or 0,
            next=response.get("next") or 0,
        )
    found = [kind.model_validate(item) for item in response or []]
    return Page(items=found, total=len(found))


def instant(seconds: int | None) -> datetime | None:
    """Unix seconds as an aware instant; PortOne writes 0 for "not happened"."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
