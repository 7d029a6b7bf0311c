"""What is under way at PortOne: a charge of our own, calls without an answer, and when PortOne is asked again."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

from billing.domain import calls
from billing.domain.attempt import Attempt
from billing.domain.calls import CallKind, CallOnItsWay
from billing.domain.deadlines import QuietWindow
from billing.domain.proration import ChangeQuote
from billing.domain.subscription.items_change import ItemsChange
from billing.domain.subscription.layout import PeriodsBefore
from billing.domain.subscription.orders import OpenOrder

ASK_AGAIN_AFTER = (
    *(timedelta(seconds=seconds) for seconds in (2, 5, 10, 30, 60, 120)),
    *(timedelta(minutes=5),) * 24,
    *(timedelta(minutes=30),) * 44,
    timedelta(hours=1),
)
"""How long a subscription waits before it asks PortOne again that did not answer: seconds after a restart, five minutes
in an outage of hours, half an hour in one of a day, an hour in one of days."""


def ask_again_at(now: datetime, tries: int) -> datetime:
    """When something is asked again that was asked in vain `tries` times."""
    return now + ASK_AGAIN_AFTER[min(tries, len(ASK_AGAIN_AFTER) - 1)]


class Purpose(StrEnum):
    """What a charge that we send ourselves is for: who goes on when its outcome is proven."""

    FIRST = "first"
    DUE = "due"
    RETRY = "retry"
    CARD = "card"
    DECISION = "decision"
    RESUME = "resume"
    RESUME_BY_ITSELF = "resume_by_itself"
    TRIAL_END = "trial_end"
    CHANGE = "change"


class Charge(BaseModel):
    """A charge that we send ourselves, on its way to a proven end, and what follows from it.

    `retries` says that PortOne retries a schedule of it, instead of a charge with `again`.
    `order` is what was ordered, as it was recorded with its intent. The rest is what its purpose goes on with: the
    attempt that was `planned` beside it; the change it pays for, at what it cost; where the periods lay `before`.
    """

    purpose: Purpose
    attempt: Attempt
    order: OpenOrder
    retries: bool = False
    planned: datetime | None = None
    change: ItemsChange | None = None
    costs: ChangeQuote | None = None
    before: PeriodsBefore | None = None


class InFlight(BaseModel):
    """What is under way at PortOne.

    `asks_again_at` is when it is asked again after it did not answer `unanswered` times since `unanswered_since`.
    """

    charge: Charge | None = None
    calls: list[CallOnItsWay] = []
    unanswered: int = 0
    unanswered_since: datetime | None = None
    asks_again_at: datetime | None = None

    # ------------------------------------------------------------ a charge of our own

    def begin_charge(self, charge: Charge) -> None:
        """A charge of our own is under way."""
        self.charge = charge

    def keep_attempt(self, attempt: Attempt) -> None:
        """The charge has come this far."""
        if self.charge is not None:
            self.charge = self.charge.model_copy(update={"attempt": attempt})

    def charge_by_again(self, attempt: Attempt) -> None:
        """PortOne's retry was proven not to run: the same order number is sent with `again`."""
        if self.charge is not None:
            self.charge = self.charge.model_copy(update={"retries": False, "attempt": attempt})

    def charge_is_over(self) -> None:
        """The charge has come to its proven end, or never left."""
        self.charge = None

    # ------------------------------------------------------------ calls without an answer

    def is_unanswered(self, kind: CallKind, about: str, at: datetime, quiet: QuietWindow) -> None:
        """A call was not answered: until its quiet window is over it may still be carried out."""
        self.calls = calls.sent(self.calls, kind, about, at, quiet)

    def is_shown_done(self, about: str, kinds: Iterable[CallKind]) -> None:
        """PortOne shows what a call was to do: where one such call was on its way, it has arrived."""
        self.calls = calls.shown_done(self.calls, about, kinds)

    def has_arrived(self, about: str, kind: CallKind) -> None:
        """Of calls that PortOne carries out once, however often they were sent, none is on its way any more."""
        self.calls = [call for call in self.calls if not (call.about == about and call.kind is kind)]

    def is_over(self, call: CallOnItsWay) -> None:
        """The window of a call is over, and what it was about was read again."""
        self.calls = calls.without(self.calls, call)

    def over(self, now: datetime) -> Sequence[CallOnItsWay]:
        """Calls whose window is over."""
        return calls.over(self.calls, now)

    def is_followed(self, call: CallOnItsWay) -> bool:
        """Whether another call of the same kind about the same is kept, whose window is not over before this one's."""
        return calls.is_followed(self.calls, call)

    def may_charge(self, merchant_uid: str) -> bool:
        """Whether a call may still let an order number be charged that is read as not scheduled and not paid."""
        return calls.may_charge(self.calls, merchant_uid)

    def may_take_back(self, merchant_uid: str) -> bool:
        """Whether a schedule that is registered now may be revoked by an earlier call."""
        return calls.may_take_back(self.calls, merchant_uid)

    def last_end(self, about: str) -> datetime | None:
        """From when on nothing about an order number or key is on its way any more; None where nothing is."""
        return calls.last_end(self.calls, about)

    # ------------------------------------------------------------ PortOne does not answer

    def asked_in_vain(self, now: datetime) -> None:
        """PortOne did not answer: it is asked again later, and commands are heard meanwhile."""
        self.asks_again_at = ask_again_at(now, self.unanswered)
        self.unanswered_since = self.unanswered_since or now
        self.unanswered += 1

    def asks_at_once(self, now: datetime) -> None:
        """What PortOne did not answer is asked again now, whenever it was to be."""
        if self.asks_again_at is not None:
            self.asks_again_at = min(self.asks_again_at, now)

    def was_answered(self) -> None:
        """PortOne answers again."""
        self.unanswered, self.unanswered_since, self.asks_again_at = 0, None, None

    def may_ask(self, now: datetime) -> bool:
        """Whether PortOne is to be asked now, and not only after a while since it did not answer."""
        return self.asks_again_at is None or now >= self.asks_again_at
