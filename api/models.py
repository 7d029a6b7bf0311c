"""What may be asked: strict bodies that refuse what they do not know, and never show a card in an error."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from billing.domain import bounds
from billing.domain.calendar import LONGEST_MONTH, MAX_COUNT, Interval, IntervalUnit
from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.customer_uid import is_valid_customer_uid
from billing.domain.dunning import MAX_ATTEMPTS, DunningPolicy, EndAction
from billing.domain.merchant_uid import is_valid_merchant_uid
from billing.domain.money import MAX_AMOUNT, MINOR_DIGITS, Money
from billing.domain.pg_capabilities import PG_CAPABILITIES, provider_of
from billing.domain.plans import MAX_TRIAL_DAYS, OnNoConsent, PlanTerms, TrialEnd
from billing.domain.records import Customer
from billing.domain.subscription.choices import RefundAtCancel, When
from billing.domain.subscription.start import PortOneChannel
from billing.domain.takeover import TakeOver

_EXPIRY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")


def _customer_uid(value: str) -> str:
    if not is_valid_customer_uid(value):
        raise ValueError("must be 1 to 80 of letters, digits and _ . : @ -, starting with a letter or digit")
    return value


def _merchant_uid(value: str) -> str:
    if not is_valid_merchant_uid(value):
        raise ValueError("must be 1 to 40 of letters, digits, _ and -")
    return value


def _sound(fault: str | None) -> None:
    if fault is not None:
        raise ValueError(fault)


def _printable(value: str) -> str:
    _sound(bounds.text_fault(value, len(value)))
    return value


def _with_lines(value: str) -> str:
    _sound(bounds.text_fault(value, len(value), lines=True))
    return value


def _currency(value: str) -> str:
    if value not in MINOR_DIGITS:
        raise ValueError("is not a currency that is known here")
    return value


def _zone(value: str) -> str:
    if value not in bounds.zone_names():
        raise ValueError("is not an IANA time zone")
    return value


def _pg(value: str) -> str:
    if provider_of(value) not in PG_CAPABILITIES:
        raise ValueError("is not a PG that is known here")
    return value


def _read_instant(value: object) -> object:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be an RFC 3339 instant with a time zone") from None


def _within_bounds(value: datetime) -> datetime:
    """In UTC and whole seconds; in Python's own last day, not every zone can be read."""
    try:
        instant = value.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        instant = value.replace(tzinfo=UTC)
    _sound(bounds.instant_fault(instant))
    return instant


CustomerUid = Annotated[str, AfterValidator(_customer_uid)]
MerchantUid = Annotated[str, AfterValidator(_merchant_uid)]
Amount = Annotated[int, Field(gt=0, le=MAX_AMOUNT)]
Price = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
"""Of a plan: 0 is a free period, for which nothing is charged."""
Currency = Annotated[str, AfterValidator(_currency)]
Words = Annotated[str, Field(min_length=1, max_length=bounds.MAX_REASON), AfterValidator(_printable)]
Lines = AfterValidator(_with_lines)
"""Of a text that may have line ends, and no other control characters."""
Printable = AfterValidator(_printable)
PlanId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
CustomerId = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]
Cycles = Annotated[int, Field(ge=1, le=bounds.MAX_CYCLES)]
Pg = Annotated[str, Field(max_length=80), AfterValidator(_printable), AfterValidator(_pg)]
InstantField = Annotated[AwareDatetime, BeforeValidator(_read_instant), AfterValidator(_within_bounds)]
Quantity = Annotated[int, Field(ge=1, le=bounds.MAX_QUANTITY)]
BillingDay = Annotated[int, Field(ge=1, le=LONGEST_MONTH)]
OrderName = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_printable)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=bounds.MAX_METADATA_KEY), Printable]
MetadataValue = Annotated[str, Field(max_length=bounds.MAX_METADATA_VALUE), Lines]


