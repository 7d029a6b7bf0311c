"""What PortOne is asked for, by its own parameter names; a request that is wrong cannot be built.

Amounts are `Money`; `tax_free` and `vat_amount` are minor units of the same currency.
`body()` is the JSON that is sent.
Card values are `SecretStr`: neither `repr` nor a validation error shows them, and only `body()` takes them out.

Display texts (`name`, `buyer_name`, addresses) longer than PortOne allows are cut, and an email, telephone number or
postcode that is too long is left out: neither may stop a charge that is due.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from billing.domain.customer_uid import is_valid_customer_uid
from billing.domain.merchant_uid import is_valid_merchant_uid
from billing.domain.money import MAX_AMOUNT, Money


def wire_number(amount: Money) -> int | float:
    """`amount` as a JSON number: 9900 for 9,900 KRW, 9.99 for 999 US cents.

    A float is used for writing only: with 15 digits or fewer its shortest text is the exact decimal, which is checked.
    """
    exact = amount.on_wire()
    if exact == int(exact):
        return int(exact)
    number = float(exact)
    if Decimal(repr(number)) != exact:
        raise ValueError("amount has too many digits for a JSON number")
    return number


def unix_seconds(moment: datetime) -> int:
    """`moment` in whole unix seconds.

    Raises:
        ValueError: a datetime without a time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a datetime must carry its time zone")
    return int(moment.timestamp())


def _cut(limit: int) -> Callable[[Any], Any]:
    return lambda value: value[:limit] if isinstance(value, str) else value


def _fit(limit: int) -> Callable[[Any], Any]:
    return lambda value: None if isinstance(value, str) and len(value) > limit else value


def _charged(amount: Money) -> Money:
    if not 0 < amount.amount <= MAX_AMOUNT:
        raise ValueError(f"amount must be 1 to {MAX_AMOUNT} minor units")
    return amount


def _returned(amount: Money) -> Money:
    # PortOne reads a missing amount and 0 as "everything" (facts.md 2.8).
    if amount.amount <= 0:
        raise ValueError("amount must be at least one minor unit")
    return amount


def checked_customer_uid(text: str) -> str:
    """`text`, when it may be a customer_uid of ours.

    Raises:
        ValueError: it may not.
    """
    if not is_valid_customer_uid(text):
        raise ValueError("customer_uid must be 1 to 80 letters, digits or _.:@- and hold no '..'")
    return text


def _merchant_uid(text: str) -> str:
    if not is_valid_merchant_uid(text):
        raise ValueError("merchant_uid must be 1 to 40 letters, digits, '_' or '-'")
    return text


def _imp_uid(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,50}", text) is None:
        raise ValueError("imp_uid must be 1 to 50 letters, digits, '_' or '-'")
    return text


ChargedAmount = Annotated[Money, AfterValidator(_charged)]
ReturnedAmount = Annotated[Money, AfterValidator(_returned)]
CustomerUid = Annotated[str, AfterValidator(checked_customer_uid)]
MerchantUid = Annotated[str, AfterValidator(_merchant_uid)]
ImpUid = Annotated[str, AfterValidator(_imp_uid)]
OrderName = Annotated[str, BeforeValidator(_cut(40)), Field(min_length=1)]


class WireRequest(BaseModel):
    """A frozen request; an unknown parameter is refused rather than dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def secret_values(self) -> tuple[str, ...]:
        """What must not come back to us in a message."""
        card = getattr(self, "card", None)
        return card.secret_values() if isinstance(card, Card) else ()


class Card(WireRequest):
    """Card data on its way to PortOne (facts.md 6), never stored and never shown.

    `card_number` as dddd-dddd-dddd-dddd, `expiry` as YYYY-MM, `birth` as YYMMDD or a 10-digit business number.
    """

    card_number: SecretStr = Field(min_length=1)
    expiry: SecretStr = Field(min_length=1)
    birth: SecretStr | None = None
    pwd_2digit: SecretStr | None = None
    cvc: SecretStr | None = None

    def body(self) -> dict[str, str]:
        """The plain values; for the wire only."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value.get_secret_value() for name, value in values.items() if value is not None}

    def secret_values(self) -> tuple[str, ...]:
        """Every value as it is sent, and the number without separators."""
        return (*self.body().values(), re.sub(r"[^0-9]", "", self.card_number.get_secret_value()))


