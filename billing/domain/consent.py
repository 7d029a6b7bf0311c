"""Consent to paying after a free period, or to paying more: what must be asked, when, and what counts as an answer.

Korean E-Commerce Act art. 13(6), in force since 2025-02-14: within the 30 days before a recurring charge rises, or a
free supply becomes a paid one, the seller obtains the consumer's consent to the date, the price before and after and
the payment method (anchors/billing.md section 4, facts.md 9.2). Consent taken at sign-up, silence and a closed pop-up
are none. Not legal advice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.instants import require_utc
from billing.domain.money import Money
from billing.domain.plans import OnNoConsent, PlanTerms
from billing.domain.states import ConsentState

__all__ = [
    "ConsentDecision",
    "ConsentEvidence",
    "ConsentKind",
    "ConsentNeed",
    "ConsentState",
    "need_for",
    "state_at",
    "without_consent",
]

WINDOW_DAYS = 30
MAX_SHOWN_LENGTH = 10_000


class ConsentKind(StrEnum):
    """What consent is needed for: a free supply that becomes a paid one, or a higher charge."""

    TRIAL_END = "trial_end"
    PRICE_RISE = "price_rise"


class ConsentDecision(StrEnum):
    """What the customer answered, explicitly; no answer is not one of them."""

    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ConsentNeed:
    """What the customer has to agree to; consent to it is none to anything that differs in one of its fields.

    Args:
        kind: of the rise.
        amount_before: of the last period, 0 for a free one.
        amount_after: of the period from `effective_at` on, more than before.
        effective_at: UTC, when the higher amount is charged.
        payment_method: for people, "Shinhan ****1234".

    Raises:
        ValueError: no rise, two currencies, or an instant that is not UTC.
    """

    kind: ConsentKind
    amount_before: Money
    amount_after: Money
    effective_at: datetime
    payment_method: str

    def __post_init__(self) -> None:
        require_utc("effective_at", self.effective_at)
        if (self.amount_after - self.amount_before).amount <= 0:
            raise ValueError(f"{self.amount_before} to {self.amount_after} is no rise")

    @property
    def opens_at(self) -> datetime:
        """The UTC instant from which on an answer counts: 30 days before."""
        return self.effective_at - timedelta(days=WINDOW_DAYS)

    @property
    def lapses_at(self) -> datetime:
        """The UTC instant from which on no answer counts any more: the charge itself."""
        return self.effective_at

    def in_window(self, at: datetime) -> bool:
        """True for an instant at which an answer counts.

        Raises:
            ValueError: `at` is not UTC.
        """
        require_utc("at", at)
        return self.opens_at <= at < self.lapses_at


@dataclass(frozen=True, slots=True)
class ConsentEvidence:
    """An explicit answer, and all that is needed to prove it later.

    Args:
        shown: the text that stood before the customer, whole, up to 10,000 characters.
        decision: what they answered.
        by: who answered, as the caller knows them.
        at: UTC, when.
        locale: of the text, "ko-KR".
        ip: where the answer came from, if known.
        user_agent: with what, if known.

    Raises:
        ValueError: an empty or overlong text, nobody who answered, or an instant that is not UTC.
    """

    shown: str
    decision: ConsentDecision
    by: str
    at: datetime
    locale: str
    ip: str | None = None
    user_agent: str | None = None

    def __post_init__(self) -> None:
        require_utc("at", self.at)
        if not self.shown.strip() or len(self.shown) > MAX_SHOWN_LENGTH:
            raise ValueError(f"shown must be 1 to {MAX_SHOWN_LENGTH} characters of what the customer saw")
        for name, value in (("by", self.by), ("locale", self.locale)):
            if not value.strip():
                raise ValueError(f"{name} must not be empty")


def need_for(
    terms: PlanTerms, before: Money | None, after: Money, effective_at: datetime, payment_method: str
) -> ConsentNeed | None:
    """What must be agreed to before `after` may be charged; None when nothing must.

    Any amount higher than the last one is a rise, the end of a coupon included (the regulator's definition is "higher
    than what the customer paid before"; whether a coupon's end is meant is open, so it is gated).

    Args:
        terms: whose `consent_required` decides whether the gate is there at all.
        before: the price of the last whole period after its coupon (`Holding.value`), 0 for a free or trial period;
            None before the first period, whose price the customer agrees to by subscribing. Credit carried in does not
            lower it.
        after: the price of the whole period that begins at `effective_at`, taken likewise.
        effective_at: UTC.
        payment_method: for people.

    Raises:
        ValueError: two currencies, or an instant that is not UTC.
    """
    require_utc("effective_at", effective_at)
    if not terms.consent_required or before is None or (after - before).amount <= 0:
        return None
    kind = ConsentKind.TRIAL_END if before.amount == 0 else ConsentKind.PRICE_RISE
    return ConsentNeed(kind, before, after, effective_at, payment_method)


def state_at(need: ConsentNeed | None, answer: ConsentEvidence | None, at: datetime) -> ConsentState:
    """Where consent to `need` stands at `at`, given the last answer to exactly this need.

    An answer outside the window is no answer. One inside it stays what it was when the day has come.

    Raises:
        ValueError: `at` is not UTC.
    """
    require_utc("at", at)
    if need is None:
        return ConsentState.NOT_NEEDED
    if answer is not None and need.in_window(answer.at):
        return ConsentState(answer.decision.value)
    if at < need.opens_at:
        return ConsentState.WINDOW_CLOSED
    return ConsentState.ASKED if at < need.lapses_at else ConsentState.LAPSED


def without_consent(terms: PlanTerms, need: ConsentNeed) -> OnNoConsent:
    """What happens when consent was refused or has lapsed: the plan's policy, but a free period holds no price."""
    return OnNoConsent.END if need.kind is ConsentKind.TRIAL_END else terms.on_no_consent
