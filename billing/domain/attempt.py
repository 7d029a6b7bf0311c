"""One charge that we send ourselves, on its way to a proven end: a pure machine without a wait (reliability.md 3.0).

What if the answer never comes? It is here: the order is looked up; found settles at once; absence counts only behind
the quiet window, in two looks; then the same order number is sent again. Never a new number, never counted as a
decline. Every instant at which something is to be done is in the attempt, so whoever carries it may hear commands and
notifications in between, stop sending, or continue as new.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.deadlines import QuietWindow
from billing.domain.instants import require_utc
from billing.domain.outcomes import ChargeOutcome
from billing.domain.verdict import Expected, Finding, Verdict

CONCLUSIVE = frozenset({Finding.PAID, Finding.DECLINED, Finding.MISMATCH})
"""Findings that end an attempt whenever they are made."""

RESEND_AFTER = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
)
"""Waits before the same charge is sent again after proof that it did not run (nothing listening, 401, 429): a restart
takes seconds, an outage hours; after the last one the charge stands as not executed."""

QUIET_LOOKS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5))
"""Looks while the quiet window runs, since what is found paid settles at once."""

PENDING_LOOK, PENDING_LOOK_LATER = timedelta(hours=1), timedelta(hours=6)
"""How often a payment is looked up that PortOne calls unfinished, for half a day and after it: PayPal takes hours to
days (facts.md 4.6)."""

PENDING_ENDS_AFTER = timedelta(days=5)
"""An outcome that is open for longer stands parked; as long as the look-ups of a schedule last before theirs does."""


class AttemptStep(StrEnum):
    """What an attempt does next, when its instant has come."""

    SEND = "send"
    LOOK_UP = "look_up"


@dataclass(frozen=True, slots=True)
class Sent:
    """What PortOne's answer to a sending was worth: how it ended, and the words to tell where nothing is found."""

    outcome: ChargeOutcome
    worth_resending: bool = True
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A charge of one order number, from its first sending to its proven end.

    Args:
        expected: what is ordered, by which every look is judged.
        next_send: the `send_no` that the next sending takes; the ledger lets each number leave once.
        at: UTC, when the next thing is to be done.
        step: what that is.
        sent_at: UTC, of the last sending; None before the first.
        answer: to the last sending.
        tries: sendings so far.
        absent_looks: looks behind the quiet window, in a row, that found nothing.
        given_up: whether nothing is sent any more: it is only found out what became of it.
        began_at: UTC.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    expected: Expected
    next_send: int
    at: datetime
    began_at: datetime
    step: AttemptStep = AttemptStep.SEND
    sent_at: datetime | None = None
    answer: Sent = Sent(ChargeOutcome.UNKNOWN)
    tries: int = 0
    absent_looks: int = 0
    given_up: bool = False

    def __post_init__(self) -> None:
        require_utc("at", self.at)
        require_utc("began_at", self.began_at)
        require_utc("sent_at", self.sent_at)

    @classmethod
    def begun(cls, expected: Expected, next_send: int, now: datetime) -> "Attempt":
        """An attempt that is sent at once."""
        return cls(expected, next_send, now, now)

    # ------------------------------------------------------------ what is known of it

    @property
    def merchant_uid(self) -> str:
        """The order number that is charged."""
        return self.expected.merchant_uid

    def is_due(self, now: datetime) -> bool:
        """Whether its next step is to be taken."""
        return now >= self.at

    @property
    def may_have_run(self) -> bool:
        """Whether something was sent that is not proven to have done nothing: only what is, is to be sent again."""
        return self.step is AttemptStep.LOOK_UP

    # ------------------------------------------------------------ going on

    def sending(self, now: datetime) -> "Attempt":
        """It leaves: noted before the call, so that whatever becomes of the answer it may have run."""
        return replace(
            self,
            sent_at=now,
            next_send=self.next_send + 1,
            tries=self.tries + 1,
            answer=Sent(ChargeOutcome.UNKNOWN),
            step=AttemptStep.LOOK_UP,
            absent_looks=0,
            at=now,
        )

    def answered(self, answer: Sent, now: datetime) -> "Attempt":
        """PortOne's answer, or that there was none: looked up at once whatever it says."""
        return replace(self, answer=answer, at=now)

    def heard(self, now: datetime) -> "Attempt":
        """Something was reported of it: looked up at once, unless it is not sent yet."""
        return self if self.step is AttemptStep.SEND else replace(self, at=min(self.at, now))

    def postponed(self, at: datetime) -> "Attempt":
        """It is not sent before `at`."""
        return replace(self, at=at)

    def stopped(self) -> "Attempt":
        """Nothing is sent any more; what was sent is still brought to its proven end."""
        return replace(self, given_up=True)

    def looked(self, verdict: Verdict, now: datetime, quiet: QuietWindow) -> "Attempt | Verdict":
        """A look was made: the end of the attempt, or what is done next and when.

        The end is PAID, DECLINED or MISMATCH; ABSENT when it is proven that nothing ran and sending was given up; or
        PENDING when PortOne has not finished it for days.
        """
        if verdict.finding in CONCLUSIVE:
            return verdict
        if verdict.finding is Finding.PENDING:
            return self._pending(verdict, now, quiet)
        if self.answer.outcome is ChargeOutcome.DECLINED:
            return Verdict(Finding.DECLINED, None, self.answer.message or self.answer.code)
        if self.answer.outcome is ChargeOutcome.NOT_EXECUTED:
            return self._resent_or_over(now, RESEND_AFTER)
        return self._absent(now, quiet)

    def _pending(self, verdict: Verdict, now: datetime, quiet: QuietWindow) -> "Attempt | Verdict":
        """PortOne has not finished it: it may still be paid, so nothing else is done before it has."""
        if now - (self.sent_at or self.began_at) >= PENDING_ENDS_AFTER:
            return verdict
        return replace(self, absent_looks=0, at=self._next_quiet_look(now, quiet) or self._pending_look(now))

    def _pending_look(self, now: datetime) -> datetime:
        late = now - (self.sent_at or self.began_at) >= timedelta(hours=12)
        return now + (PENDING_LOOK_LATER if late else PENDING_LOOK)

    def _absent(self, now: datetime, quiet: QuietWindow) -> "Attempt | Verdict":
        """Nothing is found of a sending without an answer: that counts behind the quiet window only."""
        sent_at = self.sent_at or self.began_at
        if not quiet.counts(sent_at, now):
            return replace(self, at=self._next_quiet_look(now, quiet) or quiet.look_at(sent_at, 0))
        absent = self.absent_looks + 1
        if not quiet.proves_absence(absent):
            return replace(self, absent_looks=absent, at=now + timedelta(seconds=quiet.gap_seconds))
        return self._resent_or_over(now, (timedelta(0),) * len(RESEND_AFTER))

    def _resent_or_over(self, now: datetime, waits: tuple[timedelta, ...]) -> "Attempt | Verdict":
        """It is proven that nothing ran: sent again under the same number, or over."""
        if self.given_up or not self.answer.worth_resending or self.tries > len(waits):
            message = self.answer.message or self.answer.code or "the charge never ran"
            return Verdict(Finding.ABSENT, None, message)
        return replace(self, step=AttemptStep.SEND, absent_looks=0, at=now + waits[self.tries - 1])

    def _next_quiet_look(self, now: datetime, quiet: QuietWindow) -> datetime | None:
        sent_at = self.sent_at or self.began_at
        window_ends = quiet.look_at(sent_at, 0)
        return next((sent_at + after for after in QUIET_LOOKS if now < sent_at + after < window_ends), None)
