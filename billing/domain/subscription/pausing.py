"""A pause begins: nothing is charged, and nothing asked of PortOne, until somebody resumes or until its day."""

from datetime import datetime

from billing.domain.events import EventType
from billing.domain.states import SubscriptionStatus
from billing.domain.subscription import payloads, skipping
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription


def begin(subscription: Subscription, recording: Recording, now: datetime, reason: str) -> None:
    """Be paused from this moment on."""
    subscription.state.become(SubscriptionStatus.PAUSED)
    # What is skipped has no meaning while nothing is charged: it goes on with the next period there is.
    skipping.undo(subscription, now)
    subscription.state.periods.skip(None)
    subscription.state.pause.begin(now)
    recording.emit(EventType.SUBSCRIPTION_PAUSED, f"paused: {reason}", payloads.subscription(subscription, reason), now)
    recording.write("paused", now)


def why(subscription: Subscription) -> str:
    """Until when it is paused, in words."""
    resumes_at = subscription.state.pause.resumes_at
    return (
        f"paused until {subscription.terms.local(resumes_at)}"
        if resumes_at is not None
        else "paused until somebody resumes"
    )