class Body(BaseModel):
    """A request body: no unknown fields, no lenient types, no values in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True, allow_inf_nan=False)


class CardBody(Body):
    """A card; it goes to the vault and nowhere else."""

    card_number: SecretStr
    expiry: SecretStr
    birth: SecretStr | None = None
    pwd_2digit: SecretStr | None = None
    cvc: SecretStr | None = None

    @model_validator(mode="after")
    def _is_a_card(self) -> Self:
        digits = self.card_number.get_secret_value().replace("-", "").replace(" ", "")
        if not (digits.isascii() and digits.isdecimal() and 14 <= len(digits) <= 16):  # noqa: PLR2004
            raise ValueError("card_number must have 14 to 16 digits, as dddd-dddd-dddd-dddd")
        if not _EXPIRY.match(self.expiry.get_secret_value()):
            raise ValueError("expiry must be YYYY-MM")
        for name, lengths in (("birth", (6, 10)), ("pwd_2digit", (2,)), ("cvc", (3, 4))):
            value: SecretStr | None = getattr(self, name)
            text = value.get_secret_value() if value else None
            if text is not None and not (text.isascii() and text.isdecimal() and len(text) in lengths):
                raise ValueError(f"{name} must have {' or '.join(str(n) for n in lengths)} digits")
        return self

    def fields(self) -> dict[str, str]:
        """The card in the clear, for the vault."""
        named: dict[str, SecretStr | None] = dict(self)
        return {name: value.get_secret_value() for name, value in named.items() if value is not None}

    def is_expired(self, year: int, month: int) -> bool:
        """Whether the card's last month is over."""
        expiry_year, _, expiry_month = self.expiry.get_secret_value().partition("-")
        return (int(expiry_year), int(expiry_month)) < (year, month)


class CustomerBody(Body):
    """Who pays."""

    id: CustomerId | None = None
    name: Annotated[str, Field(max_length=16), AfterValidator(_printable)] | None = None
    tel: Annotated[str, Field(max_length=16), AfterValidator(_printable)] | None = None
    email: Annotated[str, Field(max_length=64), AfterValidator(_printable)] | None = None

    def customer(self) -> Customer:
        """The same in the domain's words."""
        return Customer(self.id, self.name, self.tel, self.email)


class PlanBody(Body):
    """The terms of a plan."""

    name: OrderName
    amount: Price
    currency: Currency = "KRW"
    interval: Literal["day", "week", "month", "year"]
    interval_count: Annotated[int, Field(ge=1, le=max(MAX_COUNT.values()))] = 1
    tax_free: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] = 0
    vat_amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    trial_days: Annotated[int, Field(ge=0, le=MAX_TRIAL_DAYS)] = 0
    max_cycles: Cycles | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Seoul"
    consent_required: bool = False
    on_no_consent: Annotated[OnNoConsent, Field(strict=False)] = OnNoConsent.END
    trial_end_without_card: Annotated[TrialEnd, Field(strict=False)] = TrialEnd.PAUSE

    @field_validator("interval_count")
    @classmethod
    def _is_three_years_at_most(cls, count: int, info: ValidationInfo) -> int:
        unit = info.data.get("interval")
        if unit is not None and count > MAX_COUNT[IntervalUnit(unit)]:
            raise ValueError(f"must be at most {MAX_COUNT[IntervalUnit(unit)]} {unit}s")
        return count

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _check_tax(self.amount, self.tax_free, self.vat_amount)
        return self

    def terms(self) -> PlanTerms:
        """The same in the domain's words."""
        return PlanTerms(
            name=self.name,
            price=Money(self.amount, self.currency),
            interval=Interval(IntervalUnit(self.interval), self.interval_count),
            tax_free=self.tax_free,
            vat_amount=self.vat_amount,
            trial_days=self.trial_days,
            max_cycles=self.max_cycles,
            zone=self.time_zone,
            consent_required=self.consent_required,
            on_no_consent=self.on_no_consent,
            trial_end_without_card=self.trial_end_without_card,
        )


class CatalogPlanBody(PlanBody):
    """A plan for the catalogue; changed terms become a new version."""

    plan_id: PlanId


class PaymentMethodBody(Body):
    """A card, or a billing key that was already issued (as after the SDK window)."""

    card: CardBody | None = None
    billing_key: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.card is None) == (self.billing_key is None):
            raise ValueError("give either card or billing_key: true")
        return self


class ChannelBody(Body):
    """Which PortOne channel to use."""

    pg: Pg | None = None
    channel_key: Annotated[str, Field(max_length=55), AfterValidator(_printable)] | None = None

    def channel(self) -> PortOneChannel:
        """The same in the workflows' words."""
        return PortOneChannel(pg=self.pg, channel_key=self.channel_key)


