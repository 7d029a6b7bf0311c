"""What is to be written with the next step: events, results, what stands parked, answers to webhooks."""

from dataclasses import dataclass, field
from datetime import datetime

from billing.domain.event_catalogue import event
from billing.domain.event_data import EventData
from billing.domain.events import EventType, OutgoingEvent
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.records import ChargeResult, ConsentRecord, Disposition, RefundRecord, WebhookDisposition
from billing.domain.states import CycleState
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.subscription import Subscription


@dataclass(slots=True)
class Noted:
    """What no write has taken yet."""

    events: list[OutgoingEvent] = field(default_factory=list)
    results: list[ChargeResult] = field(default_factory=list)
    webhooks: list[WebhookDisposition] = field(default_factory=list)
    consents: list[ConsentRecord] = field(default_factory=list)
    parked: dict[str, ParkedRecord] = field(default_factory=dict)
    decisions: list[DecisionRecord] = field(default_factory=list)
    refunds: list[RefundRecord] = field(default_factory=list)


class Notes:
    """What one subscription writes with its next step."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._noted = Noted()

    @property
    def has_notes(self) -> bool:
        """Whether something is noted that no write has taken yet."""
        noted = self._noted
        return bool(noted.webhooks or noted.events or noted.results or noted.parked or noted.decisions or noted.refunds)

    def emit(self, what: EventType, summary: str, data: EventData, now: datetime) -> None:
        """Emit an event with the next write: both are in one transaction, so neither is without the other."""
        subscription = self._subscription
        number = f"{subscription.state.revision + 1}-{len(self._noted.events)}"
        event_id = f"evt_{subscription.start.subscription_id}-{number}"
        self._noted.events.append(event(what, now, event_id, summary, data))

    def close_order(self, state: CycleState, reason: str, now: datetime) -> None:
        """Say why the open order number will not be charged; one that never left is let go for good.

        A number that was never ordered, or was let go before, is in no need of it.
        """
        period = self._subscription.state.period
        if period.order is None:
            return
        if state is CycleState.SKIPPED:
            period.close_order()
        self._noted.results.append(self._subscription.result(state, None, now, reason))

    def note_result(self, result: ChargeResult) -> None:
        """What was found out about an order."""
        self._noted.results.append(result)

    def note_refund(self, refund: RefundRecord) -> None:
        """What was refunded, here or in PortOne's console."""
        self._noted.refunds.append(refund)

    def note_parked(self, record: ParkedRecord) -> None:
        """What stands parked, or stands no longer."""
        self._noted.parked[record.parked_id] = record

    def keep_decision(self, decision: DecisionRecord) -> None:
        """What a person decided."""
        self._noted.decisions.append(decision)

    def keep_consent(self, consent: ConsentRecord) -> None:
        """What a buyer was asked, or has answered, as evidence."""
        self._noted.consents.append(consent)

    def answer(self, report: PaymentReported, disposition: Disposition) -> None:
        """What a webhook came to; the next write closes its inbox row."""
        closed = WebhookDisposition(report.merchant_uid, report.imp_uid, report.status, disposition)
        self._noted.webhooks.append(closed)
