"""What is charged, and how often."""

from dataclasses import dataclass

from billing.domain.calendar import Interval
from billing.domain.money import Money


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms a subscription was started with and keeps until it is changed.

    `tax_free` and `vat_amount` are minor units of the price's currency, carried to every charge (facts.md 2.4).
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
