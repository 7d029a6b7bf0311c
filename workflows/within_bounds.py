"""Commands that nothing here could compute with are refused before they are in a history (`billing.domain.bounds`).

The api has refused them already; this is for whoever speaks to Temporal directly. It belongs to the updates' validators
alone: they do not run when a history is replayed, so that a bound may become narrower.
"""

from datetime import datetime

from temporalio.exceptions import ApplicationError

from billing.domain import bounds
from billing.domain.consent import MAX_SHOWN_LENGTH
from billing.domain.customer_uid import is_valid_customer_uid
from billing.domain.subscription.consent_answer import ConsentAnswer
from billing.domain.subscription.start import StartSubscription
from billing.domain.takeover import TakeOver
from workflows.orders import (
    AnswerConsent,
    CancelSubscription,
    ChangePaymentMethod,
    ChangePlan,
    ChangeTrial,
    Decide,
    Order,
    PauseSubscription,
    ResumeSubscription,
    RetryNow,
)

OUT_OF_BOUNDS = "out_of_bounds"

Checked = tuple[str, str | None]
"""A field, and what is wrong with it."""


def check(order: Order, now: datetime) -> None:
    """Refuse a command with a value that lies beyond its bound.

    Raises:
        ApplicationError: `too_far_ahead` for an instant that is only too late, else `out_of_bounds`; field and bound
            are in its words.
    """
    if isinstance(order, PauseSubscription) and order.resumes_at is not None:
        _refuse("resumes_at", bounds.instant_fault(order.resumes_at))
        far = bounds.ahead_fault(order.resumes_at, now, bounds.MAX_PAUSE_DAYS)
        _refuse("resumes_at", far, "too_far_ahead")
    if isinstance(order, ChangeTrial) and order.ends_at is not None:
        _refuse("ends_at", bounds.instant_fault(order.ends_at))
    for field, fault in _faults(order):
        _refuse(field, fault)


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


def _faults(order: Order) -> list[Checked]:
    found: list[Checked] = []
    match order:
        case CancelSubscription() | PauseSubscription():
            found = [("reason", _text(order.reason, bounds.MAX_REASON))]
        case ResumeSubscription() | ChangeTrial():
            found = _of_an_answer(order.consent) if order.consent is not None else []
        case AnswerConsent():
            found = _of_an_answer(order)
        case ChangePlan():
            found = _of_a_change(order)
        case ChangePaymentMethod():
            valid = is_valid_customer_uid(order.customer_uid)
            found = [("customer_uid", None if valid else "is no name of a billing key")]
        case RetryNow():
            found = [("by", _text(order.by, bounds.MAX_WHO))]
        case Decide():
            found = [("by", _text(order.by, bounds.MAX_WHO)), ("reason", _text(order.reason, bounds.MAX_REASON))]
    return found


def _of_an_answer(answer: ConsentAnswer) -> list[Checked]:
    blank = not answer.shown.strip() or not answer.by.strip() or not answer.locale.strip()
    return [
        ("shown", "must not be blank, nor by, nor locale" if blank else None),
        ("shown", bounds.text_fault(answer.shown, MAX_SHOWN_LENGTH, lines=True)),
        ("by", _text(answer.by, bounds.MAX_WHO)),
        ("locale", _text(answer.locale, bounds.MAX_LOCALE)),
        ("ip", _text(answer.ip, bounds.MAX_IP)),
        ("user_agent", _text(answer.user_agent, bounds.MAX_USER_AGENT)),
    ]


def _of_a_change(order: ChangePlan) -> list[Checked]:
    plan = bounds.plan_fault(order.plan) if order.plan is not None else None
    coupon = bounds.coupon_fault(order.coupon) if order.coupon is not None else None
    quantity = ("quantity", bounds.number_fault(order.quantity, 1, bounds.MAX_QUANTITY))
    return [quantity, *(fault for fault in (plan, coupon) if fault is not None)]


def _text(text: str | None, longest: int) -> str | None:
    return None if text is None else bounds.text_fault(text, longest)


def _refuse(field: str, fault: str | None, code: str = OUT_OF_BOUNDS) -> None:
    if fault is not None:
        raise ApplicationError(f"{field} {fault}", type=code, non_retryable=True)
