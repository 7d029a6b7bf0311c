"""The state machines as tables (design section 3), each step with its reason; the workflow only walks them.

docs/reference/states.md is written from here.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar


class SubscriptionStatus(StrEnum):
    """Where a subscription stands, in Stripe's names."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"
    EXPIRED = "expired"
    INCOMPLETE_EXPIRED = "incomplete_expired"


class CycleState(StrEnum):
    """Where one billing period stands; every due period is PAID or in a state that says why not."""

    PLANNED = "planned"
    GATED = "gated"
    REGISTERING = "registering"
    REGISTERED = "registered"
    DUE = "due"
    VERIFYING = "verifying"
    PAID = "paid"
    DECLINED = "declined"
    SKIPPED = "skipped"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    MISMATCH = "mismatch"
    LATE_PAID = "late_paid"
    REFUNDED = "refunded"
    REOPENED = "reopened"
    NOT_EXECUTED = "not_executed"


class DunningState(StrEnum):
    """Where the dunning of one period stands.

    RETRYING and GRACE still have access, with and without another attempt planned; SUSPENDED has none, and its retries
    go on; ENDED is what the policy's end action was due for.
    """

    CLEAR = "clear"
    RETRYING = "retrying"
    GRACE = "grace"
    SUSPENDED = "suspended"
    ENDED = "ended"


class ConsentState(StrEnum):
    """Where the customer's consent to one trial end or one higher charge stands (anchors/billing.md section 4)."""

    NOT_NEEDED = "not_needed"
    WINDOW_CLOSED = "window_closed"
    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    LAPSED = "lapsed"


class BoundaryAction(StrEnum):
    """What happens where one period ends and the next would begin."""

    CANCEL = "cancel"
    PAUSE = "pause"
    CHANGE = "change"
    RENEW = "renew"


class IllegalTransitionError(ValueError):
    """A step that the table does not have: a defect of the caller, never of the data."""


_State = TypeVar("_State", bound=StrEnum)
Steps = Mapping[tuple[_State, _State], str]
Transitions = Mapping[_State, frozenset[_State]]
_Rows = Iterable[tuple[_State | tuple[_State, ...], _State | tuple[_State, ...], str]]


def _steps(rows: _Rows[_State]) -> Steps[_State]:
    """Every step of the rows by (from, to); a state alone or several, and one reason for all of a row."""
    steps: dict[tuple[_State, _State], str] = {}
    for froms, targets, when in rows:
        for current in froms if isinstance(froms, tuple) else (froms,):
            for target in targets if isinstance(targets, tuple) else (targets,):
                if steps.setdefault((current, target), when) != when:
                    raise ValueError(f"two reasons for {current} to {target}")
    return MappingProxyType(steps)


def _transitions(states: type[_State], steps: Steps[_State]) -> Transitions[_State]:
    table = {state: frozenset(target for current, target in steps if current is state) for state in states}
    return MappingProxyType(table)


_S = SubscriptionStatus
SUBSCRIPTION_STEPS: Steps[SubscriptionStatus] = _steps(
    (
        (_S.INCOMPLETE, _S.TRIALING, "the card was accepted, or is not needed yet, and the trial begins"),
        (_S.INCOMPLETE, _S.ACTIVE, "the first charge is paid, or the first period is free"),
        (_S.INCOMPLETE, _S.INCOMPLETE_EXPIRED, "the card or the first charge was refused, or it was canceled before"),
        (_S.TRIALING, _S.ACTIVE, "the trial is over, or ended early, and its first charge is paid"),
        (_S.TRIALING, _S.PAST_DUE, "the trial is over and its first charge was declined"),
        (_S.TRIALING, _S.PAUSED, "the trial is over and there is no payment method"),
        (_S.TRIALING, _S.CANCELED, "canceled; or the trial is over without the card or the consent that it needs"),
        (_S.ACTIVE, _S.PAST_DUE, "a renewal was declined"),
        (_S.ACTIVE, _S.PAUSED, "paused, now or with its period; or a period costs, and there is no payment method"),
        (_S.ACTIVE, _S.CANCELED, "canceled, now or at the end of the paid period, or consent is missing"),
        ((_S.ACTIVE, _S.PAST_DUE, _S.PAUSED), _S.EXPIRED, "the fixed term is over"),
        (_S.PAST_DUE, _S.ACTIVE, "a retry, another card or a late approval paid the period"),
        (_S.PAST_DUE, _S.UNPAID, "dunning ended and the policy keeps the subscription without access"),
        (_S.PAST_DUE, _S.CANCELED, "dunning ended and the policy cancels, or it was canceled meanwhile"),
        (_S.UNPAID, _S.ACTIVE, "the open period was paid by hand, with another card or by a late approval"),
        (_S.UNPAID, _S.CANCELED, "canceled"),
        (_S.PAUSED, _S.ACTIVE, "resumed, and what was due is paid"),
        (_S.PAUSED, _S.PAST_DUE, "resumed by its date, and the charge was declined; by hand it stays paused instead"),
        (_S.PAUSED, _S.CANCELED, "canceled while paused"),
    )
)
"""(from, to): when. By hand, a resume whose charge is declined is refused in the same answer and changes nothing; at
`resumes_at` nobody is there to be told, so dunning begins."""

