"""The two state machines as tables (design section 3); the workflow only walks them."""

from collections.abc import Mapping
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


class IllegalTransitionError(ValueError):
    """A step that the table does not have: a defect of the caller, never of the data."""


_S = SubscriptionStatus
SUBSCRIPTION_TRANSITIONS: Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]] = MappingProxyType(
    {
        _S.INCOMPLETE: frozenset({_S.TRIALING, _S.ACTIVE, _S.INCOMPLETE_EXPIRED}),
        _S.TRIALING: frozenset({_S.ACTIVE, _S.PAST_DUE, _S.CANCELED}),
        _S.ACTIVE: frozenset({_S.PAST_DUE, _S.PAUSED, _S.CANCELED, _S.EXPIRED}),
        _S.PAST_DUE: frozenset({_S.ACTIVE, _S.UNPAID, _S.CANCELED}),
        _S.UNPAID: frozenset({_S.ACTIVE, _S.CANCELED}),
        _S.PAUSED: frozenset({_S.ACTIVE, _S.CANCELED}),
        _S.CANCELED: frozenset(),
        _S.EXPIRED: frozenset(),
        _S.INCOMPLETE_EXPIRED: frozenset(),
    }
)

ENDED: frozenset[SubscriptionStatus] = frozenset({_S.CANCELED, _S.EXPIRED, _S.INCOMPLETE_EXPIRED})
"""Statuses without a way out; the workflow completes in one of them."""

_C = CycleState
# What a look-up can find at any time after the order number may have left this process.
_FOUND = frozenset({_C.PAID, _C.DECLINED, _C.REVOKED, _C.UNKNOWN, _C.MISMATCH, _C.NOT_EXECUTED})

CYCLE_TRANSITIONS: Mapping[CycleState, frozenset[CycleState]] = MappingProxyType(
    {
        # Straight to VERIFYING is the charge that is made now with `again`, without a schedule.
        _C.PLANNED: frozenset({_C.GATED, _C.REGISTERING, _C.DUE, _C.VERIFYING, _C.SKIPPED, _C.REVOKED}),
        _C.GATED: frozenset({_C.REGISTERING, _C.DUE, _C.VERIFYING, _C.SKIPPED, _C.REVOKED}),
        # SKIPPED: the start ends here, since the card that should have been registered with it was refused.
        _C.REGISTERING: frozenset({_C.REGISTERED, _C.DUE, _C.VERIFYING, _C.SKIPPED}) | _FOUND,
        _C.REGISTERED: frozenset({_C.DUE, _C.VERIFYING}) | _FOUND,
        _C.DUE: frozenset({_C.VERIFYING, _C.SKIPPED}) | _FOUND,
        # Back to DUE or REGISTERED: PortOne has not executed yet, wait for the bell or the next look.
        _C.VERIFYING: frozenset({_C.DUE, _C.REGISTERED}) | _FOUND,
        _C.UNKNOWN: frozenset({_C.VERIFYING, _C.DUE}) | (_FOUND - {_C.UNKNOWN}),
        # A person decided: what was found is accepted, refunded, or looked at again.
        _C.MISMATCH: frozenset({_C.VERIFYING, _C.REFUNDED, _C.SKIPPED}) | (_FOUND - {_C.MISMATCH, _C.NOT_EXECUTED}),
        # These three may be tried again under the same number, and may turn out to be paid late.
        _C.DECLINED: frozenset({_C.REGISTERING, _C.REGISTERED, _C.DUE, _C.VERIFYING, _C.SKIPPED, _C.LATE_PAID})
        | (_FOUND - {_C.DECLINED}),
        _C.REVOKED: frozenset({_C.REGISTERING, _C.DUE, _C.VERIFYING, _C.SKIPPED, _C.LATE_PAID})
        | (_FOUND - {_C.REVOKED, _C.NOT_EXECUTED}),
        _C.NOT_EXECUTED: frozenset({_C.REGISTERING, _C.DUE, _C.VERIFYING, _C.SKIPPED, _C.LATE_PAID})
        | (_FOUND - {_C.NOT_EXECUTED}),
        _C.SKIPPED: frozenset({_C.LATE_PAID}),
        _C.LATE_PAID: frozenset({_C.REFUNDED, _C.REOPENED}),
        _C.REOPENED: frozenset({_C.PAID, _C.REFUNDED}),
        # Money that goes back behind our back is a MISMATCH, money that we send back is REFUNDED.
        _C.PAID: frozenset({_C.REFUNDED, _C.MISMATCH}),
        _C.REFUNDED: frozenset(),
    }
)

_State = TypeVar("_State", bound=StrEnum)


def walk(table: Mapping[_State, frozenset[_State]], current: _State, target: _State) -> _State:
    """The target, when the table allows the step or it is no step at all.

    Raises:
        IllegalTransitionError: the table has no such step.
    """
    if target is not current and target not in table[current]:
        raise IllegalTransitionError(f"{type(current).__name__}: no step from {current} to {target}")
    return target
