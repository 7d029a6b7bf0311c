"""What is overdue: subscriptions that should have moved by now, and stand in no list that says why they did not."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select

from billing.domain.clock import Clock
from billing.domain.overdue import OverduePeriod
from billing.domain.records import ChargeKind
from billing.ledger.event_tables import events
from billing.ledger.reads import Reads, is_charged_on, subscription_of
from billing.ledger.tables import charges, parked, subscriptions

_NAMES_AT_ONCE = 200
"""How many test clocks one statement names: the databases limit it."""

_S = subscriptions.c


class Overdue:
    """Reads what is overdue, by the clock that each subscription lives by."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def page(
        self,
        clock: Clock,
        leeway: timedelta,
        *,
        customer_uid: str | None = None,
        limit: int = 50,
        after: tuple[datetime, str] | None = None,
    ) -> list[OverduePeriod]:
        """A page of what should have moved more than `leeway` ago, the longest overdue first.

        `after` is the `due_by` and the subscription_id last seen.
        """
        base = select(subscriptions).where(~_is_parked()).order_by(_S.due_by, _S.subscription_id).limit(limit)
        if customer_uid is not None:
            base = base.where(_S.customer_uid == customer_uid)
        if after is not None:
            at, last = after
            base = base.where(or_(_S.due_by > at, and_(_S.due_by == at, _S.subscription_id > last)))
        found = await self._before(base, clock, clock.everybody - leeway)
        for names in _some_at_once(sorted(clock.ahead)):
            theirs = base.where(is_charged_on(*names) | _S.customer_uid.in_(names))
            ahead = await self._before(theirs, clock, clock.latest() - leeway)
            found |= {name: each for name, each in ahead.items() if each.due_by < each.now - leeway}
        return sorted(found.values(), key=lambda each: (each.due_by, each.record.subscription_id))[:limit]

    async def announced(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the events that are written already."""
        query = select(events.c.event_id).where(events.c.event_id.in_(event_ids))
        return {row.event_id for row in await self._reads.rows(query)}

    async def _before(self, query: Select[Any], clock: Clock, instant: datetime) -> dict[str, OverduePeriod]:
        rows = [(subscription_of(row), row.due_by) for row in await self._reads.rows(query.where(_S.due_by < instant))]
        return {
            row.subscription_id: OverduePeriod(row.record, due_by, clock.now(row.customer_uid, row.billing_key))
            for row, due_by in rows
        }


def _is_parked() -> ColumnElement[bool]:
    """Whether something of the open period waits for a person: its order, or an earlier one of the same period."""
    of_the_period = exists().where(
        charges.c.merchant_uid == parked.c.merchant_uid,
        charges.c.subscription_id == _S.subscription_id,
        charges.c.cycle == _S.cycle,
        charges.c.kind == ChargeKind.CYCLE,
    )
    return exists().where(
        parked.c.customer_uid == _S.customer_uid,
        parked.c.subscription_id == _S.subscription_id,
        parked.c.closed_at.is_(None),
        or_(parked.c.merchant_uid == _S.merchant_uid, of_the_period),
    )


def _some_at_once(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[first : first + _NAMES_AT_ONCE] for first in range(0, len(names), _NAMES_AT_ONCE))
