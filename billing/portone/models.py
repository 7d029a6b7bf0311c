"""PortOne's rows as it sends them: wire names, unix seconds, and nothing that a new field or word could break.

Fields that PortOne adds are ignored, its words (`status`, `pay_method`, ...) stay plain strings, and every field the
schema does not require may be missing, null or of a shape not known here (facts.md 1.7, 2.8).
Card numbers keep their last four digits only, and texts what may be kept of them (`row_types`); both are cut when a
row is read, so no later code can show more.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from billing.domain.facts import BillingKeyFact, CancellationFact, PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.portone.row_types import (
    Address,
    CountFromZero,
    LastFour,
    Named,
    PortOneUid,
    Provider,
    Readable,
    RefundReason,
    WireAmount,
    WireAmountOrZero,
)


def instant(seconds: int | None) -> datetime | None:
    """The aware UTC instant of unix seconds; None for 0, PortOne's "has not happened", and for what is no date."""
    if seconds is None or seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


class WireModel(BaseModel):
    """A row of PortOne's: required fields are checked, all others can at worst be None."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True, populate_by_name=True
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _optional_fields_never_hide_a_row(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        try:
            read = handler(value)
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            if field.is_required() or field.default is not None:
                raise
            return None
        # PostgreSQL keeps no NUL in a text.
        return read.replace("\x00", "") if isinstance(read, str) else read


class Cancellation(WireModel):
    """One refund in a payment's `cancel_history`."""

    amount: WireAmount
    cancellation_id: Address = None
    pg_tid: Address = None
    cancelled_at: int | None = None
    reason: RefundReason = None
    receipt_url: Address = None

    @property
    def cancelled_time(self) -> datetime | None:
        """When it was refunded."""
        return instant(self.cancelled_at)

    def fact(self, currency: str) -> CancellationFact:
        """This refund in the words of the domain.

        Raises:
            ValueError: a currency not known to `Money`, or a fraction of a minor unit.
        """
        return CancellationFact(
            cancellation_id=self.cancellation_id or "",
            amount=Money.from_wire(self.amount, currency).amount,
            reason=self.reason,
            cancelled_at=self.cancelled_time,
        )


class Payment(WireModel):
    """A payment (facts.md 2.8). `status`: ready, paid, cancelled, failed, or a word not known yet.

    A partial refund makes `status` cancelled: what is left is `amount` minus `cancel_amount`.
    Several payments may share a merchant_uid, one for each attempt.
    """

    imp_uid: PortOneUid
    merchant_uid: str
    status: str
    amount: WireAmount
    currency: str
    cancel_amount: WireAmountOrZero = Decimal(0)
    sandbox: bool | None = None
    name: str | None = None
    pay_method: str | None = None
    channel: str | None = None
    pg_provider: Provider = None
    emb_pg_provider: Provider = None
    pg_tid: Address = None
    pg_id: Address = None
    escrow: bool | None = None
    apply_num: str | None = None
    bank_code: str | None = None
    bank_name: Named = None
    card_code: str | None = None
    card_name: Named = None
    card_issuer_code: str | None = None
    card_issuer_name: Named = None
    card_publisher_code: str | None = None
    card_publisher_name: Named = None
    card_quota: int | None = None
    card_number: LastFour = None
    card_type: int | None = None
    buyer_name: str | None = Field(default=None, repr=False)
    buyer_email: str | None = Field(default=None, repr=False)
    buyer_tel: str | None = Field(default=None, repr=False)
    buyer_addr: str | None = Field(default=None, repr=False)
    buyer_postcode: str | None = Field(default=None, repr=False)
    custom_data: str | None = Field(default=None, repr=False)
    user_agent: str | None = None
    started_at: int | None = None
    paid_at: int | None = None
    failed_at: int | None = None
    cancelled_at: int | None = None
    fail_reason: Readable = None
    cancel_reason: RefundReason = None
    receipt_url: Address = None
    cancel_history: tuple[Cancellation, ...] | None = None
    cash_receipt_issued: bool | None = None
    customer_uid: str | None = None
    customer_uid_usage: str | None = None

    @property
    def started_time(self) -> datetime | None:
        """When it was begun."""
        return instant(self.started_at)

    @property
    def paid_time(self) -> datetime | None:
        """When it was approved."""
        return instant(self.paid_at)

    @property
    def failed_time(self) -> datetime | None:
        """When it failed."""
        return instant(self.failed_at)

    @property
    def cancelled_time(self) -> datetime | None:
        """When it was last refunded."""
        return instant(self.cancelled_at)

    def fact(self) -> PaymentFact:
        """This row in the words of the domain.

        Raises:
            ValueError: a currency not known to `Money`, or a fraction of a minor unit.
        """
        currency = self.currency.upper()
        return PaymentFact(
            imp_uid=self.imp_uid,
            merchant_uid=self.merchant_uid,
            status=self.status,
            amount=Money.from_wire(self.amount, currency),
            cancelled_amount=Money.from_wire(self.cancel_amount, currency).amount,
            customer_uid=self.customer_uid,
            pg_provider=self.pg_provider,
            paid_at=self.paid_time,
            failed_at=self.failed_time,
            fail_reason=self.fail_reason,
            card_name=self.card_name,
            card_number=self.card_number,
            receipt_url=self.receipt_url,
            sandbox=self.sandbox,
            name=self.name,
            cancellations=tuple(each.fact(currency) for each in self.cancel_history or ()),
        )