SUBSCRIPTION_TRANSITIONS: Transitions[SubscriptionStatus] = _transitions(_S, SUBSCRIPTION_STEPS)

ENDED: frozenset[SubscriptionStatus] = frozenset({_S.CANCELED, _S.EXPIRED, _S.INCOMPLETE_EXPIRED})
"""Statuses without a way out; the workflow completes in one of them."""

_C = CycleState
# States in which the order number may have left this process, so that a look-up can find anything.
_OPEN = (_C.REGISTERING, _C.REGISTERED, _C.DUE, _C.VERIFYING)
# States that may be tried again under the same number, and may turn out to be paid late.
_UNPAID = (_C.DECLINED, _C.REVOKED, _C.NOT_EXECUTED)
_SETTLED_BY_A_PERSON = (_C.UNKNOWN, _C.MISMATCH)

CYCLE_STEPS: Steps[CycleState] = _steps(
    (
        (_C.PLANNED, _C.GATED, "consent or a later date is needed before anything may be registered"),
        ((_C.PLANNED, _C.GATED), _C.REGISTERING, "within the horizon, and nothing is in the way: register at PortOne"),
        ((_C.PLANNED, _C.GATED), _C.DUE, "we charge it ourselves on its day"),
        ((_C.PLANNED, _C.GATED), _C.VERIFYING, "charged now, without a schedule"),
        ((_C.PLANNED, _C.GATED), _C.SKIPPED, "nothing to pay, or the subscription ended or paused first"),
        ((_C.PLANNED, _C.GATED), _C.REVOKED, "canceled or paused before it was registered"),
        (_C.REGISTERING, _C.REGISTERED, "PortOne has the schedule"),
        (_C.REGISTERING, _C.DUE, "PortOne refused the schedule: we charge it on its day"),
        (_C.REGISTERED, _C.DUE, "its day has come"),
        (_C.VERIFYING, (_C.DUE, _C.REGISTERED), "PortOne has not executed it yet"),
        ((_C.REGISTERING, _C.REGISTERED, _C.DUE), _C.VERIFYING, "a bell or the deadline: look it up"),
        (_C.REGISTERING, _C.SKIPPED, "the card that should have been registered with it was refused"),
        (_C.DUE, _C.SKIPPED, "the subscription ended before we charged it"),
        (_OPEN, _C.PAID, "exactly one paid row, right in every field"),
        (_OPEN, _C.DECLINED, "the PG refused it"),
        (_OPEN, _C.REVOKED, "the schedule was taken back, here or in PortOne's console"),
        (_OPEN, _C.UNKNOWN, "the answer is lost and no look-up proves one or the other"),
        (_OPEN, _C.MISMATCH, "paid, but not as ordered, or more than once"),
        (_OPEN, _C.NOT_EXECUTED, "PortOne proves that it did nothing"),
        (_SETTLED_BY_A_PERSON, _C.VERIFYING, "looked at again"),
        (_C.UNKNOWN, _C.DUE, "not executed yet after all: it waits again"),
        (_SETTLED_BY_A_PERSON, _C.PAID, "found or decided to be paid"),
        (_SETTLED_BY_A_PERSON, _C.DECLINED, "found or decided to be refused"),
        (_SETTLED_BY_A_PERSON, _C.REVOKED, "found to be taken back"),
        (_SETTLED_BY_A_PERSON, _C.SKIPPED, "a person decided to let the period go"),
        (_C.UNKNOWN, _C.MISMATCH, "found paid, but not as ordered"),
        (_C.UNKNOWN, _C.NOT_EXECUTED, "absent behind the quiet window, often enough"),
        (_C.MISMATCH, _C.UNKNOWN, "what was found is not there any more"),
        (_C.MISMATCH, _C.REFUNDED, "what was paid wrongly was given back"),
        (_UNPAID, _C.REGISTERING, "tried again through a schedule"),
        (_C.DECLINED, _C.REGISTERED, "PortOne moved the schedule to the next attempt"),
        (_C.REVOKED, _C.GATED, "planned anew, and consent is needed first"),
        (_UNPAID, _C.DUE, "the next attempt is ours"),
        (_UNPAID, _C.VERIFYING, "tried again now, or a bell rang"),
        (_UNPAID, _C.SKIPPED, "given up: the subscription ended, paused or goes on without it"),
        (_UNPAID, _C.PAID, "the next attempt, or somebody in the console, was faster"),
        ((_C.REVOKED, _C.NOT_EXECUTED), _C.DECLINED, "a later attempt was refused"),
        ((_C.DECLINED, _C.NOT_EXECUTED), _C.REVOKED, "the next attempt was taken back"),
        (_UNPAID, _C.UNKNOWN, "the next attempt's answer is lost"),
        (_UNPAID, _C.MISMATCH, "the next attempt was paid, but not as ordered"),
        (_C.DECLINED, _C.NOT_EXECUTED, "PortOne proves that the next attempt did nothing"),
        ((*_UNPAID, _C.SKIPPED), _C.LATE_PAID, "approved after it was given up"),
        (_C.LATE_PAID, _C.REFUNDED, "not ours to keep: given back under checksum"),
        (_C.LATE_PAID, _C.REOPENED, "the period is still open: it counts"),
        (_C.REOPENED, _C.PAID, "booked"),
        (_C.REOPENED, _C.REFUNDED, "given back"),
        (_C.PAID, _C.REFUNDED, "given back by us"),
        (_C.PAID, _C.MISMATCH, "given back behind our back, or a second paid row"),
    )
)
"""(from, to): when."""

