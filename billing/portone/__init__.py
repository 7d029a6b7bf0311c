"""The PortOne V1 client: the only place httpx is imported.

`client` lists the calls, `requests` what they are given, `models` what they answer, `outcomes` decides what became of
money, `errors` draws the tree of what is raised.
Beneath them one call goes `session` (token, one refresh, deadline) -> `http` (one request) -> `reading` or `outcomes`.
"""

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
