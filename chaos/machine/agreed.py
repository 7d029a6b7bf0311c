"""What a drawn subscription is agreed to be: price, term, trial, consent, and what becomes of it unpaid."""

from dataclasses import dataclass

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon
from billing.domain.dunning import DunningPolicy, EndAction
from billing.domain.money import Money
from billing.domain.plans import OnNoConsent, PlanTerms, TrialEnd
from billing.domain.subscription.start import BillingPolicy

PRICE = Money(9900)
_WEEK = Interval(IntervalUnit.DAY, 7)
_MONTH = Interval(IntervalUnit.MONTH)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The terms of one subscription.

    Args:
        trial_days: before the first charge.
        without_card: a trial that begins without a billing key.
        weekly: a period is seven days instead of a month.
        max_cycles: of a fixed term.
        percent_off: of the first period; 100 makes it free.
        consent: asked before a trial ends and before the price rises; `held` keeps the price without it.
        end_action: of a period that stays unpaid, after two retries and a grace of three days; None is the default.
        notice_days: how long before a charge it is announced.
    """

    trial_days: int = 0
    without_card: bool = False
    weekly: bool = False
    max_cycles: int | None = None
    percent_off: int | None = None
    consent: bool = False
    held: bool = False
    end_action: EndAction | None = None
    notice_days: int | None = None

    def plan(self) -> PlanTerms:
        """What it is billed by."""
        return PlanTerms(
            name="이용권",
            price=PRICE,
            interval=_WEEK if self.weekly else _MONTH,
            trial_days=self.trial_days,
            max_cycles=self.max_cycles,
            consent_required=self.consent,
            on_no_consent=OnNoConsent.HOLD_PRICE if self.held else OnNoConsent.END,
            trial_end_without_card=TrialEnd.CANCEL if self.held else TrialEnd.PAUSE,
        )

    def coupon(self) -> Coupon | None:
        """What is taken off its first period."""
        return Coupon(name="환영", percent_off=self.percent_off) if self.percent_off is not None else None

    def policy(self, roll_after_events: int | None) -> BillingPolicy:
        """The timings it lives by."""
        dunning = None
        if self.end_action is not None:
            dunning = DunningPolicy(after_days=(1, 2), grace_days=3, end_action=self.end_action)
        return BillingPolicy(roll_after_events=roll_after_events, dunning=dunning, notice_days=self.notice_days)