class IssueBillingKey(WireRequest):
    """POST /subscribe/customers/{customer_uid}: a billing key for a card (facts.md 2.3).

    Under a customer_uid that has a key already, PortOne replaces the mapping and leaves the old key alive.
    """

    card: Card
    pg: str | None = None
    channel_key: str | None = None
    channel_group_id: str | None = None
    customer_id: str | None = None
    customer_name: Annotated[str | None, BeforeValidator(_cut(20))] = None
    customer_tel: Annotated[str | None, BeforeValidator(_fit(20))] = None
    customer_email: Annotated[str | None, BeforeValidator(_fit(200))] = None
    customer_addr: Annotated[str | None, BeforeValidator(_cut(200))] = None
    customer_postcode: Annotated[str | None, BeforeValidator(_fit(8))] = None

    def body(self) -> dict[str, Any]:
        """The JSON; the customer_uid goes into the path."""
        return {**self.model_dump(exclude={"card"}, exclude_none=True), **self.card.body()}


class ChargeTerms(WireRequest):
    """What every charge says: the order number, the amount, and what the buyer and the PG are told."""

    merchant_uid: MerchantUid
    amount: ChargedAmount
    tax_free: int | None = Field(default=None, ge=0, strict=True)
    vat_amount: int | None = Field(default=None, ge=0, strict=True)
    name: OrderName | None = None
    buyer_name: Annotated[str | None, BeforeValidator(_cut(16))] = None
    buyer_email: Annotated[str | None, BeforeValidator(_fit(64))] = None
    buyer_tel: Annotated[str | None, BeforeValidator(_fit(16))] = None
    buyer_addr: Annotated[str | None, BeforeValidator(_cut(128))] = None
    buyer_postcode: Annotated[str | None, BeforeValidator(_fit(8))] = None
    card_quota: int | None = Field(default=None, ge=0)
    interest_free_by_merchant: bool | None = None
    use_card_point: bool | None = None
    custom_data: str | None = Field(default=None, repr=False)
    notice_url: str | None = Field(default=None, repr=False)
    browser_ip: str | None = None
    product_type: str | None = None
    promotion_id: str | None = None
    bypass: str | None = None

    @model_validator(mode="after")
    def _parts_fit_into_the_amount(self) -> Self:
        if (self.tax_free or 0) + (self.vat_amount or 0) > self.amount.amount:
            raise ValueError("tax_free and vat_amount together exceed amount")
        return self

    def body(self) -> dict[str, Any]:
        """The JSON; currency always said, tax parts only where they differ from PortOne's defaults."""
        special = {"amount", "tax_free", "vat_amount", "card", "schedule_at", "channel_group_id"}
        currency = self.amount.currency
        body = self.model_dump(exclude=special, exclude_none=True)
        body |= {"amount": wire_number(self.amount), "currency": currency}
        if self.tax_free or self.vat_amount is not None:
            body["tax_free"] = wire_number(Money(self.tax_free or 0, currency))
        if self.vat_amount is not None:
            body["vat_amount"] = wire_number(Money(self.vat_amount, currency))
        return body


class ChargeOnetime(ChargeTerms):
    """POST /subscribe/payments/onetime: a charge by card number (facts.md 2.4).

    With a `customer_uid` the card is also kept as a billing key, where the PG can (not ksnet, not tosspayments).
    """

    card: Card
    customer_uid: CustomerUid | None = None
    pg: str | None = None
    channel_group_id: str | None = None
    secure_3d_charge_id: str | None = None
    secure_3d_token: str | None = Field(default=None, repr=False)

    def body(self) -> dict[str, Any]:
        """The JSON, card included."""
        group = {} if self.channel_group_id is None else {"channelGroupId": self.channel_group_id}
        return {**super().body(), **group, **self.card.body()}


