"""All that a subscription remembers from one step to the next, carried whole through continue-as-new.

Each record is assigned by its own module alone, by transitions with a name; what concerns several of them is here.
"""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.records import PendingChange
from billing.domain.states import (
    SUBSCRIPTION_TRANSITIONS,
    CycleState,
    DunningState,
    SubscriptionStatus,
    walk,
)
from billing.domain.subscription.after_end import AfterEnd
from billing.domain.subscription.arrears import Arrears
from billing.domain.subscription.cancel import Cancel
from billing.domain.subscription.consent_gate import ConsentGate
from billing.domain.subscription.in_flight import InFlight
from billing.domain.subscription.items import Items
from billing.domain.subscription.opening import Opening
from billing.domain.subscription.paid import Paid
from billing.domain.subscription.parked_items import ParkedItems
from billing.domain.subscription.pause import Pause
from billing.domain.subscription.payment_method import OldKeys, PaymentMethod
from billing.domain.subscription.period import Period
from billing.domain.subscription.periods import Periods
from billing.domain.subscription.refunds import Refunds
from billing.domain.subscription.reports import PaymentReported, Reports
from billing.domain.subscription.schedule import Schedule


class SubscriptionState(BaseModel):
    """Where a subscription stands.

    `began_at` is `started_at` before it was cut to the second: two lives of one customer_uid may begin within one.
    `revision` counts what was written to the ledger; `waits_until` is until when the last write said that it waits.
    """

    started_at: datetime
    period: Period
    periods: Periods
    began_at: datetime | None = None
    status: SubscriptionStatus = SubscriptionStatus.INCOMPLETE
    ended_at: datetime | None = None
    end_reason: str | None = None
    revision: int = 0
    waits_until: datetime | None = None
    schedule: Schedule = Schedule()
    items: Items = Items()
    method: PaymentMethod = PaymentMethod()
    old_keys: OldKeys = OldKeys()
    paid: Paid = Paid()
    arrears: Arrears = Arrears()
    consent: ConsentGate = ConsentGate()
    pause: Pause = Pause()
    cancel: Cancel = Cancel()
    parked: ParkedItems = ParkedItems()
    reports: Reports = Reports()
    in_flight: InFlight = InFlight()
    opening: Opening = Opening()
    refunds: Refunds = Refunds()
    after_end: AfterEnd = AfterEnd()

    def merchant_uid(self, subscription_id: str) -> str:
        """The order number of the open period: its own, or the one that it was taken over with."""
        return self.period.merchant_uid(subscription_id)

    def written(self, waits_until: datetime | None = None) -> None:
        """One more step is written to the ledger, and until when the run waits after it where that is said."""
        self.revision += 1
        self.waits_until = waits_until

    def notify(self, report: PaymentReported, now: datetime) -> None:
        """Note what PortOne reports; where it did not answer, it is there again, and is asked at once."""
        if self.reports.note(report):
            self.in_flight.asks_at_once(now)

    def become(self, status: SubscriptionStatus) -> None:
        """Walk to `status` by the table."""
        self.status = walk(SUBSCRIPTION_TRANSITIONS, self.status, status)

    def end(self, status: SubscriptionStatus, at: datetime, reason: str) -> None:
        """Walk to an ended status and say why."""
        self.become(status)
        self.ended_at, self.end_reason = at, reason
        if self.arrears.state is not DunningState.CLEAR:
            self.arrears.walk_to(DunningState.ENDED)
        self.pause.is_taken_back()
        self.periods.skip(None)
        self.items.drop_pending()
        # What could not be deleted before is tried once more.
        self.old_keys.look_at_once()
        self.after_end.begin()
        if self.reports.put_off_until is not None:
            self.reports.is_due_again()
        if self.period.state is CycleState.MISMATCH:
            # Money that is not as ordered pays for nothing now.
            self.reports.ask_for_a_look()

    def begin_next_period(self, due_at: datetime) -> None:
        """Turn to the next period, with nothing tried and nothing scheduled."""
        self.period = self.period.begin_next(due_at)
        self.schedule = self.schedule.begin_next()
        self.arrears, self.consent = Arrears(), ConsentGate()
        self.periods.leave_out(0)
        self.periods.trial_is_over()
        self.periods.skip(None)

    def take_next_number(self) -> None:
        """Give the period another order number; only when the last one is verified unpaid and cannot run again."""
        self.period.take_next_number()
        self.schedule.wait_for_another_number()

    def leave_key(self, customer_uid: str) -> None:
        """Keep in mind that a key is to be deleted: it is looked at again with the next period."""
        self.old_keys.leave(customer_uid, self.period.cycle)

    def forget_key(self, customer_uid: str) -> None:
        """Let a key be deleted as soon as nothing else is to be done."""
        self.leave_key(customer_uid)
        self.old_keys.look_at_once()

    @property
    def keys_are_left(self) -> bool:
        """Whether keys are left that this period has not looked at yet."""
        return bool(self.old_keys.keys) and self.old_keys.seen_in != self.period.cycle

    @property
    def coming_change(self) -> PendingChange | None:
        """What the open period changes to; None where the change was ordered while that period was unpaid already."""
        items = self.items
        waits = items.pending_from is not None and self.period.cycle < items.pending_from
        return None if waits else items.pending

    @property
    def waits_for_a_card(self) -> bool:
        """Whether the period is unpaid and no attempt is planned: a hard decline, or every retry used up."""
        return self.arrears.retries_over and self.period.state in (CycleState.DECLINED, CycleState.NOT_EXECUTED)
