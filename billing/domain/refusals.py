"""Why a command is refused that makes no sense at this moment, and what to do instead: one way out for every code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One stable code with which commands are refused.

    Args:
        code: stable, as the API tells it.
        way: what to do instead, in words that follow the reason.
        status: of the HTTP answer: 409 where the subscription is not there now, 422 where the request itself is wrong,
            503 where neither is, and somebody does not answer.
        field: of the request that is wrong, for 422.
    """

    code: str
    way: str
    status: int = 409
    field: str | None = None

    def told(self, reason: str) -> str:
        """The text of the refusal: the reason, and what to do."""
        return f"{reason}; {self.way}" if self.way else reason


class RefusedError(Exception):
    """A command is refused: nothing was done."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(refusal.told(reason))
        self.refusal = refusal


def need(condition: bool, refusal: Refusal, reason: str) -> None:
    """Refuse where a condition does not hold.

    Raises:
        RefusedError: it does not.
    """
    if not condition:
        raise RefusedError(refusal, reason)


PAY = "have it paid first (POST …/retry, or another card by POST …/payment-method)"
LOOK = "GET /v1/subscriptions/{customer_uid} shows where it stands"

ENDED = Refusal("SubscriptionEnded", "start a new one by POST /v1/subscriptions")
NOT_BEGUN = Refusal("not_begun", "wait for the first charge, or cancel it by POST …/cancel")
OUT_OF_BOUNDS = Refusal("out_of_bounds", "", status=422, field="body")
TOO_FAR_AHEAD = Refusal("too_far_ahead", "give an earlier instant", status=422, field="at")
IN_THE_PAST = Refusal("in_the_past", "give an instant that lies ahead", status=422, field="at")
PARKED = Refusal("parked", "decide that first (GET /v1/parked, POST /v1/parked/{customer_uid})")
TOO_MANY_CHANGES = Refusal(
    "too_many_changes", "wait for the next period, which counts anew, or end this one (POST …/cancel)"
)
CANCEL_IS_SET = Refusal("cancel_is_set", "undo the cancel first, by POST …/undo-cancel")
NO_PAYMENT_METHOD = Refusal("no_payment_method", "bring a card first, by POST …/payment-method")
TERM_ENDS = Refusal("term_ends", "let it end, or change to a plan that goes on, by POST …/change-plan")
ALREADY_PAUSED = Refusal("already_paused", "resume it by POST …/resume")
NOT_ACTIVE = Refusal(
    "not_active",
    "wait until it is active; what is paused takes a change with at: period_end, a trial another end by POST …/trial",
)
CHARGE_OPEN = Refusal("charge_open", f"{LOOK}; ask again when it is known, or end it by POST …/cancel")
CHARGE_RUNNING = Refusal("charge_running", "ask again in a moment")
CHARGE_UNKNOWN = Refusal("charge_unknown", "ask again in a moment")
CHARGE_MISMATCH = Refusal("charge_mismatch", "decide that (GET /v1/parked)")
PORTONE_UNAVAILABLE = Refusal("portone_unavailable", "send the same request again in a moment", status=503)

AT_ANY_TIME = (ENDED, NOT_BEGUN, OUT_OF_BOUNDS, CHARGE_OPEN, CHARGE_UNKNOWN, PORTONE_UNAVAILABLE)
"""What every command may be refused with."""
