"""The period that is to be paid next: its order, how its charge stands, and what was tried."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel

from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.states import CYCLE_TRANSITIONS, CycleState, walk
from billing.domain.subscription.orders import OpenOrder

MOST_ANNOUNCED = 40
"""Announcements remembered in one period: commands that change amount or date are limited to fewer."""


class Period(BaseModel):
    """The period that is to be paid next.

    `cycle` counts the periods from 1; `due_at` is the instant of its next attempt. `order` is what its order number
    was recorded to stand for; `taken_over` the order number of somebody else's that it was taken over with.
    `sends` counts how often we ourselves sent the current order number, `looks` the look-up deadlines that passed.
    `number_declined` says that the current order number was declined, whatever became of it since.
    `known_failures` are failed payments that were counted, `seen_failures` those a look has shown and no decline has
    counted yet. `plans_again` is why its charge is to be planned anew. `unfinished_look_at` is when a payment that
    PortOne has not finished is looked up again. `charged_at` is the day of an order that we charged on another one.
    """

    due_at: datetime
    cycle: int = 1
    generation: int = 0
    state: CycleState = CycleState.PLANNED
    order: OpenOrder | None = None
    taken_over: str | None = None
    sends: int = 0
    looks: int = 0
    number_declined: bool = False
    known_failures: list[str] = []
    seen_failures: list[str] = []
    parked_reason: str | None = None
    last_failure: str | None = None
    last_failure_code: str | None = None
    announced: list[str] = []
    plans_again: str | None = None
    unfinished_look_at: datetime | None = None
    charged_at: tuple[str, datetime] | None = None

    def merchant_uid(self, subscription_id: str) -> str:
        """Its order number: its own, or the one that it was taken over with."""
        return self.taken_over or cycle_merchant_uid(subscription_id, self.cycle, self.generation)

    # ------------------------------------------------------------ from one period, or order number, to the next

    def move(self, state: CycleState) -> None:
        """Walk to `state` by the table."""
        self.state = walk(CYCLE_TRANSITIONS, self.state, state)

    def begin_next(self, due_at: datetime) -> "Period":
        """The period after this one: nothing tried, nothing ordered."""
        return Period(
            due_at=due_at,
            cycle=self.cycle + 1,
            seen_failures=self.seen_failures,
            plans_again=self.plans_again,
            unfinished_look_at=self.unfinished_look_at,
            charged_at=self.charged_at,
        )

    def take_next_number(self) -> None:
        """Give the period another order number; only when the last one is verified unpaid and cannot run again."""
        self.generation += 1
        self.taken_over, self.order = None, None
        self.state, self.sends, self.number_declined = CycleState.PLANNED, 0, False

    def take_number(self, merchant_uid: str) -> None:
        """Go on under the order number of somebody else's schedule or payment."""
        self.taken_over = merchant_uid

    def go_back_to_number(self, generation: int) -> None:
        """The period was paid under an earlier number of its own."""
        self.generation = generation

    def open(self, order: OpenOrder) -> None:
        """Its order number stands for this from now on."""
        self.order = order

    def close_order(self) -> None:
        """Its order number stands for nothing any more."""
        self.order = None

    # ------------------------------------------------------------ when

    def is_due(self, at: datetime) -> None:
        """Its next attempt is at `at`."""
        self.due_at = at

    def is_due_by(self, at: datetime) -> None:
        """Its next attempt is at `at`, or was before."""
        self.due_at = min(self.due_at, at)

    def is_tried_next(self, at: datetime) -> None:
        """Another attempt is at `at`; the look-up deadlines count from it."""
        self.due_at, self.looks = at, 0

    def plan_again(self, why: str) -> None:
        """Its charge is to be planned anew as soon as nothing stands in the way."""
        self.plans_again = why

    def planned_again(self) -> str:
        """Its charge is being planned anew; answers why."""
        why, self.plans_again = self.plans_again or "planned anew", None
        return why

    # ------------------------------------------------------------ what was tried, and looked up

    def sent(self, send_no: int) -> None:
        """We have sent its order number as the `send_no`-th sending."""
        self.sends = send_no

    def charged_on(self, merchant_uid: str, day: datetime) -> None:
        """The order was charged by us, on a day that may be another one than was planned."""
        self.charged_at = merchant_uid, day

    def take_charged_day(self, merchant_uid: str) -> datetime | None:
        """The day on which the order was charged by us, told once; None where it was not, or not on another day."""
        (number, day), self.charged_at = self.charged_at or ("", None), None
        return day if number == merchant_uid else None

    def looked_in_vain(self) -> None:
        """A look-up deadline has passed, and nothing was proven."""
        self.looks += 1

    def looks_are_over(self, deadlines: int) -> None:
        """Every look-up deadline has passed, and it is looked up daily from now on."""
        self.looks = max(self.looks, deadlines)

    def scheduled(self, at: datetime | None) -> None:
        """It stands at PortOne, for `at` where that is later than was planned: the deadlines count from then."""
        if at is not None and at > self.due_at:
            self.due_at = at
        self.looks = 0

    def note_failures(self, rows: Sequence[PaymentFact]) -> None:
        """Remember every failed payment of a look, so that it is not counted again after the next attempt."""
        self.seen_failures = sorted({*self.seen_failures, *(row.imp_uid for row in rows if row.status == "failed")})

    def count_failures(self, imp_uids: Iterable[str] = ()) -> None:
        """The failed payments that looks have shown are known from now on, and these."""
        self.known_failures = sorted({*self.known_failures, *self.seen_failures, *imp_uids})
        self.seen_failures = []

    def declined(self) -> None:
        """Its order number was declined."""
        self.number_declined = True

    def failed(self, reason: str | None, code: str | None = None) -> None:
        """Why the last attempt came to nothing, with a stable code where there is one."""
        self.last_failure = reason
        self.last_failure_code = code if code is not None else self.last_failure_code

    def look_when_finished(self, at: datetime | None) -> None:
        """PortOne has not finished a payment of it: look again at `at`; None when it has."""
        self.unfinished_look_at = at

    # ------------------------------------------------------------ what stands, and what was announced

    def park(self, reason: str) -> None:
        """It waits for a person."""
        self.parked_reason = reason

    def unpark(self) -> None:
        """It waits for a person no more."""
        self.parked_reason = None

    def announce(self, what: str) -> None:
        """It was announced."""
        self.announced = [*self.announced[-(MOST_ANNOUNCED - 1) :], what]

    def announce_again(self, what: str) -> None:
        """It is to be announced once more."""
        self.announced = [each for each in self.announced if each != what]
