"""What may be asked: strict bodies that refuse what they do not know, and never show a card in an error."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

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

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.customer_uid import is_valid_customer_uid
from billing.domain.dunning import MAX_ATTEMPTS, DunningPolicy, EndAction
from billing.domain.merchant_uid import is_valid_merchant_uid
from billing.domain.money import MAX_AMOUNT, MINOR_DIGITS, Money
from billing.domain.pg_capabilities import PG_CAPABILITIES, provider_of
from billing.domain.plans import OnNoConsent, PlanTerms, TrialEnd
from billing.domain.records import Customer
from workflows.contracts import PortOneChannel
from workflows.orders import RefundAtCancel, When

_EXPIRY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")
_ZONES = frozenset(available_timezones())


def _customer_uid(value: str) -> str:
    if not is_valid_customer_uid(value):
        raise ValueError("must be 1 to 80 of letters, digits and _ . : @ -, starting with a letter or digit")
    return value


def _merchant_uid(value: str) -> str:
    if not is_valid_merchant_uid(value):
        raise ValueError("must be 1 to 40 of letters, digits, _ and -")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not have control characters")
    return value


def _currency(value: str) -> str:
    if value not in MINOR_DIGITS:
        raise ValueError("is not a currency that is known here")
    return value


def _zone(value: str) -> str:
    if value not in _ZONES:
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


def _whole_seconds(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError("must lie within the years 1 to 9999") from None


CustomerUid = Annotated[str, AfterValidator(_customer_uid)]
MerchantUid = Annotated[str, AfterValidator(_merchant_uid)]
Amount = Annotated[int, Field(gt=0, le=MAX_AMOUNT)]
Price = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
"""Of a plan: 0 is a free period, for which nothing is charged."""
Currency = Annotated[str, AfterValidator(_currency)]
Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Pg = Annotated[str, Field(max_length=80), AfterValidator(_printable), AfterValidator(_pg)]
InstantField = Annotated[AwareDatetime, BeforeValidator(_read_instant), AfterValidator(_whole_seconds)]
Quantity = Annotated[int, Field(ge=1, le=100_000)]
OrderName = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_printable)]


class Body(BaseModel):
    """A request body: no unknown fields, no lenient types, no values in errors."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True)


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

    id: Annotated[str, Field(max_length=80), AfterValidator(_printable)] | None = None
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
    interval_count: Annotated[int, Field(ge=1, le=365)] = 1
    tax_free: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] = 0
    vat_amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = None
    trial_days: Annotated[int, Field(ge=0, le=730)] = 0
    max_cycles: Annotated[int, Field(ge=1, le=9999)] | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Seoul"
    consent_required: bool = False
    on_no_consent: Annotated[OnNoConsent, Field(strict=False)] = OnNoConsent.END
    trial_end_without_card: Annotated[TrialEnd, Field(strict=False)] = TrialEnd.PAUSE

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        Interval(IntervalUnit(self.interval), self.interval_count)
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

    plan_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]


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
    duration_cycles: Annotated[int, Field(ge=1, le=9999)] | None = None

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
    """POST /v1/subscriptions."""

    customer_uid: CustomerUid
    payment_method: PaymentMethodBody | None = None
    plan_id: Annotated[str, Field(max_length=80)] | None = None
    plan: PlanBody | None = None
    quantity: Quantity = 1
    coupon: CouponBody | None = None
    trial_end: InstantField | None = None
    dunning: DunningBody | None = None
    customer: CustomerBody = CustomerBody()
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=500)]], Field(max_length=50)] = {}

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
