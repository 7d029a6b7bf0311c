"""All that a subscription remembers from one step to the next, carried whole through continue-as-new."""

from datetime import datetime
from fractions import Fraction

from pydantic import BaseModel

from billing.domain.bills import Holding
from billing.domain.books import another_begins
from billing.domain.calendar import Anchor
from billing.domain.calls import CallOnItsWay
from billing.domain.consent import ConsentNeed
from billing.domain.coupons import Coupon
from billing.domain.facts import BillingKeyFact
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.records import PendingChange
from billing.domain.states import (
    CONSENT_TRANSITIONS,
    CYCLE_TRANSITIONS,
    DUNNING_TRANSITIONS,
    SUBSCRIPTION_TRANSITIONS,
    ConsentState,
    CycleState,
    DunningState,
    SubscriptionStatus,
    walk,
)
from billing.domain.subscription.answers import CancelAnswered
from billing.domain.subscription.choices import ResumeAnchor
from billing.domain.subscription.records import (
    Booking,
    Charge,
    Opening,
    OpenOrder,
    PaidOrder,
    ParkedItem,
    RefundsFor,
    RefundUnderWay,
)
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.start import PortOneChannel
from billing.domain.takeover import Standing

HEARD_LIMIT = 100
"""How many bells are remembered to drop their twins; the ledger's inbox already dropped most of them."""


