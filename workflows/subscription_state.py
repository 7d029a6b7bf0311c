"""All that a subscription remembers from one step to the next, carried whole through continue-as-new."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from billing.domain.calendar import Anchor
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.states import CYCLE_TRANSITIONS, SUBSCRIPTION_TRANSITIONS, CycleState, SubscriptionStatus, walk
from workflows.contracts import PaymentReported

HEARD_LIMIT = 100
"""How many bells are remembered to drop their twins; the ledger's inbox already dropped most of them."""


class Booking(StrEnum):
    """Who will run the next attempt of the current cycle: never two of them (reliability.md F42)."""

    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    AGAIN = "again"


class SubscriptionState(BaseModel):
    """Where a subscription stands.

    `cycle` is the period that is to be paid next; `due_at` is the instant of its next attempt.
    `booked` says that PortOne may charge it by itself: only then is there something to revoke.
    `sends` counts how often we ourselves sent the current order number.
    """

    anchor: Anchor
    started_at: datetime
    due_at: datetime
    status: SubscriptionStatus = SubscriptionStatus.INCOMPLETE
    cycle: int = 1
    generation: int = 0
    cycle_state: CycleState = CycleState.PLANNED
    booking: Booking = Booking.SCHEDULE
    booked: bool = False
    sends: int = 0
    looks: int = 0
    failed_attempts: int = 0
    known_failures: list[str] = []
    paid_cycles: int = 0
    last_paid_imp_uid: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    cancel_at_period_end: bool = False
    parked_reason: str | None = None
    last_failure: str | None = None
    last_failure_code: str | None = None
    card: str | None = None
    pg_provider: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    revision: int = 0
    bells: list[PaymentReported] = []
    heard: list[str] = []

    def merchant_uid(self, subscription_id: str) -> str:
        """The order number of the current cycle."""
        return cycle_merchant_uid(subscription_id, self.cycle, self.generation)

    def become(self, status: SubscriptionStatus) -> None:
        """Walk to `status` by the table."""
        self.status = walk(SUBSCRIPTION_TRANSITIONS, self.status, status)

    def move(self, state: CycleState) -> None:
        """Walk the current cycle to `state` by the table."""
        self.cycle_state = walk(CYCLE_TRANSITIONS, self.cycle_state, state)

    def end(self, status: SubscriptionStatus, at: datetime, reason: str) -> None:
        """Walk to an ended status and say why."""
        self.become(status)
        self.ended_at = at
        self.end_reason = reason

    def begin_cycle(self, due_at: datetime) -> None:
        """Turn to the next period, with nothing tried and nothing booked."""
        self.cycle += 1
        self.generation = 0
        self.cycle_state = CycleState.PLANNED
        self.booking = Booking.SCHEDULE
        self.booked = False
        self.due_at = due_at
        self.sends = 0
        self.looks = 0
        self.failed_attempts = 0
        self.known_failures = []
        self.parked_reason = None
        self.last_failure = None
        self.last_failure_code = None

    def next_generation(self) -> None:
        """Give the cycle another order number; only when the last one is verified unpaid and cannot run again."""
        self.generation += 1
        self.booking = Booking.SCHEDULE
        self.cycle_state = CycleState.PLANNED
        self.sends = 0

    def hear(self, bell: PaymentReported) -> None:
        """Note a bell, once: a twin of one already heard is dropped."""
        key = f"{bell.imp_uid}|{bell.merchant_uid}|{bell.status}|{bell.cancellation_id}"
        if key in self.heard:
            return
        self.heard = [*self.heard[-(HEARD_LIMIT - 1) :], key]
        self.bells.append(bell)
