"""What a subscription is notified of: reasons to look up, never facts; and those that wait to be looked into."""

from collections.abc import Collection
from datetime import datetime, timedelta

from pydantic import BaseModel

from billing.domain.facts import PaymentFact
from billing.domain.message import Message
from billing.domain.verdict import has_come_as_far

PUT_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1_440))
"""After how long a look is made again that was put off."""

REMEMBERED = 100
"""How many reports are remembered to drop their twins; the ledger's inbox already dropped most of them."""


class PaymentReported(Message):
    """What a webhook says: ids only, a reason to look up, never a fact."""

    imp_uid: str
    merchant_uid: str
    status: str = ""
    cancellation_id: str = ""


class LookAgain(Message):
    """The reconciliation asks for a look where there is no payment to report: a reason to look up, never a fact.

    `merchant_uid` is the order whose schedule or outcome differs, "" when it is the billing key.
    """

    merchant_uid: str = ""
    reason: str = ""


class Reports(BaseModel):
    """Reports that wait to be looked into, and looks that somebody asked for.

    `put_off_until` is when a look that came to nothing is made again, after it was put off `put_offs` times.
    """

    waiting: list[PaymentReported] = []
    heard: list[str] = []
    look_asked: bool = False
    looks_asked: list[str] = []
    put_off_until: datetime | None = None
    put_offs: int = 0

    def note(self, report: PaymentReported) -> bool:
        """Note a report, once: a twin of one that was noted is dropped; whether it was noted."""
        key = _key(report)
        if key in self.heard:
            return False
        self.heard = [*self.heard[-(REMEMBERED - 1) :], key]
        self.waiting.append(report)
        return True

    def was_not_shown(self, report: PaymentReported) -> None:
        """A look does not show what was reported, and may lag behind: a twin of the report is looked into again."""
        self.heard = [each for each in self.heard if each != _key(report)]

    def about(self, merchant_uid: str) -> list[PaymentReported]:
        """Those that wait about one order."""
        return [report for report in self.waiting if report.merchant_uid == merchant_uid]

    def about_others(self, merchant_uids: Collection[str]) -> list[PaymentReported]:
        """Those that wait about any order but these."""
        return [report for report in self.waiting if report.merchant_uid not in merchant_uids]

    def take(self, reports: Collection[PaymentReported]) -> None:
        """These are looked into."""
        taken = {id(report) for report in reports}
        self.waiting = [report for report in self.waiting if id(report) not in taken]

    def ask_for_a_look(self, merchant_uid: str = "") -> None:
        """Somebody wants the open period looked up, and another order too where one is named."""
        self.look_asked = True
        self.remember(merchant_uid)

    def remember(self, merchant_uid: str) -> None:
        """This order is looked up with the next look that is asked for."""
        if merchant_uid and merchant_uid not in self.looks_asked:
            self.looks_asked = [*self.looks_asked[-(REMEMBERED - 1) :], merchant_uid]

    def put_off(self, merchant_uid: str, now: datetime) -> None:
        """This order is looked up again later, further apart each time: something else about it is open still."""
        self.remember(merchant_uid)
        self.put_off_until = now + PUT_OFF[min(self.put_offs, len(PUT_OFF) - 1)]
        self.put_offs += 1

    def look_at(self, merchant_uid: str, at: datetime) -> None:
        """This order is looked up again at `at`, or with what is looked up before."""
        self.remember(merchant_uid)
        self.put_off_until = min(at, self.put_off_until or at)

    def is_due_again(self) -> None:
        """What was put off is looked up now."""
        self.put_off_until, self.look_asked = None, True

    def take_looks(self) -> list[str]:
        """The orders that a look was asked for, to be looked up now."""
        asked, self.looks_asked, self.look_asked, self.put_off_until = self.looks_asked, [], False, None
        return asked

    def were_looked_up(self) -> None:
        """The looks that were taken are made; where none was put off, the next one is not late."""
        self.put_offs = self.put_offs if self.put_off_until is not None else 0


def is_shown(report: PaymentReported, row: PaymentFact | None) -> bool:
    """Whether a row that was looked up says what was reported, or more."""
    if row is None or row.merchant_uid != report.merchant_uid or not has_come_as_far(row, report.status):
        return False
    listed = {each.cancellation_id for each in row.cancellations}
    return not report.cancellation_id or not listed or report.cancellation_id in listed


def _key(report: PaymentReported) -> str:
    return f"{report.imp_uid}|{report.merchant_uid}|{report.status}|{report.cancellation_id}"