class SubscriptionState(BaseModel):
    """Where a subscription stands.

    `cycle` is the period that is to be paid next; `due_at` is the instant of its next attempt.
    `first_cycle` is the cycle that is due at the anchor: a pause or another interval sets a new one.
    `booked` says that PortOne may charge it by itself: only then is there something to revoke.
    `sends` counts how often we ourselves sent the current order number.
    `paid_by` is what the running period is paid for: what a change in the middle of it is reckoned against.
    `number_declined` says that the current order number was declined, whatever became of it since.
    `left_keys` are billing keys that are not charged any more and could not be deleted yet.
    `paid_days` of the open period are not charged, since it is entered in the midst: at a resume on the old billing
    day, or at a start with a chosen one.
    `aside` are bells of other orders that rang while the outcome of a charge was open.
    `key_missing` is the billing key that PortOne was found not to have any more.
    `counts_from` is where the running period's days are counted from, where that is not its start: it was entered in
    the middle, or stood still during a pause.
    `given_back` is what of the running period's days, from the last one on, is not paid any more, in minor units.
    `not_given` is what of the `paid_cycles` was not given, in periods, as a fraction in words ("10/31").
    `credit_went_back` says that the next bill counted on credit that went back.
    `counted_coupon` is the coupon that the running period has used up a cycle of.
    `began_at` is `started_at` before it was cut to the second: two lives of one customer_uid may begin within one.
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
    number_declined: bool = False
    known_failures: list[str] = []
    paid_cycles: int = 0
    last_paid_imp_uid: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    cancel_at_period_end: bool = False
    cancel_reason: str | None = None
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

    # What is held: None stands for what the start said.
    customer_uid: str | None = None
    channel: PortOneChannel | None = None
    has_card: bool = True
    left_keys: list[str] = []
    left_keys_seen_in: int = 0
    plan: PlanTerms | None = None
    quantity: int = 1
    coupon: Coupon | None = None
    coupon_cycles_used: int = 0
    balance: int = 0
    pending_change: PendingChange | None = None
    pending_from: int | None = None
    paid_by: Holding | None = None
    changes: int = 0

    # Where the periods lie.
    first_cycle: int = 1
    paid_days: int = 0
    counts_from: datetime | None = None
    open_order: OpenOrder | None = None
    period_orders: list[PaidOrder] = []
    given_back: int = 0
    not_given: str = "0"
    counted_coupon: Coupon | None = None
    began_at: datetime | None = None
    credit_went_back: bool = False
    last_paid: Money | None = None

    # Pauses and trials.
    pause_at_period_end: bool = False
    paused_at: datetime | None = None
    resumes_at: datetime | None = None
    resume_anchor: ResumeAnchor = ResumeAnchor.NEW
    trial_ends_at: datetime | None = None

    # Dunning and consent of the current cycle.
    dunning: DunningState = DunningState.CLEAR
    first_failed_at: datetime | None = None
    spent_attempts: int = 0
    hard_declined: bool = False
    retries_over: bool = False
    end_action_taken: bool = False
    consent: ConsentState = ConsentState.NOT_NEEDED
    consent_need: ConsentNeed | None = None
    consent_asks: int = 0
    announced: list[str] = []
    look_asked: bool = False

    # What stands until a person decides, and what is to be looked at beside the open period.
    parked: list[ParkedItem] = []
    parkings: int = 0
    looks_asked: list[str] = []
    aside: list[PaymentReported] = []
    key_missing: str | None = None

    # What is under way at PortOne: a charge of our own, calls without an answer, and when it is asked again.
    opening: Opening = Opening.CARD
    opening_tries: int = 0
    opens_at: datetime | None = None
    issued_key: BillingKeyFact | None = None
    charge: Charge | None = None
    calls: list[CallOnItsWay] = []
    unanswered: int = 0
    asks_again_at: datetime | None = None
    reschedules: bool = False
    registrations: int = 0
    registers_at: datetime | None = None
    row_look_at: datetime | None = None
    pending_look_at: datetime | None = None
    plans_again: str | None = None
    canceled: CancelAnswered | None = None
    refunds: list[RefundUnderWay] = []
    refunds_for: RefundsFor | None = None
    refunds_at: datetime | None = None
    refund_tries: int = 0
    refunds_told_at: datetime | None = None
    tidies_at: datetime | None = None
    tidied: int = 0

    # What somebody else left on the key: the order number that the open period was taken over with, and what stands.
    taken_over: str | None = None
    standing: list[Standing] | None = None

    def merchant_uid(self, subscription_id: str) -> str:
        """The order number of the current cycle: its own, or the one that it was taken over with."""
        return self.taken_over or cycle_merchant_uid(subscription_id, self.cycle, self.generation)

    def become(self, status: SubscriptionStatus) -> None:
        """Walk to `status` by the table."""
        self.status = walk(SUBSCRIPTION_TRANSITIONS, self.status, status)

    def move(self, state: CycleState) -> None:
        """Walk the current cycle to `state` by the table."""
        self.cycle_state = walk(CYCLE_TRANSITIONS, self.cycle_state, state)

    def dun(self, state: DunningState) -> None:
        """Walk the dunning of the current cycle to `state` by the table."""
        self.dunning = walk(DUNNING_TRANSITIONS, self.dunning, state)

    def agree(self, state: ConsentState) -> None:
        """Walk the consent to the next charge to `state` by the table."""
        self.consent = walk(CONSENT_TRANSITIONS, self.consent, state)

    def end(self, status: SubscriptionStatus, at: datetime, reason: str) -> None:
        """Walk to an ended status and say why."""
        self.become(status)
        self.ended_at = at
        self.end_reason = reason
        if self.dunning is not DunningState.CLEAR:
            self.dun(DunningState.ENDED)
        self.pause_at_period_end = False
        self.resumes_at = None
        self.pending_change = None
        # What could not be deleted before is tried once more.
        self.left_keys_seen_in = 0
        self.tidied = 0
        # Money that is not as ordered pays for nothing now.
        self.look_asked = self.look_asked or self.cycle_state is CycleState.MISMATCH

    @property
    def coming_change(self) -> PendingChange | None:
        """What the open period changes to; None where the change was ordered while that period was unpaid already."""
        waits = self.pending_from is not None and self.cycle < self.pending_from
        return None if waits else self.pending_change

    def begin_cycle(self, due_at: datetime) -> None:
        """Turn to the next period, with nothing tried and nothing booked."""
        self.cycle += 1
        self.generation = 0
        self.taken_over = None
        self.cycle_state = CycleState.PLANNED
        self.booking = Booking.SCHEDULE
        self.booked = False
        self.due_at = due_at
        self.sends = 0
        self.looks = 0
        self.failed_attempts = 0
        self.number_declined = False
        self.known_failures = []
        self.parked_reason = None
        self.last_failure = None
        self.last_failure_code = None
        self.open_order = None
        self.paid_days = 0
        self.dunning = DunningState.CLEAR
        self.first_failed_at = None
        self.spent_attempts = 0
        self.hard_declined = False
        self.retries_over = False
        self.end_action_taken = False
        self.consent = ConsentState.NOT_NEEDED
        self.consent_need = None
        self.consent_asks = 0
        self.announced = []
        self.trial_ends_at = None

    def next_generation(self) -> None:
        """Give the cycle another order number; only when the last one is verified unpaid and cannot run again."""
        self.generation += 1
        self.taken_over = None
        self.booking = Booking.SCHEDULE
        self.cycle_state = CycleState.PLANNED
        self.sends = 0
        self.number_declined = False
        self.open_order = None

    def another_begins(self, term: int | None, paid: int | None = None) -> bool:
        """Whether a further period belongs to a fixed term after those that were paid, or after `paid` of them."""
        return another_begins(term, self.paid_cycles if paid is None else paid, Fraction(self.not_given))

    @property
    def waits_for_a_card(self) -> bool:
        """Whether the period is unpaid and no attempt is planned: a hard decline, or every retry used up."""
        return self.retries_over and self.cycle_state in (CycleState.DECLINED, CycleState.NOT_EXECUTED)

    def ask_for_a_look(self, merchant_uid: str) -> None:
        """Note that somebody wants the open period looked at, and another order too where one is named."""
        self.look_asked = True
        if merchant_uid and merchant_uid not in self.looks_asked:
            self.looks_asked = [*self.looks_asked[-(HEARD_LIMIT - 1) :], merchant_uid]

    def hear(self, bell: PaymentReported) -> None:
        """Note a bell, once: a twin of one already heard is dropped."""
        key = f"{bell.imp_uid}|{bell.merchant_uid}|{bell.status}|{bell.cancellation_id}"
        if key in self.heard:
            return
        self.heard = [*self.heard[-(HEARD_LIMIT - 1) :], key]
        self.bells.append(bell)
