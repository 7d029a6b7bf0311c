"""What stands until a person decides, and what persons have decided."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select

from billing.domain.parked import DecisionRecord
from billing.ledger.reads import Reads
from billing.ledger.rows import ParkedRow
from billing.ledger.tables import decisions, parked


class Parking:
    """The reading half of it; the workflows write it with their steps."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def page(
        self, *, customer_uid: str | None = None, limit: int = 50, after: tuple[datetime, str] | None = None
    ) -> list[ParkedRow]:
        """A page of what stands, of one customer_uid or of all, oldest first; `after` is the `cursor` last seen."""
        query = select(parked).where(parked.c.closed_at.is_(None)).order_by(parked.c.parked_at, parked.c.parked_id)
        if customer_uid is not None:
            query = query.where(parked.c.customer_uid == customer_uid)
        if after is not None:
            at, last = after
            beyond = (parked.c.parked_at == at) & (parked.c.parked_id > last)
            query = query.where(or_(parked.c.parked_at > at, beyond))
        return [_row(row) for row in await self._reads.rows(query.limit(limit))]

    async def decisions(self, customer_uid: str) -> list[DecisionRecord]:
        """What persons decided under a customer_uid, oldest first."""
        query = select(decisions).where(decisions.c.customer_uid == customer_uid)
        found = await self._reads.rows(query.order_by(decisions.c.at, decisions.c.decision_id))
        return [DecisionRecord(**row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's documented name


def _row(row: Row[Any]) -> ParkedRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    return ParkedRow(**{**values, "known": tuple(values["known"])})
