"""What a start may not carry, told before anything of it is done.

The api has refused it already; this is for whoever speaks to Temporal directly.
"""

from temporalio.exceptions import ApplicationError

from billing.domain import bounds
from billing.domain.refusals import OUT_OF_BOUNDS
from billing.domain.subscription.start import StartSubscription
from billing.domain.takeover import TakeOver


def check_start(start: StartSubscription) -> None:
    """Refuse a start whose trial ends beyond every calendar, or whose billing day cannot be one.

    Raises:
        ApplicationError: `out_of_bounds`, which ends the run at once.
    """
    if start.trial_ends_at is not None:
        _refuse("trial_ends_at", bounds.instant_fault(start.trial_ends_at))
    if start.billing_day is not None:
        fault = bounds.billing_day_fault(start.billing_day, start.plan)
        dated = start.paid_until is not None or start.take_over is TakeOver.ADOPT
        _refuse("billing_day", fault or ("is given already by paid_until or adopt" if dated else None))


def _refuse(field: str, fault: str | None) -> None:
    if fault is not None:
        raise ApplicationError(f"{field} {fault}", type=OUT_OF_BOUNDS.code, non_retryable=True)
