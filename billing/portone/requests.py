"""What is sent to PortOne, in its own field names. Card data is held as secrets that no repr shows."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from billing.domain.money import Money


class Card(BaseModel):
    """A card as a buyer typed it: `card_number` dddd-dddd-dddd-dddd, `expiry` YYYY-MM (facts.md section 6)."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    card_number: SecretStr
    expiry: SecretStr
    birth: SecretStr | None = None
    pwd_2digit: SecretStr | None = None
    cvc: SecretStr | None = None

    def on_wire(self) -> dict[str, str]:
        """The fields in the clear, for the one request that needs them."""
        fields: dict[str, SecretStr | None] = dict(self)
        return {name: value.get_secret_value() for name, value in fields.items() if value is not None}


class PortOneRequest(BaseModel):
    """One request; a Money becomes a number with a `currency` beside it, an instant becomes Unix seconds."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    def on_wire(self) -> dict[str, Any]:
        """The body: fields that were not given are not sent."""
        body: dict[str, Any] = {}
        for name, value in self:
            match value:
                case None:
                    continue
                case Card():
                    body |= value.on_wire()
                case Money():
                    body |= {name: value.on_wire(), "currency": value.currency}
                case datetime():
                    body[name] = int(value.timestamp())
                case tuple():
                    body[name] = [item.on_wire() for item in value]
                case _:
                    body[name] = value
        return body


class IssueBillingKey(PortOneRequest):
    """POST /subscribe/customers/{customer_uid}."""

    card: Card
    pg: str | None = None
    channel_key: str | None = None
    customer_id: str | None = None
    customer_name: str | None = None
    customer_tel: str | None = None
    customer_email: str | None = None


class Charge(PortOneRequest):
    """What `again`, `onetime` and each schedule share."""

    merchant_uid: str
    amount: Money
    name: str
    tax_free: int | None = None
    vat_amount: int | None = None
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_tel: str | None = None
    custom_data: str | None = None
    notice_url: str | None = None
    product_type: str | None = None
    card_quota: int | None = None


class ChargeAgain(Charge):
    """POST /subscribe/payments/again."""

    customer_uid: str
    channel_key: str | None = None


class ChargeOnetime(Charge):
    """POST /subscribe/payments/onetime."""

    card: Card
    customer_uid: str | None = None
    pg: str | None = None


class ScheduleItem(Charge):
    """One item of POST /subscribe/payments/schedule; it charges by itself at `schedule_at`."""

    schedule_at: datetime


class ScheduleRequest(PortOneRequest):
    """POST /subscribe/payments/schedule; with a card the key is issued first."""

    customer_uid: str
    schedules: tuple[ScheduleItem, ...]
    card: Card | None = None
    checking_amount: int | None = None
    customer_id: str | None = None
    channel_key: str | None = None
    pg: str | None = None


class CancelPayment(PortOneRequest):
    """POST /payments/cancel; `amount` is always sent, since PortOne reads a missing one or 0 as everything."""

    imp_uid: str
    amount: Money
    checksum: int | None = None
    tax_free: int | None = None
    vat_amount: int | None = None
    reason: str | None = None

    def on_wire(self) -> dict[str, Any]:
        """The body, its checksum as a number of the payment's currency.

        Raises:
            ValueError: an amount that PortOne would read as a full refund.
        """
        if self.amount.amount <= 0:
            raise ValueError("a refund's amount must be positive")
        body = super().on_wire()
        body.pop("currency")
        if self.checksum is not None:
            body["checksum"] = Money(self.checksum, self.amount.currency).on_wire()
        return body