class BilledTerms(ChargeTerms):
    """What a charge of a billing key can say beyond a one-time charge; `name` is required."""

    name: OrderName
    product_count: int | None = Field(default=None, ge=1)
    cash_receipt_type: str | None = None
    extra: Mapping[str, str] | None = None


class ChargeAgain(BilledTerms):
    """POST /subscribe/payments/again: charge a billing key now (facts.md 2.5)."""

    customer_uid: CustomerUid
    channel_key: str | None = None


class ScheduleItem(BilledTerms):
    """One charge that PortOne is to make by itself at `schedule_at` (facts.md 2.6)."""

    schedule_at: AwareDatetime

    def body(self) -> dict[str, Any]:
        """The JSON of this item, `schedule_at` in unix seconds."""
        return {**super().body(), "schedule_at": unix_seconds(self.schedule_at)}


class ScheduleRequest(WireRequest):
    """POST /subscribe/payments/schedule: register charges for a billing key (facts.md 2.6).

    With a `card`, and a customer_uid that PortOne does not know yet, the key is issued first.
    `checking_amount`: minor units of a test charge that is taken back at once; None or 0 for none.
    """

    customer_uid: CustomerUid
    schedules: tuple[ScheduleItem, ...] = Field(min_length=1)
    card: Card | None = None
    customer_id: str | None = None
    checking_amount: int | None = Field(default=None, ge=0)
    channel_key: str | None = None
    pg: str | None = None

    @model_validator(mode="after")
    def _order_numbers_differ(self) -> Self:
        if len(set(self.merchant_uids())) != len(self.schedules):
            raise ValueError("each schedule needs a merchant_uid of its own")
        return self

    def merchant_uids(self) -> tuple[str, ...]:
        """The order numbers, in the order they are sent."""
        return tuple(item.merchant_uid for item in self.schedules)

    def body(self) -> dict[str, Any]:
        """The JSON, card included when there is one."""
        body = self.model_dump(exclude={"schedules", "card"}, exclude_none=True)
        body["schedules"] = [item.body() for item in self.schedules]
        return body | (self.card.body() if self.card is not None else {})


class CancelPayment(WireRequest):
    """POST /payments/cancel: refund a part or all of a payment (facts.md 2.8).

    `amount` must be said, also for a full refund: PortOne takes a missing amount and 0 for "everything".
    `checksum` is what we believe can still be refunded; PortOne refunds nothing when it disagrees. Always give it.
    Given both ids, imp_uid decides.
    """

    amount: ReturnedAmount
    imp_uid: ImpUid | None = None
    merchant_uid: MerchantUid | None = None
    checksum: Money | None = None
    tax_free: int | None = Field(default=None, ge=0, strict=True)
    vat_amount: int | None = Field(default=None, ge=0, strict=True)
    reason: Annotated[str | None, BeforeValidator(_cut(256))] = None
    requester: str | None = None
    retain_promotion: bool | None = None
    enable_webhook: bool | None = None

    @model_validator(mode="after")
    def _names_one_payment_and_fits_into_its_balance(self) -> Self:
        if self.imp_uid is None and self.merchant_uid is None:
            raise ValueError("imp_uid or merchant_uid is needed")
        if self.checksum is not None and self.checksum.currency != self.amount.currency:
            raise ValueError("checksum must have the currency of amount")
        if self.checksum is not None and self.amount.amount > self.checksum.amount:
            raise ValueError("amount is more than checksum, the balance that can be refunded")
        return self

    def body(self) -> dict[str, Any]:
        """The JSON; tax parts only when they are said."""
        parts = {
            "amount": self.amount.amount,
            "tax_free": self.tax_free,
            "vat_amount": self.vat_amount,
            "checksum": None if self.checksum is None else self.checksum.amount,
        }
        body = self.model_dump(exclude={*parts, "requester"}, exclude_none=True)
        for name, value in parts.items():
            if value is not None:
                body[name] = wire_number(Money(value, self.amount.currency))
        if self.requester is not None:
            body["extra"] = {"requester": self.requester}
        return body
