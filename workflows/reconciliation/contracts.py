"""Every message of the reconciliation that crosses a process; like those of `contracts.py` they only gain fields.

No message carries PortOne's rows: a page of a thousand is compared inside one activity, and what differs is written to
the ledger there. What comes back are counts, the place to go on from, and the bells to ring.
"""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from billing.domain.differences import Difference, RunState
from billing.domain.message import Message
from billing.domain.windows import Window

DEMAND_PREFIX = "reconciliation/"
"""What the workflow ids of reconciliations asked for by hand begin with."""


class Leg(StrEnum):
    """What one stretch of a reconciliation walks: PortOne's lists, then the ledger's, then what is still open."""

    PAYMENTS = "payments"
    SCHEDULES = "schedules"
    CHARGES = "charges"
    ONE_TIME_CHARGES = "one_time_charges"
    SUBSCRIPTIONS = "subscriptions"
    OPEN_DIFFERENCES = "open_differences"


class Stretch(Message):
    """One leg over one window."""

    leg: Leg
    window: Window


class StartReconciliation(Message):
    """Compare PortOne with the ledger and the workflows.

    Args:
        start: of the window; None looks back by `look_back_days`.
        end: of the window, not inside; None is now, by the furthest test clock there is.
        look_back_days: how far back payments and schedules are read.
        horizon_days: how far beyond `end` schedules are read.
        settle_minutes: money younger than this is being settled, and no difference.
        overdue_minutes: a charge due for longer than this should have been settled.
        page_size: rows of one page, at most PortOne's thousand.
        roll_after_events: continue as new after that many history events, beside the server's own suggestion.
    """

    start: datetime | None = None
    end: datetime | None = None
    look_back_days: int = 3
    horizon_days: int = 80
    settle_minutes: int = 10
    overdue_minutes: int = 120
    page_size: int = 1000
    roll_after_events: int | None = None


class BeginReconciliation(Message):
    """Choose the windows and note the run."""

    run_id: str
    at: datetime
    start: StartReconciliation


class ReconciliationPlan(Message):
    """What is going to be compared, in order."""

    begun_at: datetime
    payments: Window
    schedules_end: datetime
    stretches: list[Stretch]


class CompareSlice(Message):
    """Compare one page of a stretch: the one that `cursor` names, "" for the first.

    Who was rung since `begun_at` was rung by this run, and is not rung again.
    """

    run_id: str
    at: datetime
    begun_at: datetime
    stretch: Stretch
    cursor: str = ""
    page_size: int = 1000
    settle_minutes: int = 10
    overdue_minutes: int = 120


class Bell(Message):
    """What the workflow of a difference is told: ids only; it looks for itself.

    `imp_uid` is set where a webhook would have told it so, and `status` and `cancellation_id` are that webhook's.
    `ended` says that the subscription it belongs to has ended: a run under the same workflow id is another one's.
    """

    difference_id: int
    kind: Difference
    workflow_id: str
    subscription_id: str | None = None
    merchant_uid: str = ""
    imp_uid: str = ""
    customer_uid: str = ""
    status: str = ""
    cancellation_id: str = ""
    ended: bool = False


class SliceCompared(Message):
    """What comparing one page came to.

    `cursor` names the next page, "" after the last; `total` is how many rows PortOne counts in the whole stretch.
    """

    cursor: str = ""
    total: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    bells: list[Bell] = Field(default_factory=list)


class RingBells(Message):
    """Ring the workflows of some differences."""

    at: datetime
    bells: list[Bell]


class Rung(Message):
    """How many workflows were rung, and for how many there was nobody to ring."""

    rung: int = 0
    nobody: int = 0


class EndReconciliation(Message):
    """Note how a run ended."""

    run_id: str
    at: datetime
    state: RunState
    counts: dict[str, int]
    error: str | None = None


class ReconciliationEnded(Message):
    """How much this run found to differ, and how much stands open in all."""

    differences: int
    open: int


class ReconciliationShown(Message):
    """Where a reconciliation stands: what it walks at this moment, and what it has counted."""

    run_id: str
    state: RunState
    payments: Window | None = None
    schedules_end: datetime | None = None
    stretch: Stretch | None = None
    stretches_done: int = 0
    stretches: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