CYCLE_TRANSITIONS: Transitions[CycleState] = _transitions(_C, CYCLE_STEPS)

_D = DunningState
DUNNING_STEPS: Steps[DunningState] = _steps(
    (
        (_D.CLEAR, _D.RETRYING, "a soft decline: the next attempt is planned"),
        (_D.CLEAR, _D.GRACE, "a hard decline, or no retries: it waits for another card"),
        ((_D.CLEAR, _D.RETRYING, _D.GRACE), _D.SUSPENDED, "the grace is over: access ends, retries go on"),
        ((_D.CLEAR, _D.RETRYING, _D.GRACE), _D.ENDED, "no attempt is to come: the time is up, or it has ended"),
        (_D.RETRYING, _D.GRACE, "the last planned attempt was declined, or one of them hard"),
        (_D.GRACE, _D.RETRYING, "another card, or the card's budget, allows the next attempt"),
        (_D.SUSPENDED, _D.ENDED, "no attempt is to come: the end action, or it has ended"),
        ((_D.RETRYING, _D.GRACE, _D.SUSPENDED), _D.CLEAR, "the period is paid"),
        (_D.ENDED, _D.SUSPENDED, "another card brings one more attempt; access stays away until it is paid"),
        (_D.ENDED, _D.CLEAR, "paid after the end action: by hand, with another card or late"),
    )
)
"""(from, to): when. Retries and access are counted apart: SUSPENDED says nothing of whether an attempt is planned."""

DUNNING_TRANSITIONS: Transitions[DunningState] = _transitions(_D, DUNNING_STEPS)

_N = ConsentState
_ANSWERED = (_N.GRANTED, _N.REFUSED, _N.LAPSED)

CONSENT_STEPS: Steps[ConsentState] = _steps(
    (
        (_N.NOT_NEEDED, _N.WINDOW_CLOSED, "a trial end or a higher charge is planned, more than 30 days ahead"),
        (_N.NOT_NEEDED, _N.ASKED, "one is planned within the next 30 days: asked at once"),
        (_N.WINDOW_CLOSED, _N.ASKED, "30 days are left: the customer is asked"),
        (_N.ASKED, _N.GRANTED, "the customer agreed explicitly, and what was shown is kept"),
        (_N.ASKED, _N.REFUSED, "the customer said no"),
        ((_N.WINDOW_CLOSED, _N.ASKED), _N.LAPSED, "the day came without an answer, which is no consent"),
        (_N.REFUSED, _N.GRANTED, "the customer agreed after all, before the day"),
        ((_N.WINDOW_CLOSED, _N.ASKED), _N.NOT_NEEDED, "the higher charge was withdrawn"),
        (_ANSWERED, _N.NOT_NEEDED, "the day is over: charged, held at the old price, or withdrawn"),
        ((_N.ASKED, *_ANSWERED), _N.WINDOW_CLOSED, "amount, date or payment method changed, and the day is far again"),
        (_ANSWERED, _N.ASKED, "amount, date or payment method changed: the answer was to something else"),
    )
)
"""(from, to): when. Consent that was granted is taken back by canceling."""

CONSENT_TRANSITIONS: Transitions[ConsentState] = _transitions(_N, CONSENT_STEPS)

BOUNDARY_PRECEDENCE: tuple[BoundaryAction, ...] = (
    BoundaryAction.CANCEL,
    BoundaryAction.PAUSE,
    BoundaryAction.CHANGE,
    BoundaryAction.RENEW,
)
"""What wins at a boundary, the strongest first."""


def at_boundary(*, cancel: bool = False, pause: bool = False, change: bool = False) -> BoundaryAction:
    """What happens at the boundary, of all that is planned for it; with nothing planned it renews.

    A change that loses to a pause waits for the resume; what loses to a cancel is void.
    """
    planned = {
        BoundaryAction.CANCEL: cancel,
        BoundaryAction.PAUSE: pause,
        BoundaryAction.CHANGE: change,
        BoundaryAction.RENEW: True,
    }
    return next(action for action in BOUNDARY_PRECEDENCE if planned[action])


def walk(table: Transitions[_State], current: _State, target: _State) -> _State:
    """The target, when the table allows the step or it is no step at all.

    Raises:
        IllegalTransitionError: the table has no such step.
    """
    if target is not current and target not in table[current]:
        raise IllegalTransitionError(f"{type(current).__name__}: no step from {current} to {target}")
    return target
