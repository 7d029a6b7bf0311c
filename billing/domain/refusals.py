"""Why an order is refused that makes no sense at this moment, and what to do instead: one way out for every code."""

from collections.abc import Mapping
from types import MappingProxyType

_PAY = "have it paid first (POST …/retry, or another card by POST …/payment-method)"
_LOOK = "GET /v1/subscriptions/{customer_uid} shows where it stands"

WAYS: Mapping[str, str] = MappingProxyType(
    {
        "SubscriptionEnded": "start a new one by POST /v1/subscriptions",
        "already_decided": "GET /v1/parked shows what stands",
        "already_paused": "resume it by POST …/resume",
        "before_the_pause": "give a later resumes_at, or pause with at: now",
        "cancel_is_set": "undo the cancel first, by POST …/undo-cancel",
        "change_unpaid": f"{_PAY}, or take that change back (DELETE …/pending-change)",
        "charge_mismatch": "decide that (GET /v1/parked)",
        "charge_open": f"{_LOOK}; ask again when it is known, or end it by POST …/cancel",
        "charge_running": "ask again in a moment",
        "consent_answered": "a refusal may be thought better of; what was granted is taken back by POST …/cancel",
        "consent_needed": "end it with consent, or give ends_at, and the buyer is asked",
        "consent_not_asked": "consent.requested says when it is",
        "consent_refused": "leave it paused, or cancel it by POST …/cancel",
        "currency_changed": "start a new subscription in the other currency, and cancel this one",
        "currency_differs": "let it go back instead (refund), or end it (end)",
        "does_not_fit": "change plan, quantity and coupon together, so that they fit",
        "hard_declined": "bring another card by POST …/payment-method; it is charged at once",
        "in_the_past": "give an instant that lies ahead",
        "no_attempt_planned": f"{_PAY}: the change is part of what is owed",
        "no_payment": "look at PortOne's console, and take another decision",
        "no_payment_method": "bring a card first, by POST …/payment-method",
        "no_pending_change": f"{_LOOK}: pending_change is what would be taken back",
        "not_active": "wait until it is active; what is paused takes a change with at: period_end, a trial another "
        "end by POST …/trial",
        "not_allowed": "take one of these decisions",
        "not_begun": "wait for the first charge, or cancel it by POST …/cancel",
        "not_canceled": f"{_LOOK}: cancel_at_period_end is what would be undone",
        "not_paused": f"{_LOOK}; to pause it is POST …/pause",
        "not_trialing": f"{_LOOK}; another plan or price comes by POST …/change-plan",
        "nothing_parked": "GET /v1/parked shows what stands",
        "nothing_to_retry": f"{_LOOK}: the next charge is made by itself on its day",
        "parked": "decide that first (GET /v1/parked, POST /v1/parked/{customer_uid})",
        "pause_unpaid": f"{_PAY}, or cancel it by POST …/cancel",
        "portone_unavailable": "send the same request again in a moment",
        "period_unpaid": f"{_PAY}, or change with the period after it (at: period_end)",
        "same_billing_key": "bring another card, or POST …/retry to charge this one",
        "several_parked": "name the parked_id (GET /v1/parked)",
        "term_ends": "let it end, or change to a plan that goes on, by POST …/change-plan",
        "term_is_over": "take a plan with more periods, or without max_cycles",
        "too_far_ahead": "give an earlier instant",
        "too_many_changes": "wait for the next period, which counts anew, or end this one (POST …/cancel)",
    }
)
"""What to do where an order is refused with this code, in words that follow the reason."""


def told(code: str, reason: str) -> str:
    """The text of a refusal: the reason, and what to do.

    Raises:
        KeyError: a code without a way out: a defect of the caller.
    """
    return f"{reason}; {WAYS[code]}"
