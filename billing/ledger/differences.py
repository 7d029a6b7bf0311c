"""Runs of the reconciliation and what they found: a difference opens once, and is resolved when it is gone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.differences import Difference, DifferenceState, Found, RunState, Subject, difference_event
from billing.domain.money import Money
from billing.domain.records import LedgerEntry
from billing.domain.windows import Window
from billing.ledger.engine import writing
from billing.ledger.reads import Reads
from billing.ledger.reconciliation_tables import differences, reconciliation_runs
from billing.ledger.rows import Cursor
from billing.ledger.upsert import insert_into
from billing.ledger.writes.entry import write_entry

_IDENTITY = ("kind", "merchant_uid", "imp_uid", "customer_uid", "detail")


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One difference as it stands: what it is about, what either side says, and what became of it."""

    difference_id: int
    kind: Difference
    merchant_uid: str
    imp_uid: str
    customer_uid: str
    detail: str
    portone: str
    ledger: str
    amount: Money | None
    subscription_id: str | None
    workflow_id: str | None
    state: DifferenceState
    times_opened: int
    first_seen: datetime
    last_seen: datetime
    last_run: str
    rung_at: datetime | None
    resolved_at: datetime | None
    accepted_at: datetime | None
    accepted_by: str | None
    accepted_why: str | None

    @property
    def subject(self) -> Subject:
        """What a look must be about to find it again."""
        if self.merchant_uid:
            return Subject(self.merchant_uid, customer_uid=self.customer_uid)
        return Subject(kind=self.kind, customer_uid=self.customer_uid, subscription_id=self.subscription_id or "")


@dataclass(frozen=True, slots=True)
class RunRow:
    """One reconciliation: what it compared, what it counted, how it ended."""

    run_id: str
    state: RunState
    window_start: datetime
    window_end: datetime
    schedules_end: datetime
    counts: Mapping[str, int]
    error: str | None
    started_at: datetime
    ended_at: datetime | None

    @property
    def cursor(self) -> Cursor:
        """Where a list that ends with this row goes on."""
        return Cursor(self.started_at, self.run_id)


@dataclass(frozen=True, slots=True)
class Noted:
    """What noting a look came to: what stands open, by its row, what of it opened, and how much was resolved."""

    standing: Mapping[int, Found]
    rung: Mapping[int, datetime]
    opened: tuple[Difference, ...]
    resolved: int

    def unrung(self, since: datetime) -> dict[int, Found]:
        """What stands open and was not rung since an instant."""
        return {row: found for row, found in self.standing.items() if row not in self.rung or self.rung[row] < since}


