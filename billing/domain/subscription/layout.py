"""Where the periods lay before a charge to resume, so that it can be put back where that comes to nothing."""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.calendar import Anchor
from billing.domain.subscription.orders import PaidOrder


class PeriodsBefore(BaseModel):
    """Where the periods lay, and what was paid, before a charge to resume: put back where it comes to nothing."""

    anchor: Anchor
    first_cycle: int
    due_at: datetime
    paid_days: int
    resumes_at: datetime | None = None
    balance: int
    given_back: int
    not_given: str
    orders: list[PaidOrder]
