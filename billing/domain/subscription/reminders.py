"""What is announced before it happens: a renewal, the end of a trial, the end of the grace. Each once a period.

A renewal that was announced is announced again when its amount or its date has changed since, as soon as it is due.
While the buyer's consent is open, the question tells the amount and the date, and the renewal is not announced.
"""

from datetime import datetime, timedelta

from billing.domain.events import EventType
from billing.domain.states import DunningState, SubscriptionStatus
from billing.domain.subscription import consent_need, payloads
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription

RENEWAL, TRIAL, GRACE = "renewal", "trial", "grace"


def next_at(subscription: Subscription) -> datetime | None:
    """When something is announced next; None when nothing is."""
    coming = next_reminder(subscription)
    return coming[0] if coming is not None else None


def announce(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """Announce what is to be announced next."""
    coming = next_reminder(subscription)
    assert coming is not None  # noqa: S101 - asked where something is
    at, kind = coming
    subscription.state.period.announce(_told(subscription, kind))
    match kind:
        case "renewal":
            when = subscription.terms.local(subscription.state.period.due_at)
            text = f"{subscription.terms.bill().amount} will be charged {when}"
            recording.emit(EventType.SUBSCRIPTION_RENEWAL_UPCOMING, text, payloads.subscription(subscription), now)
        case "trial":
            text = f"the trial ends {subscription.terms.local(subscription.state.period.due_at)}"
            recording.emit(EventType.SUBSCRIPTION_TRIAL_WILL_END, text, payloads.subscription(subscription), now)
        case _:
            subscription.state.arrears.walk_to(DunningState.SUSPENDED)
            text = f"the grace has ended {subscription.terms.local(at)}"
            recording.emit(EventType.SUBSCRIPTION_SUSPENDED, text, payloads.subscription(subscription), now)
    recording.write(text, now)


def next_reminder(subscription: Subscription) -> tuple[datetime, str] | None:
    """What is announced next, and when; None when nothing is."""
    state, policy, ahead = subscription.state, subscription.start.policy, []
    if state.ended_at is not None:
        return None
    if state.status is SubscriptionStatus.TRIALING:
        if policy.trial_notice_days is not None and not state.cancel.at_period_end:
            ahead.append((state.period.due_at - timedelta(days=policy.trial_notice_days), TRIAL))
    elif policy.notice_days is not None and _renews(subscription, timedelta(days=policy.notice_days)):
        ahead.append((state.period.due_at - timedelta(days=policy.notice_days), RENEWAL))
    ends_at = subscription.terms.grace_ends_at()
    if ends_at is not None and state.status is SubscriptionStatus.PAST_DUE and state.arrears.state in _IN_GRACE:
        ahead.append((ends_at, GRACE))
    return min((each for each in ahead if _told(subscription, each[1]) not in state.period.announced), default=None)


def _told(subscription: Subscription, kind: str) -> str:
    """What is remembered as announced: of a renewal its date and its amount too."""
    return (
        f"{kind} {subscription.state.period.due_at:%Y%m%dT%H%M} {subscription.terms.bill().amount}"
        if kind == RENEWAL
        else kind
    )


_IN_GRACE = frozenset({DunningState.RETRYING, DunningState.GRACE})


def _renews(subscription: Subscription, notice: timedelta) -> bool:
    """Whether the next charge is a renewal worth announcing: of a period longer than the notice itself."""
    state = subscription.state
    if (
        state.status is not SubscriptionStatus.ACTIVE
        or state.arrears.failed_attempts
        or not subscription.terms.charging
    ):
        return False
    if consent_need.needs(subscription):
        return False
    long_enough = state.periods.start is not None and state.period.due_at - state.periods.start > notice
    return long_enough and subscription.terms.bill().amount.amount > 0
