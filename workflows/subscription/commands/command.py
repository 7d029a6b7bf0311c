"""What a command is: all that handler, loop, route and docs need to know of it, in one value."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from billing.domain.events import EventType
from billing.domain.merchant_uid import MAX_GENERATION
from billing.domain.message import Message
from billing.domain.refusals import AT_ANY_TIME, OUT_OF_BOUNDS, PARKED, TOO_MANY_CHANGES, Refusal, RefusedError, need
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.subscription.answers import CancelAnswered, OrderAnswered
from billing.domain.subscription.recording import Recording
from billing.domain.subscription.subscription import Subscription

OWING = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})
MOST_RENUMBERINGS = MAX_GENERATION - 10
"""A period has so many order numbers: a command that needs another one is refused before they run out, and dunning
that needs one plans no further attempt."""

Answer = OrderAnswered | CancelAnswered
Fault = tuple[str, str | None]
"""A field, and what is wrong with it."""

M = TypeVar("M", bound=Message)


def _nothing(_message: Any) -> Iterable[Fault]:
    return ()


def _never(_subscription: Subscription) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Command(Generic[M]):
    """One thing that a person or the API may tell a running subscription to do.

    Args:
        name: of its update.
        path: of its route, under /v1/subscriptions/{customer_uid}.
        summary: what it does, in a sentence.
        message: what it carries.
        guard: whether it makes sense at this moment; asked by the validator, and again when the loop gets to it.
        work: what it does; None where its charge or refunds are under way, and it is answered when they are over.
        refusals: with which its guard and its work refuse it, beside those of every command.
        events: that it may emit.
        faults: fields of the message that lie beyond a bound; asked by the validator alone, since that is not replayed,
            so that a bound may become narrower.
        answers: what it is answered.
        instant: what its instant is called in the body of its request.
        beside_a_charge: whether it may be given while the outcome of a charge is open.
        after_the_end: whether it may be given to a subscription that has ended.
        before_the_start: whether it may be given before the first charge is settled.
    """

    name: str
    path: str
    summary: str
    message: type[M]
    guard: Callable[[M, Subscription, datetime], None]
    work: Callable[[Subscription, Recording, M], Awaitable[Answer | None]]
    refusals: tuple[Refusal, ...]
    events: tuple[EventType, ...]
    faults: Callable[[M], Iterable[Fault]] = _nothing
    answers: type[OrderAnswered] | type[CancelAnswered] = OrderAnswered
    instant: str | None = None
    beside_a_charge: bool = False
    after_the_end: Callable[[Subscription], bool] = _never
    before_the_start: Callable[[Subscription], bool] = _never

    def refusal(self, code: str) -> Refusal | None:
        """The refusal of a code; None for a code of a PG's rule."""
        return next((each for each in (*self.refusals, *AT_ANY_TIME) if each.code == code), None)


# ---------------------------------------------------------------- what several guards ask


def is_within_bounds(faults: Iterable[Fault]) -> None:
    """Refuse a message with a value that lies beyond its bound; field and bound are in the words.

    Raises:
        RefusedError: `out_of_bounds`.
    """
    for field, fault in faults:
        if fault is not None:
            raise RefusedError(OUT_OF_BOUNDS, f"{field} {fault}")


def stands_parked(subscription: Subscription) -> bool:
    """Whether the open period waits for a person; a schedule that was revoked elsewhere is not set up again unasked."""
    period = subscription.state.period
    revoked_elsewhere = period.state is CycleState.REVOKED and period.parked_reason is not None
    return revoked_elsewhere or period.state in (CycleState.MISMATCH, CycleState.UNKNOWN)


def is_not_parked(subscription: Subscription) -> None:
    """Refuse where the open period waits for a person.

    Raises:
        RefusedError: `parked`.
    """
    need(not stands_parked(subscription), PARKED, "it stands parked")


def has_numbers_left(subscription: Subscription) -> None:
    """Refuse where the period has no order number left for another charge.

    Raises:
        RefusedError: `too_many_changes`.
    """
    left = subscription.state.period.generation < MOST_RENUMBERINGS
    need(left, TOO_MANY_CHANGES, "too many changes in one period")
