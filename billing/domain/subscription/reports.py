"""What a subscription is notified of: reasons to look up, never facts; and those that wait to be looked into."""

from collections.abc import Collection

from pydantic import BaseModel

from billing.domain.message import Message

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
    """Reports that wait to be looked into, and looks that somebody asked for."""

    waiting: list[PaymentReported] = []
    heard: list[str] = []
    look_asked: bool = False
    looks_asked: list[str] = []

    def note(self, report: PaymentReported) -> None:
        """Note a report, once: a twin of one that was noted is dropped."""
        key = f"{report.imp_uid}|{report.merchant_uid}|{report.status}|{report.cancellation_id}"
        if key in self.heard:
            return
        self.heard = [*self.heard[-(REMEMBERED - 1) :], key]
        self.waiting.append(report)

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

    def take_looks(self) -> list[str]:
        """The orders that a look was asked for, to be looked up now."""
        asked, self.looks_asked, self.look_asked = self.looks_asked, [], False
        return asked
