"""What is announced before it happens: a renewal, the end of a trial, the end of the grace. Each once a period.

A renewal that was announced is announced again when its amount or its date has changed since, as soon as it is due.
While the buyer's consent is open, the question tells the amount and the date, and the renewal is not announced.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from billing.domain.events import EventType
from billing.domain.states import DunningState, SubscriptionStatus
from workflows import consent_need, telling

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun

RENEWAL, TRIAL, GRACE = "renewal", "trial", "grace"

MOST_REMEMBERED = 40
"""Announcements remembered in one period: orders that change amount or date are limited to fewer."""


def next_at(run: "SubscriptionRun") -> datetime | None:
    """When something is announced next; None when nothing is."""
    coming = next_reminder(run)
    return coming[0] if coming is not None else None


async def announce(run: "SubscriptionRun") -> None:
    """Announce what is to be announced next."""
    coming = next_reminder(run)
    assert coming is not None  # noqa: S101 - asked where something is
    at, kind = coming
    run.state.announced = [*run.state.announced[-(MOST_REMEMBERED - 1) :], _told(run, kind)]
    match kind:
        case "renewal":
            text = f"{run.bill().amount} will be charged {run.local(run.state.due_at)}"
            run.tell(EventType.SUBSCRIPTION_RENEWAL_UPCOMING, text, telling.subscription(run))
        case "trial":
            text = f"the trial ends {run.local(run.state.due_at)}"
            run.tell(EventType.SUBSCRIPTION_TRIAL_WILL_END, text, telling.subscription(run))
        case _:
            run.state.dun(DunningState.SUSPENDED)
            text = f"the grace has ended {run.local(at)}"
            run.tell(EventType.SUBSCRIPTION_SUSPENDED, text, telling.subscription(run))
    await run.write(text)


def next_reminder(run: "SubscriptionRun") -> tuple[datetime, str] | None:
    """What is announced next, and when; None when nothing is."""
    state, policy, ahead = run.state, run.start.policy, []
    if state.ended_at is not None:
        return None
    if state.status is SubscriptionStatus.TRIALING:
        if policy.trial_notice_days is not None and not state.cancel_at_period_end:
            ahead.append((state.due_at - timedelta(days=policy.trial_notice_days), TRIAL))
    elif policy.notice_days is not None and _renews(run, timedelta(days=policy.notice_days)):
        ahead.append((state.due_at - timedelta(days=policy.notice_days), RENEWAL))
    ends_at = run.grace_ends_at()
    if ends_at is not None and state.status is SubscriptionStatus.PAST_DUE and state.dunning in _IN_GRACE:
        ahead.append((ends_at, GRACE))
    return min((each for each in ahead if _told(run, each[1]) not in state.announced), default=None)


def _told(run: "SubscriptionRun", kind: str) -> str:
    """What is remembered as announced: of a renewal its date and its amount too."""
    return f"{kind} {run.state.due_at:%Y%m%dT%H%M} {run.bill().amount}" if kind == RENEWAL else kind


_IN_GRACE = frozenset({DunningState.RETRYING, DunningState.GRACE})


def _renews(run: "SubscriptionRun", notice: timedelta) -> bool:
    """Whether the next charge is a renewal worth announcing: of a period longer than the notice itself."""
    state = run.state
    if state.status is not SubscriptionStatus.ACTIVE or state.failed_attempts or not run.charging:
        return False
    if consent_need.needs(run):
        return False
    long_enough = state.period_start is not None and state.due_at - state.period_start > notice
    return long_enough and run.bill().amount.amount > 0
