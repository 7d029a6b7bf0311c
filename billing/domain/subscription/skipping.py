"""Skipping periods: nothing is charged for them and nothing is given; the anchor, and what a term counts, stay.

The charge that was to come keeps its order number and its bill, and comes so many periods later. A skipped period is
none of those that a fixed term counts: the term ends so much later.
"""

from datetime import datetime

from billing.domain.events import EventType
from billing.domain.subscription import payloads
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.skipped import Skipped
from billing.domain.subscription.subscription import Subscription


def skip(subscription: Subscription, periods: int) -> None:
    """Let the open period come so many periods later; more are added to those that are skipped already."""
    state = subscription.state
    skipped = state.periods.skipped
    if skipped is None:
        state.periods.skip(Skipped(periods=periods, begins_at=state.period.due_at))
    else:
        state.periods.skip(skipped.more(periods))
    state.periods.put_off(periods)
    state.period.is_due(subscription.terms.due(state.period.cycle))


def undo(subscription: Subscription, now: datetime) -> int:
    """Skip no period that has not begun; answers how many are not skipped any more.

    One that has begun stays skipped, and the next charge is at its end.
    """
    state, cycle = subscription.state, subscription.state.period.cycle
    skipped = state.periods.skipped
    if skipped is None:
        return 0
    undone = 0
    while undone < skipped.periods:
        state.periods.put_off(-1)
        if subscription.terms.due(cycle) <= now:
            state.periods.put_off(1)
            break
        undone += 1
    left = skipped.periods - undone
    state.periods.skip(skipped.more(-undone) if left else None)
    if undone:
        state.period.is_due(subscription.terms.due(cycle))
    return undone


def can_be_undone(subscription: Subscription, now: datetime) -> bool:
    """Whether a skipped period has not begun yet."""
    return undo(subscription.copy(), now) > 0


def due_after(subscription: Subscription, periods: int) -> datetime:
    """When the next charge would be after so many more skipped periods."""
    return subscription.terms.due(subscription.state.period.cycle + periods)


def is_running(subscription: Subscription) -> bool:
    """Whether a skipped period runs: nothing was paid for it."""
    skipped = subscription.state.periods.skipped
    return skipped is not None and skipped.begun


def is_ahead(subscription: Subscription) -> bool:
    """Whether the first skipped period is still to begin, and nothing ends or pauses before it does."""
    skipped = subscription.state.periods.skipped
    return skipped is not None and not skipped.begun and subscription.terms.charging


def begins_at(subscription: Subscription) -> datetime | None:
    """When the first skipped period begins; None where none is skipped."""
    skipped = subscription.state.periods.skipped
    return skipped.begins_at if skipped is not None else None


def begin(subscription: Subscription, recording: Recording, now: datetime) -> None:
    """The first skipped period has begun: nothing is paid for, and the service is not given before it is."""
    skipped = subscription.state.periods.skipped
    assert skipped is not None  # noqa: S101 - asked where one is skipped
    subscription.state.periods.skip(skipped.has_begun())
    text = f"skipped until {subscription.terms.local(subscription.state.period.due_at)}"
    recording.emit(EventType.SUBSCRIPTION_SKIPPED, text, payloads.subscription(subscription), now)
    recording.write(text, now)