class Schedule(WireModel):
    """A schedule (facts.md 2.6). `schedule_status`: scheduled, executed, revoked.

    `payment_status` and `imp_uid` are None until it has run; a time that has not come is 0 or None.
    """

    customer_uid: str
    merchant_uid: str
    schedule_status: str
    schedule_at: int
    amount: WireAmount
    currency: Annotated[str, BeforeValidator(lambda value: value or "KRW")] = "KRW"
    imp_uid: str | None = None
    payment_status: str | None = None
    fail_reason: Readable = None
    executed_at: int | None = None
    revoked_at: int | None = None
    name: str | None = None
    pg_provider: Provider = None
    pg_id: Address = None
    customer_id: str | None = None
    buyer_name: str | None = Field(default=None, repr=False)
    buyer_email: str | None = Field(default=None, repr=False)
    buyer_tel: str | None = Field(default=None, repr=False)
    buyer_addr: str | None = Field(default=None, repr=False)
    buyer_postcode: str | None = Field(default=None, repr=False)
    custom_data: str | None = Field(default=None, repr=False)

    @property
    def schedule_time(self) -> datetime | None:
        """When it is to run."""
        return instant(self.schedule_at)

    @property
    def executed_time(self) -> datetime | None:
        """When it ran."""
        return instant(self.executed_at)

    @property
    def revoked_time(self) -> datetime | None:
        """When it was revoked."""
        return instant(self.revoked_at)

    def fact(self) -> ScheduleFact:
        """This row in the words of the domain.

        Raises:
            ValueError: a `schedule_at` that is no date, a currency not known to `Money`, a fraction of a minor unit.
        """
        schedule_at = self.schedule_time
        if schedule_at is None:
            raise ValueError("schedule_at is not a date")
        return ScheduleFact(
            merchant_uid=self.merchant_uid,
            customer_uid=self.customer_uid,
            status=self.schedule_status,
            schedule_at=schedule_at,
            amount=Money.from_wire(self.amount, self.currency.upper()),
            payment_status=self.payment_status,
            imp_uid=self.imp_uid,
            fail_reason=self.fail_reason,
        )


class KeyChannel(WireModel):
    """A channel on which a super billing key was, or was not, issued (`type` and `message` say why not)."""

    pg_provider: Provider = None
    pg_id: Address = None
    card_name: Named = None
    card_number: LastFour = None
    card_type: int | None = None
    type: str | None = None
    message: Readable = None


class BillingKey(WireModel):
    """A billing key (facts.md 2.3); one issued on a smart-routing group names its channels instead of a `pg_provider`.

    `inserted` and `updated` differ when the customer_uid was given another card; the former key lives on at the PG.
    """

    customer_uid: str
    pg_provider: Provider = None
    pg_id: Address = None
    sandbox: bool | None = None
    card_name: Named = None
    card_code: str | None = None
    card_issuer_code: str | None = None
    card_issuer_name: Named = None
    card_publisher_code: str | None = None
    card_publisher_name: Named = None
    card_number: LastFour = None
    card_type: int | None = None
    customer_id: str | None = None
    customer_name: str | None = Field(default=None, repr=False)
    customer_tel: str | None = Field(default=None, repr=False)
    customer_email: str | None = Field(default=None, repr=False)
    customer_addr: str | None = Field(default=None, repr=False)
    customer_postcode: str | None = Field(default=None, repr=False)
    inserted: int | None = None
    updated: int | None = None
    channel_group_id: str | None = Field(
        default=None, validation_alias=AliasChoices("channelGroupId", "channel_group_id")
    )
    succeeded_channels: tuple[KeyChannel, ...] | None = Field(
        default=None, validation_alias=AliasChoices("succeededChannels", "succeeded_channels")
    )
    failed_channels: tuple[KeyChannel, ...] | None = Field(
        default=None, validation_alias=AliasChoices("failedChannels", "failed_channels")
    )

    @property
    def inserted_time(self) -> datetime | None:
        """When the customer_uid was first given a key."""
        return instant(self.inserted)

    @property
    def updated_time(self) -> datetime | None:
        """When its present key was issued."""
        return instant(self.updated)

    def fact(self) -> BillingKeyFact:
        """This key in the words of the domain; of a super key, its first channel."""
        first = next(iter(self.succeeded_channels or ()), KeyChannel())
        return BillingKeyFact(
            customer_uid=self.customer_uid,
            pg_provider=self.pg_provider or first.pg_provider,
            pg_id=self.pg_id or first.pg_id,
            card_name=self.card_name or first.card_name,
            card_number=self.card_number or first.card_number,
            card_type=self.card_type if self.card_type is not None else first.card_type,
            customer_id=self.customer_id,
            inserted_at=self.inserted_time,
            updated_at=self.updated_time,
            sandbox=self.sandbox,
        )


class Channel(WireModel):
    """A payment channel of the merchant (GET /users/pg). `type`: payment, api_payment (REST billing), certification."""

    pg_provider: str
    pg_id: str
    type: str
    sandbox: bool | None = None
    channel_name: str | None = None
    channel_key: str | None = None


class Prepared(WireModel):
    """The amount registered for an order before its window opens (facts.md 2.8, `/payments/prepare`)."""

    merchant_uid: str
    amount: WireAmount
    currency: str | None = None


RowT = TypeVar("RowT", bound=WireModel)


class Page(WireModel, Generic[RowT]):
    """One page of rows. `previous` and `next` are page numbers, 0 when there is none."""

    items: tuple[RowT, ...] = Field(validation_alias=AliasChoices("list", "items"))
    total: CountFromZero = 0
    previous: CountFromZero = 0
    next: CountFromZero = 0


def as_page(response: Any) -> Any:
    """PortOne's two shapes of a list as one: a bare array (the schema) or a paged object (facts.md 2.3)."""
    if isinstance(response, list):
        return {"list": response, "total": len(response)}
    if isinstance(response, Mapping) and response.get("list") is None and not response.get("total"):
        return {**response, "list": []} if "total" in response else response
    return response
