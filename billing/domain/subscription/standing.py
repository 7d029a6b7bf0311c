"""Where a period stands until a person, or a later look-up, decides."""

from datetime import datetime

from billing.domain.events import EventType
from billing.domain.states import CycleState
from billing.domain.subscription import payloads
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription
from billing.domain.verdict import Verdict

STANDING = frozenset({CycleState.MISMATCH, CycleState.REVOKED, CycleState.UNKNOWN})
"""Where a period stands until a person, or a later look, decides: it is looked up daily, and nothing is charged."""


_PARKED_AS = {
    CycleState.MISMATCH: EventType.CHARGE_MISMATCH,
    CycleState.REVOKED: EventType.CHARGE_REVOKED_ELSEWHERE,
    CycleState.UNKNOWN: EventType.CHARGE_UNKNOWN,
}


def stand(subscription: Subscription, recording: Recording, now: datetime, state: CycleState, verdict: Verdict) -> None:
    """Stand in a named state until a person or a later look decides; nothing is charged and nothing is guessed."""
    reason = verdict.reason or verdict.finding.value
    subscription.state.period.looks_are_over(len(subscription.start.policy.deadlines.after_seconds))
    if subscription.state.period.state is state and subscription.state.period.parked_reason == reason:
        return
    subscription.state.period.move(state)
    subscription.state.period.park(reason)
    payment = verdict.own_payment
    recording.emit(
        _PARKED_AS[state],
        f"period {subscription.state.period.cycle}: {reason}",
        payloads.charge(subscription, state, payment, reason),
        now,
    )
    recording.write(
        f"period {subscription.state.period.cycle} is parked: {state.value}",
        now,
        results=[subscription.result(state, payment, now, reason)],
        payments=verdict.rows,
    )