class Differences:
    """The writing half of a reconciliation, and the list that a person reads."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    # -------------------------------------------------------------- runs

    async def begin_run(self, run_id: str, payments: Window, schedules_end: datetime, at: datetime) -> None:
        """Note that a run has begun; begun again under its name, it stands as running again."""
        values = {
            "run_id": run_id,
            "state": RunState.RUNNING,
            "window_start": payments.start,
            "window_end": payments.end,
            "schedules_end": schedules_end,
            "counts": {},
            "error": None,
            "started_at": at,
            "ended_at": None,
        }
        async with writing(self._engine) as connection:
            insert = insert_into(connection, reconciliation_runs).values(**values)
            fresh = {name: insert.excluded[name] for name in values if name != "run_id"}
            await connection.execute(insert.on_conflict_do_update(index_elements=["run_id"], set_=fresh))

    async def end_run(
        self, run_id: str, state: RunState, counts: Mapping[str, int], at: datetime, error: str | None = None
    ) -> tuple[int, int]:
        """Note how a run ended and what it counted; answers how many it found to differ, and how many stand open."""
        c = differences.c
        standing = select(func.count()).select_from(differences).where(c.state == DifferenceState.OPEN)
        async with writing(self._engine) as connection:
            found = int((await connection.execute(standing.where(c.last_run == run_id))).scalar_one())
            in_all = int((await connection.execute(standing)).scalar_one())
            await connection.execute(
                update(reconciliation_runs)
                .where(reconciliation_runs.c.run_id == run_id)
                .values(
                    state=state,
                    counts={**counts, "differences": found, "open": in_all},
                    ended_at=at,
                    error=error,
                )
            )
        return found, in_all

    async def runs(self, limit: int, after: Cursor | None = None) -> list[RunRow]:
        """A page of runs, newest first; `after` is the `cursor` of the last one seen."""
        c = reconciliation_runs.c
        query = select(reconciliation_runs).order_by(c.started_at.desc(), c.run_id.desc()).limit(limit)
        if after is not None:
            query = query.where((c.started_at < after.at) | ((c.started_at == after.at) & (c.run_id < after.id)))
        return [RunRow(**row._mapping) for row in await self._reads.rows(query)]  # noqa: SLF001 - SQLAlchemy's documented name

    # -------------------------------------------------------------- what a look found

    async def note(
        self,
        run_id: str,
        subject: Subject,
        found: Sequence[Found],
        at: datetime,
        *,
        judged: Collection[Difference] = tuple(Difference),
    ) -> Noted:
        """Write what one look at a subject found, in one transaction; the same look again changes nothing.

        What is new is opened, and told to the world outside in the same transaction. What was open and is not found
        any more is resolved, as far as its kind was `judged`. What a person has accepted stays accepted.
        """
        standing: dict[int, Found] = {}
        rung: dict[int, datetime] = {}
        opened: list[Difference] = []
        async with writing(self._engine) as connection:
            for each in found:
                row = await _keep(connection, run_id, each, at)
                if row.state is DifferenceState.OPEN:
                    standing[row.difference_id] = each
                if row.rung_at is not None:
                    rung[row.difference_id] = row.rung_at
                if row.opened:
                    opened.append(each.kind)
                    event = difference_event(each, at, row.times_opened)
                    await write_entry(connection, LedgerEntry(events=(event,)))
            resolved = await _resolve(connection, subject, [each.identity for each in found], at, judged)
        return Noted(standing, rung, tuple(opened), resolved)

    async def has_open(self, merchant_uid: str) -> bool:
        """Whether a difference about this order stands open."""
        query = select(differences.c.difference_id).where(
            differences.c.merchant_uid == merchant_uid, differences.c.state == DifferenceState.OPEN
        )
        return await self._reads.first(query) is not None

    async def mark_rung(self, difference_ids: Collection[int], at: datetime) -> None:
        """Note that the workflow concerned was rung."""
        async with writing(self._engine) as connection:
            await connection.execute(
                update(differences).where(differences.c.difference_id.in_(difference_ids)).values(rung_at=at)
            )

    # -------------------------------------------------------------- the list

    async def page(
        self, *, state: DifferenceState | None = None, limit: int, after: int | None = None
    ) -> list[DifferenceRow]:
        """A page of differences, newest first; `after` is the difference_id of the last one seen."""
        query = select(differences).order_by(differences.c.difference_id.desc()).limit(limit)
        if state is not None:
            query = query.where(differences.c.state == state)
        if after is not None:
            query = query.where(differences.c.difference_id < after)
        return [_row(row) for row in await self._reads.rows(query)]

    async def open_besides(self, run_id: str, *, after: int, limit: int) -> list[DifferenceRow]:
        """A page of open differences that this run has not found, oldest first; `after` is the last one seen."""
        c = differences.c
        query = select(differences).where(
            c.state == DifferenceState.OPEN, c.last_run != run_id, c.difference_id > after
        )
        return [_row(row) for row in await self._reads.rows(query.order_by(c.difference_id).limit(limit))]

    async def get(self, difference_id: int) -> DifferenceRow | None:
        """One difference."""
        row = await self._reads.first(select(differences).where(differences.c.difference_id == difference_id))
        return None if row is None else _row(row)

    async def accept(self, difference_id: int, who: str, why: str, at: datetime) -> bool:
        """Take an open difference as it is; False when it is not open. The first who did is remembered."""
        async with writing(self._engine) as connection:
            accepted = await connection.execute(
                update(differences)
                .where(differences.c.difference_id == difference_id, differences.c.state == DifferenceState.OPEN)
                .values(state=DifferenceState.ACCEPTED, accepted_by=who, accepted_why=why, accepted_at=at)
                .returning(differences.c.difference_id)
            )
            return accepted.first() is not None


@dataclass(frozen=True, slots=True)
class _Kept:
    difference_id: int
    state: DifferenceState
    times_opened: int
    opened: bool
    rung_at: datetime | None = None


async def _keep(connection: AsyncConnection, run_id: str, found: Found, at: datetime) -> _Kept:
    said = {
        "portone": found.portone,
        "ledger": found.ledger,
        "amount": found.amount.amount if found.amount else None,
        "currency": found.amount.currency if found.amount else None,
        "subscription_id": found.subscription_id,
        "workflow_id": found.workflow_id,
        "last_seen": at,
        "last_run": run_id,
    }
    identity = dict(zip(_IDENTITY, (found.kind, *found.identity[1:]), strict=True))
    fresh = {**identity, **said, "state": DifferenceState.OPEN, "times_opened": 1, "first_seen": at}
    c = differences.c
    insert = insert_into(connection, differences).values(**fresh).on_conflict_do_nothing(index_elements=_IDENTITY)
    inserted = (await connection.execute(insert.returning(c.difference_id))).scalar()
    if inserted is not None:
        return _Kept(int(inserted), DifferenceState.OPEN, 1, opened=True)
    mine = and_(*(c[name] == value for name, value in identity.items()))
    stored = (await connection.execute(select(differences).where(mine).with_for_update())).one()
    again = stored.state is DifferenceState.RESOLVED
    times = stored.times_opened + 1 if again else stored.times_opened
    reopened = {"state": DifferenceState.OPEN, "times_opened": times, "resolved_at": None, "rung_at": None}
    await connection.execute(update(differences).where(mine).values(**said, **(reopened if again else {})))
    state = DifferenceState.OPEN if again else stored.state
    return _Kept(stored.difference_id, state, times, again, None if again else stored.rung_at)


async def _resolve(
    connection: AsyncConnection,
    subject: Subject,
    found: Collection[tuple[str, ...]],
    at: datetime,
    judged: Collection[Difference],
) -> int:
    c = differences.c
    about = c.merchant_uid == subject.merchant_uid if subject.merchant_uid else _about_no_order(subject)
    query = select(differences).where(about, c.state == DifferenceState.OPEN, c.kind.in_(judged))
    rows = [_row(row) for row in (await connection.execute(query.with_for_update())).all()]
    gone = [
        row.difference_id
        for row in rows
        if (row.kind.value, row.merchant_uid, row.imp_uid, row.customer_uid, row.detail) not in found
    ]
    if gone:
        resolved = {"state": DifferenceState.RESOLVED, "resolved_at": at}
        await connection.execute(update(differences).where(c.difference_id.in_(gone)).values(**resolved))
    return len(gone)


def _about_no_order(subject: Subject) -> ColumnElement[bool]:
    c = differences.c
    return and_(c.merchant_uid == "", c.kind == subject.kind, c.subscription_id == subject.subscription_id)


def _row(row: Row[Any]) -> DifferenceRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    currency = values.pop("currency")
    amount = values.pop("amount")
    return DifferenceRow(amount=Money(amount, currency) if currency else None, **values)
