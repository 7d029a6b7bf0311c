"""Calls to PortOne that change something and were not answered: until their quiet window ends they may still be done.

One rule for all of them: nothing that such a call could make untrue is told as final, nothing that it could undo is
sent, and what it is about is read again when its window is over (design section 2).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.deadlines import QuietWindow
from billing.domain.instants import require_utc


class CallKind(StrEnum):
    """The calls that change something at PortOne, by what they do."""

    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    UNSCHEDULE = "unschedule"
    AGAIN = "again"
    RETRY = "retry"
    ONETIME = "onetime"
    CANCEL = "cancel"
    ISSUE_KEY = "issue_key"
    DELETE_KEY = "delete_key"


MAY_CHARGE = frozenset({CallKind.SCHEDULE, CallKind.RESCHEDULE, CallKind.AGAIN, CallKind.RETRY, CallKind.ONETIME})
"""Done late, such a call charges its order number, or lets it stand scheduled again."""

MAY_TAKE_BACK = frozenset({CallKind.UNSCHEDULE})
"""Done late, such a call revokes whatever schedule its order number has by then."""


@dataclass(frozen=True, slots=True)
class CallOnItsWay:
    """One call that was sent and not answered.

    Args:
        kind: what it does.
        about: the order number it names, or the customer_uid of the billing key.
        sent_at: UTC.
        ends_at: UTC, from when on it counts as never done, unless what it is about shows that it was.

    Raises:
        ValueError: an instant that is not aware UTC.
    """

    kind: CallKind
    about: str
    sent_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        require_utc("sent_at", self.sent_at)
        require_utc("ends_at", self.ends_at)


Calls = Sequence[CallOnItsWay]


def sent(calls: Calls, kind: CallKind, about: str, at: datetime, quiet: QuietWindow) -> list[CallOnItsWay]:
    """The calls with one more, which was sent at `at` and not answered."""
    return [*calls, CallOnItsWay(kind, about, at, at + timedelta(minutes=quiet.minutes))]


def on_their_way(calls: Calls, about: str, kinds: Iterable[CallKind]) -> list[CallOnItsWay]:
    """Those of some kinds about one order number or key that may still be done."""
    wanted = frozenset(kinds)
    return [call for call in calls if call.about == about and call.kind in wanted]


def may_charge(calls: Calls, merchant_uid: str) -> bool:
    """Whether an order number that is read as not scheduled and not paid may still be charged by a call of ours."""
    return bool(on_their_way(calls, merchant_uid, MAY_CHARGE))


def charges_until(calls: Calls, merchant_uid: str) -> datetime | None:
    """The UTC instant from which on no call of ours can let an order number be charged any more; None where none is."""
    return max((call.ends_at for call in on_their_way(calls, merchant_uid, MAY_CHARGE)), default=None)


def may_take_back(calls: Calls, merchant_uid: str) -> bool:
    """Whether a schedule that is registered now may be revoked by an earlier call of ours."""
    return bool(on_their_way(calls, merchant_uid, MAY_TAKE_BACK))


def shown_done(calls: Calls, about: str, kinds: Iterable[CallKind]) -> list[CallOnItsWay]:
    """The calls after PortOne shows what one of these kinds does: of several, only one is known to be done."""
    open_ones = on_their_way(calls, about, kinds)
    return [call for call in calls if call not in open_ones] if len(open_ones) == 1 else list(calls)


def over(calls: Calls, now: datetime) -> list[CallOnItsWay]:
    """Those whose window is over: what they are about is to be read again."""
    return [call for call in calls if call.ends_at <= now]


def is_followed(calls: Calls, call: CallOnItsWay) -> bool:
    """Whether another call of the same kind about the same is kept, whose window is not over before this one's."""
    return any(
        each is not call and (each.kind, each.about) == (call.kind, call.about) and each.ends_at >= call.ends_at
        for each in calls
    )


def without(calls: Calls, call: CallOnItsWay) -> list[CallOnItsWay]:
    """The others; of two that are the same in everything, one stays."""
    found = next(place for place, each in enumerate(calls) if each == call)
    return [*calls[:found], *calls[found + 1 :]]


def next_end(calls: Calls) -> datetime | None:
    """The UTC instant at which the first window is over; None when no call is on its way."""
    return min((call.ends_at for call in calls), default=None)


def last_end(calls: Calls, about: str) -> datetime | None:
    """The UTC instant from which on nothing about an order number or key is on its way any more."""
    return max((call.ends_at for call in calls if call.about == about), default=None)
