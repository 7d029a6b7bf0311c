"""Nothing is due that no list shows: when a subscription's row says that something must have happened by now.

It is read from the ledger alone, so that it is seen of a run that fails at every task, was terminated, or is gone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.domain.deadlines import DeadlineLadder
from billing.domain.dunning import DunningPolicy, EndAction
from billing.domain.event_catalogue import event
from billing.domain.event_data import OverdueData
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.records import SubscriptionRecord
from billing.domain.states import ENDED, CycleState, SubscriptionStatus

LOOKS_END_AFTER: timedelta = DeadlineLadder().after[-1]
"""How long after its day a charge of which nobody knows the outcome is looked up before it is parked."""


@dataclass(frozen=True, slots=True)
class OverduePeriod:
    """A subscription that should have moved by `due_by`, and did not; `now` is the instant it is for it."""

    record: SubscriptionRecord
    due_by: datetime
    now: datetime


def due_by(record: SubscriptionRecord) -> datetime | None:
    """The instant by which something happens to a subscription by itself; None when nothing does before somebody acts.

    What its run says it waits for (`waits_until`), and otherwise the nearest instant that follows from its row.
    """
    if record.ended_at is not None or record.status in ENDED:
        return None
    if record.waits_until is not None:
        return record.waits_until
    if record.next_charge_at is not None:
        is_looked_up = record.cycle_state is CycleState.UNKNOWN
        return record.next_charge_at + (LOOKS_END_AFTER if is_looked_up else timedelta(0))
    return _without_a_charge_to_come(record)


def _without_a_charge_to_come(record: SubscriptionRecord) -> datetime | None:
    """What a row without a next charge waits for: the end of a pause, a trial, a period or its dunning."""
    life, status = record.life, record.status
    if status is SubscriptionStatus.UNPAID:
        return None
    if status is SubscriptionStatus.PAUSED:
        return life.resumes_at
    if status is SubscriptionStatus.TRIALING:
        return life.trial_ends_at
    if status is SubscriptionStatus.PAST_DUE:
        return _end_of_dunning(record)
    if status is SubscriptionStatus.INCOMPLETE:
        return record.started_at
    return record.current_period_end


def _end_of_dunning(record: SubscriptionRecord) -> datetime | None:
    """When a period that waits for another card is given up; None when it is not."""
    policy = record.life.dunning_policy or DunningPolicy()
    if policy.end_action is EndAction.LEAVE:
        return None
    grace_ends_at = record.life.grace_ends_at
    if grace_ends_at is not None:
        return policy.ends_at(grace_ends_at - timedelta(days=policy.grace_days))
    return policy.ends_at(record.current_period_end or record.started_at)


def overdue_event(found: OverduePeriod) -> OutgoingEvent:
    """What the world outside is told of an overdue period; the same for one period, whoever finds it and how often."""
    record = found.record
    data = OverdueData(
        customer_uid=record.customer_uid,
        subscription_id=record.subscription_id,
        status=record.status.value,
        cycle=record.cycle,
        cycle_state=record.cycle_state.value,
        merchant_uid=record.merchant_uid,
        due_by=found.due_by,
        found_at=found.now,
    )
    summary = f"Period {record.cycle} is overdue since {found.due_by:%Y-%m-%d %H:%M} UTC, and nothing settles it"
    return event(EventType.SUBSCRIPTION_OVERDUE, found.now, overdue_event_id(record), summary, data)


def overdue_event_id(record: SubscriptionRecord) -> str:
    """The name of the one event of a period."""
    return f"overdue-{record.subscription_id}-{record.cycle}"
