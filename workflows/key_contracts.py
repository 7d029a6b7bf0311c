"""The messages about what stands on a billing key: its payments, and schedules that were left there."""

from datetime import datetime

from billing.domain.facts import ScheduleFact
from billing.domain.parked import ParkedRecord
from billing.domain.takeover import KeyPayment
from workflows.contracts import Message


def left_schedule_workflow_id(merchant_uid: str) -> str:
    """The workflow id of a schedule that was left on a key: one for each order number."""
    return f"left-schedule/{merchant_uid}"


class KeyPaymentsAsked(Message):
    """The payments of a billing key that were made since an instant."""

    customer_uid: str
    since: datetime


class KeyPaymentsFound(Message):
    """They, by whomever; `any_at_all` says whether the key was ever used for a payment, failed ones too."""

    payments: tuple[KeyPayment, ...] = ()
    any_at_all: bool = False


class StartLeftSchedule(Message):
    """Watch a schedule that stands parked until it is taken back, has run, or a person has decided.

    `status` is that of the subscription that has ended. `ordered_by` is the life of ours that ordered it and is over;
    None where nobody here did.
    """

    row: ScheduleFact
    parked: ParkedRecord
    status: str
    ordered_by: str | None = None
