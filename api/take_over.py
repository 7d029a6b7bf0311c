"""What a start may say of a key that something else charges, and of a payer who has paid elsewhere."""

from datetime import datetime, timedelta

from api.errors import Problem
from api.models import SubscriptionBody
from billing.domain.plans import MAX_TRIAL_DAYS, PlanTerms
from billing.domain.takeover import TakeOver


def check_take_over(body: SubscriptionBody, terms: PlanTerms, now: datetime) -> None:
    """Refuse what contradicts itself, before anything is asked or begun.

    Raises:
        Problem: 422 naming `paid_until` or `take_over`.
    """
    if body.paid_until is not None:
        _check_paid_until(body, body.paid_until, now)
    if body.take_over is TakeOver.REFUSE:
        return
    if body.payment_method is None or body.payment_method.billing_key is None:
        detail = "says what is made of what stands on a billing key that was already issued: give billing_key: true"
        raise Problem(422, "take_over", detail, field="take_over")
    dated = body.paid_until is not None or body.trial_end is not None or terms.trial_days > 0
    if body.take_over is TakeOver.ADOPT and dated:
        detail = "adopt begins with what stands on the key, on its own day: not with a trial or paid_until"
        raise Problem(422, "take_over", detail, field="take_over")


def _check_paid_until(body: SubscriptionBody, paid_until: datetime, now: datetime) -> None:
    if not now < paid_until < now + timedelta(days=MAX_TRIAL_DAYS):
        detail = f"must lie ahead, at most {MAX_TRIAL_DAYS} days"
        raise Problem(422, "paid_until", detail, field="paid_until")
    if body.trial_end is not None:
        raise Problem(422, "paid_until", "has no trial: give paid_until or trial_end", field="paid_until")
    if body.payment_method is None:
        raise Problem(422, "no_payment_method", "is required where a charge follows", field="payment_method")
