"""What was agreed: price, interval, trial and length, frozen per version."""

from dataclasses import dataclass
from enum import StrEnum

from billing.domain.calendar import Interval, time_zone
from billing.domain.money import MAX_AMOUNT, Money

MAX_NAME_LENGTH = 40
MAX_TRIAL_DAYS = 730


class OnNoConsent(StrEnum):
    """What becomes of a subscription whose customer has not agreed to pay, or to pay more, by the day it is due."""

    END = "end"
    HOLD_PRICE = "hold_price"


class TrialEnd(StrEnum):
    """What becomes of a trial that ends without a payment method."""

    PAUSE = "pause"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms a subscription is billed by; a change is a new version, never an edit.

    Args:
        name: what the customer sees on the order, 1 to 40 characters (PortOne's `name`, facts.md 2.5).
        price: of one cycle; 0 means that nothing is charged (the cycle is skipped).
        interval: from one cycle to the next.
        plan_id: of the catalogue; None for terms given with the subscription.
        version: counted from 1.
        tax_free: the part of the price without VAT, in minor units; PortOne's default is 0.
        vat_amount: in minor units; None leaves it to the PG (some know no other way, see pg_capabilities).
        trial_days: free days before the first charge, 0 to 730.
        max_cycles: of a fixed term; None runs until cancelled.
        zone: IANA name of the time zone in which billing days are counted.
        consent_required: whether the end of a trial and a higher charge wait for the customer's explicit consent
            (`billing.domain.consent`).
        on_no_consent: without it the subscription ends, or goes on at the last price (after a trial there is none,
            so it ends).
        trial_end_without_card: paused until a payment method is there, or canceled.

    Raises:
        ValueError: naming the field outside its range.
    """

    name: str
    price: Money
    interval: Interval
    plan_id: str | None = None
    version: int = 1
    tax_free: int = 0
    vat_amount: int | None = None
    trial_days: int = 0
    max_cycles: int | None = None
    zone: str = "Asia/Seoul"
    consent_required: bool = False
    on_no_consent: OnNoConsent = OnNoConsent.END
    trial_end_without_card: TrialEnd = TrialEnd.PAUSE

    def __post_init__(self) -> None:
        price = self.price.amount
        for name, value, low, high in (
            ("name length", len(self.name), 1, MAX_NAME_LENGTH),
            ("price", price, 0, MAX_AMOUNT),
            ("version", self.version, 1, None),
            ("tax_free", self.tax_free, 0, price),
            ("vat_amount", self.vat_amount, 0, price - self.tax_free),
            ("trial_days", self.trial_days, 0, MAX_TRIAL_DAYS),
            ("max_cycles", self.max_cycles, 1, None),
        ):
            if value is not None and (value < low or (high is not None and value > high)):
                raise ValueError(f"{name} must be {low} to {high or 'any number'}, got {value}")
        time_zone(self.zone)
