"""What the ledger knows of a wait: a run that waits beyond what follows from its row says until when.

So whoever reads the ledger alone can tell a run that waits on purpose from one that cannot go on (`overdue.due_by`).
"""

from datetime import datetime, timedelta

from billing.domain.overdue import due_by
from billing.domain.subscription import projections
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription

OUTAGE = timedelta(days=1)
"""So long PortOne may not answer before a subscription that should have moved is told as overdue."""

UNSAID = timedelta(minutes=15)
"""A wait that ends so soon after what its row says is not written: what is overdue is told with some leeway."""


def say(subscription: Subscription, recording: Recording, until: datetime | None, now: datetime) -> None:
    """Write until when the run waits, where its row would say before that it should have moved.

    While PortOne does not answer it is said once, however often it is asked again.
    """
    state = subscription.state
    if until is None or state.ended_at is not None or state.period.parked_reason is not None:
        # What has ended, or stands parked, is in a list already.
        return
    outage = state.in_flight.unanswered_since
    if outage is not None:
        until = outage + OUTAGE
    known = due_by(projections.record(subscription, now))
    if known is None and state.in_flight.charge is not None and until > now + UNSAID:
        # Its row may still say when this charge was to begin: the end of a pause.
        known = now
    if known is None or until <= now or (outage is not None and known > now):
        return
    if until > known + UNSAID:
        recording.write(f"waits until {subscription.terms.local(until)}", now, waits_until=until)
