"""What a person has decided about something that stands parked."""

from billing.domain.message import Message
from billing.domain.parked import Decision


class DecisionTaken(Message):
    """A person's decision about one thing that stands parked, with who decided and why.

    Without a `parked_id` it is about the only thing that stands.
    """

    decision: Decision
    by: str
    reason: str
    parked_id: str | None = None
