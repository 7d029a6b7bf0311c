"""The state machines, as tables that the workflows walk (design section 3)."""

from collections.abc import Mapping
from enum import StrEnum
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
    """Where one due period stands; every period is paid or in a named state that says why not."""

    PLANNED = "planned"
    GATED = "gated"
    REGISTERING = "registering"
    REGISTERED = "registered"
    DUE = "due"
    VERIFYING = "verifying"
    PAID = "paid"
    DECLINED = "declined"
    SKIPPED = "skipped"
    NOT_EXECUTED = "not_executed"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    MISMATCH = "mismatch"
    LATE_PAID = "late_paid"
    REFUNDED = "refunded"
    REOPENED = "reopened"


_S = SubscriptionStatus
_C = CycleState

SUBSCRIPTION_TRANSITIONS: Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]] = {
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

ENDED = frozenset(status for status, targets in SUBSCRIPTION_TRANSITIONS.items() if not targets)

# What a look-up can find at any time after the order number may have left this process.
_FOUND = frozenset({_C.PAID, _C.DECLINED, _C.REVOKED, _C.UNKNOWN, _C.MISMATCH, _C.NOT_EXECUTED})

CYCLE_TRANSITIONS: Mapping[CycleState, frozenset[CycleState]] = {
    _C.PLANNED: frozenset({_C.GATED, _C.REGISTERING, _C.VERIFYING, _C.SKIPPED, _C.REVOKED}),
    _C.GATED: frozenset({_C.REGISTERING, _C.SKIPPED, _C.REVOKED}),
    _C.REGISTERING: frozenset({_C.REGISTERED}) | _FOUND,
    _C.REGISTERED: frozenset({_C.DUE, _C.VERIFYING}) | _FOUND,
    _C.DUE: frozenset({_C.VERIFYING}) | _FOUND,
    _C.VERIFYING: frozenset({_C.DUE, _C.REGISTERED}) | _FOUND,
    _C.DECLINED: frozenset({_C.REGISTERING, _C.REGISTERED, _C.VERIFYING, _C.REVOKED, _C.LATE_PAID, _C.PAID}),
    _C.UNKNOWN: frozenset({_C.VERIFYING, _C.DUE}) | _FOUND,
    _C.MISMATCH: frozenset({_C.VERIFYING, _C.PAID, _C.DECLINED, _C.REFUNDED, _C.REVOKED}),
    _C.REVOKED: frozenset({_C.REGISTERING, _C.VERIFYING, _C.PAID, _C.LATE_PAID, _C.MISMATCH}),
    _C.NOT_EXECUTED: frozenset({_C.REGISTERING, _C.VERIFYING, _C.LATE_PAID, _C.PAID}),
    _C.PAID: frozenset({_C.REFUNDED, _C.MISMATCH}),
    _C.LATE_PAID: frozenset({_C.REFUNDED, _C.REOPENED}),
    _C.REOPENED: frozenset({_C.PAID}),
    _C.SKIPPED: frozenset(),
    _C.REFUNDED: frozenset(),
}

State = TypeVar("State", bound=StrEnum)


class IllegalTransitionError(Exception):
    """The table has no such step: a bug in the code that walks it, never a business outcome."""


def walk(table: Mapping[State, frozenset[State]], current: State, target: State) -> State:
    """`target`, when the table leads there from `current`; staying where one is always may be.

    Raises:
        IllegalTransitionError: the table has no such step.
    """
    if target is not current and target not in table[current]:
        raise IllegalTransitionError(f"{current.value} does not lead to {target.value}")
    return target
