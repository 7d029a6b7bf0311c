"""The terms a body names, from the catalogue or given with it, held to what one charge may take."""

from api.dependencies import Desk
from api.errors import Problem
from api.models import PlanBody, SubscriptionBody
from billing.domain.bills import Holding
from billing.domain.bounds import billing_day_fault
from billing.domain.coupons import Coupon
from billing.domain.money import MAX_AMOUNT
from billing.domain.plans import PlanTerms
from billing.domain.takeover import TakeOver


async def terms_of(desk: Desk, plan: PlanBody | None, plan_id: str | None) -> PlanTerms:
    """The terms in the body, or the newest version of the plan it names.

    Raises:
        Problem: 422 when there is no such plan, or its price is more than one charge may take.
    """
    if plan is not None:
        terms = plan.terms()
    else:
        found = await desk.ledger.get_plan(plan_id or "")
        if found is None:
            raise Problem(422, "plan_not_found", "there is no plan with this plan_id", field="plan_id")
        terms = found.terms
    if terms.price.amount > desk.settings.max_amount:
        raise Problem(422, "amount_too_large", f"at most {desk.settings.max_amount}", field="plan.amount")
    return terms


def check_billing_day(body: SubscriptionBody, terms: PlanTerms) -> None:
    """Refuse a billing day that the plan cannot have, or that something else in the body has chosen already.

    Raises:
        Problem: 422 naming `billing_day`.
    """
    if body.billing_day is None:
        return
    fault = billing_day_fault(body.billing_day, terms)
    if body.paid_until is not None:
        fault = "is chosen by paid_until already: the periods are counted from there"
    elif body.take_over is TakeOver.ADOPT:
        fault = "is chosen by adopt already: it begins with what stands on the key, on its own day"
    if fault is not None:
        raise Problem(422, "billing_day", fault, field="billing_day")


def holding_of(desk: Desk, terms: PlanTerms, quantity: int, coupon: Coupon | None) -> Holding:
    """What would be held.

    Raises:
        Problem: 422 when quantity and coupon do not fit the plan.
    """
    if coupon is not None and coupon.amount_off is not None and coupon.amount_off.currency != terms.price.currency:
        raise Problem(422, "invalid_request", f"the plan is in {terms.price.currency}", field="coupon.currency")
    most = min(desk.settings.max_amount, MAX_AMOUNT)
    if terms.price.amount * quantity > most:
        raise Problem(422, "amount_too_large", f"at most {most} for the whole quantity", field="quantity")
    return Holding(terms, quantity, coupon)
