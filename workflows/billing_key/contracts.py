"""The messages about a billing key: what stands on it, what was left there, and what is taken from it."""

from datetime import datetime

from billing.domain.facts import BillingKeyFact, ScheduleFact
from billing.domain.message import Message
from billing.domain.parked import ParkedRecord
from billing.domain.takeover import KeyPayment


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


class Unscheduled(Message):
    """What revoking came to: the row as it was answered, None when there was nothing to revoke.

    `unanswered` counts the tries before it that got no answer and may still be carried out.
    """

    row: ScheduleFact | None = None
    unanswered: int = 0


class KeyDeleted(Message):
    """What deleting a key came to: the key as it was, None when there was none; `unanswered` as in `Unscheduled`."""

    key: BillingKeyFact | None = None
    unanswered: int = 0
