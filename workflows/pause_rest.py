"""What of a paid period a pause has left to use up."""

from datetime import datetime
from typing import TYPE_CHECKING

from workflows.orders import ResumeAnchor

if TYPE_CHECKING:
    from workflows.subscription_run import SubscriptionRun


def possible_anchor(run: "SubscriptionRun", wanted: ResumeAnchor) -> ResumeAnchor:
    """The old billing day has no meaning for a plan of another interval that is to begin with the next period."""
    held, coming = run.plan, run.holding().terms
    same_calendar = (held.interval, held.zone) == (coming.interval, coming.zone)
    return wanted if same_calendar else ResumeAnchor.NEW


def has_rest(run: "SubscriptionRun", wanted: ResumeAnchor, at: datetime) -> bool:
    """Whether a pause that ends at `at` leaves paid time to use up before anything is charged."""
    paused_at, period_end = run.state.paused_at, run.state.period_end
    if paused_at is None or period_end is None or paused_at >= period_end:
        return False
    return possible_anchor(run, wanted) is ResumeAnchor.NEW or at < period_end
