"""The PortOne V1 client: the only place httpx is imported."""

from billing.portone.client import PortOneClient
from billing.portone.errors import (
    PortOneAuthError,
    PortOneError,
    PortOneRateLimitedError,
    PortOneRefusedError,
    PortOneUnavailableError,
)
from billing.portone.models import BillingKey, Channel, Page, Payment, Prepared, Schedule
from billing.portone.outcomes import CancelAnswer, ChargeAnswer, KeyAnswer, ScheduleAnswer
from billing.portone.requests import (
    CancelPayment,
    Card,
    ChargeAgain,
    ChargeOnetime,
    IssueBillingKey,
    ScheduleItem,
    ScheduleRequest,
)

__all__ = [
    "BillingKey",
    "CancelAnswer",
    "CancelPayment",
    "Card",
    "Channel",
    "ChargeAgain",
    "ChargeAnswer",
    "ChargeOnetime",
    "IssueBillingKey",
    "KeyAnswer",
    "Page",
    "Payment",
    "PortOneAuthError",
    "PortOneClient",
    "PortOneError",
    "PortOneRateLimitedError",
    "PortOneRefusedError",
    "PortOneUnavailableError",
    "Prepared",
    "Schedule",
    "ScheduleAnswer",
    "ScheduleItem",
    "ScheduleRequest",
]