class CouponBody(Body):
    """A coupon: a percentage or an amount off, once, for some periods, or for all."""

    name: OrderName
    percent_off: Annotated[int, Field(ge=1, le=100)] | None = None
    amount_off: Amount | None = None
    currency: Currency = "KRW"
    duration: Annotated[CouponDuration, Field(strict=False)] = CouponDuration.ONCE
    duration_cycles: Cycles | None = None

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        self.coupon()
        return self

    def coupon(self) -> Coupon:
        """The same in the domain's words."""
        off = Money(self.amount_off, self.currency) if self.amount_off is not None else None
        return Coupon(self.name, self.percent_off, off, self.duration, self.duration_cycles)


class DunningBody(Body):
    """How an unpaid period of this subscription is dealt with; what is left out is as the settings say."""

    after_days: Annotated[list[Annotated[int, Field(ge=1, le=60)]], Field(max_length=MAX_ATTEMPTS - 1)] | None = None
    grace_days: Annotated[int, Field(ge=0, le=60)] | None = None
    end_action: Annotated[EndAction, Field(strict=False)] | None = None

    def policy(self, settings: DunningPolicy) -> DunningPolicy:
        """The same in the domain's words."""
        return DunningPolicy(
            after_days=settings.after_days if self.after_days is None else tuple(self.after_days),
            grace_days=settings.grace_days if self.grace_days is None else self.grace_days,
            end_action=settings.end_action if self.end_action is None else self.end_action,
        )


class SubscriptionBody(ChannelBody):
    """POST /v1/subscriptions.

    `paid_until`: an imported payer, active until then and charged first then. `take_over`: what is made of charges that
    somebody else left on the billing key. `billing_day`: of the month; the first period is charged for the days to it.
    """

    customer_uid: CustomerUid
    payment_method: PaymentMethodBody | None = None
    plan_id: PlanId | None = None
    plan: PlanBody | None = None
    quantity: Quantity = 1
    coupon: CouponBody | None = None
    trial_end: InstantField | None = None
    paid_until: InstantField | None = None
    billing_day: BillingDay | None = None
    take_over: Annotated[TakeOver, Field(strict=False)] = TakeOver.REFUSE
    dunning: DunningBody | None = None
    customer: CustomerBody = CustomerBody()
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=bounds.MAX_METADATA)] = {}

    @model_validator(mode="after")
    def _has_one_plan(self) -> Self:
        if (self.plan_id is None) == (self.plan is None):
            raise ValueError("give either plan_id or plan")
        return self


class CancelBody(Body):
    """POST /v1/subscriptions/{customer_uid}/cancel."""

    at: Annotated[When, Field(strict=False)] = When.PERIOD_END
    reason: Words | None = None
    refund: Annotated[RefundAtCancel, Field(strict=False)] = RefundAtCancel.NONE

    @field_validator("refund")
    @classmethod
    def _goes_with_now(cls, refund: RefundAtCancel, info: ValidationInfo) -> RefundAtCancel:
        if refund is not RefundAtCancel.NONE and info.data.get("at") is When.PERIOD_END:
            raise ValueError("a refund goes with at: now; what is canceled at period end is used to its end")
        return refund


def _check_tax(amount: int | None, tax_free: int, vat_amount: int | None) -> None:
    if amount is not None and tax_free + (vat_amount or 0) > amount:
        raise ValueError("tax_free and vat_amount must fit into amount")


class KeyInPaymentBody(ChannelBody):
    """POST /v1/payments."""

    amount: Amount
    name: OrderName
    card: CardBody
    merchant_uid: MerchantUid | None = None
    currency: Currency = "KRW"
    tax_free: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] = 0
    vat_amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    customer_uid: CustomerUid | None = None
    customer: CustomerBody = CustomerBody()

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _check_tax(self.amount, self.tax_free, self.vat_amount)
        return self


class RefundBody(Body):
    """POST /v1/payments/{merchant_uid}/refunds; without an amount all that is left is refunded.

    `tax_free` and `vat_amount` are split as the charge was, unless given. `requester` is for Naver Pay.
    """

    amount: Amount | None = None
    reason: Words | None = None
    tax_free: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    vat_amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    requester: Literal["customer", "admin"] | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _check_tax(self.amount, self.tax_free or 0, self.vat_amount)
        return self


class BillingKeyBody(ChannelBody):
    """POST /v1/billing-keys."""

    customer_uid: CustomerUid
    card: CardBody
    customer: CustomerBody = CustomerBody()
