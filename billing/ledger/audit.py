"""The ledger as an audit reads it: all that lives, and all that concerns a window of time or an order that is named."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.audit.books import Charge, Database, Key, LedgerBooks, Refund, Webhook
from billing.domain.facts import PaymentFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.domain.records import ChargeResult, SubscriptionRecord
from billing.domain.states import ENDED
from billing.domain.windows import Window
from billing.ledger.integrity import read_through
from billing.ledger.reads import Reads
from billing.ledger.rows import ChargeRow
from billing.ledger.tables import (
    billing_keys,
    charge_results,
    charges,
    decisions,
    parked,
    payments,
    refunds,
    subscriptions,
    webhook_inbox,
)

PAGE = 1_000
"""Rows of one statement: memory for a page, and a transaction that is over soon."""

_NAMES = 300
"""Names in one statement: SQLite takes a thousand parameters in the oldest builds, and a period has two."""

Told = Callable[[str, int], None]
"""Is told what is being read, and how many rows of it there are so far."""

Name = TypeVar("Name")

_C, _S = charges.c, subscriptions.c


class AuditReads:
    """Reads the ledger's books."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    async def integrity(self) -> Database | None:
        """Whether the database reads through from end to end; None where nothing could be read through."""
        return await read_through(self._engine)

    async def books(
        self,
        window: Window,
        orders: Collection[str],
        keys: Collection[str],
        told: Told,
        database: Database | None = None,
    ) -> LedgerBooks:
        """Every living subscription, every charge that was due or settled in a window, and what belongs to them.

        Args:
            window: of time.
            orders: numbers that PortOne has, which belong to it whenever they were ordered.
            keys: that PortOne has charged.
            told: is told of the progress.
            database: what `integrity` said.
        """
        lives = {each.subscription_id: each async for each in self._living(told)}
        found = await self._charges(window, {*orders, *_current(lives.values())}, told)
        ids = {each.subscription_id for each in found.values() if each.subscription_id}
        ids |= {parsed[0] for number in orders if (parsed := parse_cycle_merchant_uid(number))}
        lives |= {each.subscription_id: each for each in await self._lives(ids - lives.keys())}
        lives |= {each.subscription_id: each for each in await self._lives_on(keys)}
        numbers = {*found, *orders}
        return LedgerBooks(
            subscriptions=tuple(lives.values()),
            charges=tuple(found.values()),
            results=tuple(await self._results(numbers)),
            payments=tuple(await self._payments(numbers)),
            refunds=tuple(await self._refunds(numbers)),
            webhooks=tuple([each async for each in self._webhooks(window, told)]),
            keys=tuple(await self._keys({*keys, *_keys_of(lives.values()), *_charged(found.values())})),
            parked=tuple([each async for each in self._parked()]),
            decisions=tuple(await self._decisions(numbers)),
            database=database,
        )

    # -------------------------------------------------------------- pages

    async def _living(self, told: Told) -> AsyncIterator[SubscriptionRecord]:
        query = select(subscriptions).where(_S.status.not_in(ENDED)).order_by(_S.subscription_id).limit(PAGE)
        after, read = "", 0
        while rows := await self._reads.subscriptions_of(query.where(_S.subscription_id > after)):
            after, read = rows[-1].subscription_id, read + len(rows)
            told("subscriptions", read)
            for row in rows:
                yield row.record

    async def _charges(self, window: Window, numbers: Collection[str], told: Told) -> dict[str, Charge]:
        in_window = or_(
            and_(_C.due_at >= window.start, _C.due_at < window.end),
            and_(_C.settled_at >= window.start, _C.settled_at < window.end),
        )
        query = select(charges).where(in_window).order_by(_C.merchant_uid).limit(PAGE)
        found: dict[str, Charge] = {}
        after = ""
        while rows := await self._reads.charges_of(query.where(_C.merchant_uid > after)):
            after = rows[-1].merchant_uid
            found |= {row.merchant_uid: _charge(row) for row in rows}
            told("charges", len(found))
        for some in _some(sorted(set(numbers) - found.keys())):
            found |= await self._where(_C.merchant_uid.in_(some))
        periods = sorted({each.period for each in found.values() if each.period is not None})
        for together in _some(periods):
            found |= await self._where(tuple_(_C.subscription_id, _C.cycle).in_(together))
        return found

    async def _where(self, condition: ColumnElement[bool]) -> dict[str, Charge]:
        rows = await self._reads.charges_of(select(charges).where(condition))
        return {row.merchant_uid: _charge(row) for row in rows}

    async def _webhooks(self, window: Window, told: Told) -> AsyncIterator[Webhook]:
        c = webhook_inbox.c
        wanted = or_(and_(c.last_at >= window.start, c.last_at < window.end), c.disposition.is_(None))
        query = select(webhook_inbox).where(wanted).order_by(c.inbox_id).limit(PAGE)
        after = read = 0
        while rows := await self._reads.rows(query.where(c.inbox_id > after)):
            after, read = rows[-1].inbox_id, read + len(rows)
            told("webhooks", read)
            for row in rows:
                yield Webhook(**_values(row, Webhook))

    async def _parked(self) -> AsyncIterator[ParkedRecord]:
        c = parked.c
        query = select(parked).where(c.closed_at.is_(None)).order_by(c.parked_id).limit(PAGE)
        after = ""
        while rows := await self._reads.rows(query.where(c.parked_id > after)):
            after = rows[-1].parked_id
            for row in rows:
                values = _values(row, ParkedRecord)
                yield ParkedRecord(**{**values, "known": tuple(values["known"])})

    # -------------------------------------------------------------- by name

    async def _lives(self, ids: Collection[str]) -> list[SubscriptionRecord]:
        found = []
        for some in _some(sorted(ids)):
            query = select(subscriptions).where(_S.subscription_id.in_(some))
            found += [row.record for row in await self._reads.subscriptions_of(query)]
        return found

    async def _lives_on(self, keys: Collection[str]) -> list[SubscriptionRecord]:
        found = []
        for some in _some(sorted(keys)):
            query = select(subscriptions).where(or_(_S.customer_uid.in_(some), _S.billing_key.in_(some)))
            found += [row.record for row in await self._reads.subscriptions_of(query)]
        return found

    async def _results(self, numbers: Collection[str]) -> list[ChargeResult]:
        c = charge_results.c
        query = select(charge_results).order_by(c.result_id)
        return [
            ChargeResult(row.merchant_uid, row.state, row.at, row.imp_uid or None, row.code, row.message)
            for row in await self._named(query, c.merchant_uid, numbers)
        ]

    async def _payments(self, numbers: Collection[str]) -> list[PaymentFact]:
        found = []
        for some in _some(sorted(numbers)):
            query = select(payments).where(payments.c.merchant_uid.in_(some))
            found += [row.fact for row in await self._reads.payments_of(query)]
        return found

    async def _refunds(self, numbers: Collection[str]) -> list[Refund]:
        return [
            Refund(
                refund_id=row.refund_id,
                merchant_uid=row.merchant_uid,
                imp_uid=row.imp_uid,
                amount=row.amount,
                state=row.state,
            )
            for row in await self._named(select(refunds), refunds.c.merchant_uid, numbers)
        ]

    async def _keys(self, keys: Collection[str]) -> list[Key]:
        rows = await self._named(select(billing_keys), billing_keys.c.customer_uid, keys)
        return [Key(row.customer_uid, row.deleted, row.updated_at if row.deleted else None) for row in rows]

    async def _decisions(self, numbers: Collection[str]) -> list[DecisionRecord]:
        rows = await self._named(select(decisions), decisions.c.merchant_uid, numbers)
        return [DecisionRecord(**_values(row, DecisionRecord)) for row in rows]

    async def _named(self, query: Select[Any], column: Any, names: Collection[str]) -> list[Any]:
        found: list[Any] = []
        for some in _some(sorted(names)):
            found += await self._reads.rows(query.where(column.in_(some)))
        return found


def _some(names: Sequence[Name]) -> Iterable[Sequence[Name]]:
    return (names[first : first + _NAMES] for first in range(0, len(names), _NAMES))


def _current(lives: Iterable[SubscriptionRecord]) -> set[str]:
    return {each.merchant_uid for each in lives if each.merchant_uid}


def _keys_of(lives: Iterable[SubscriptionRecord]) -> set[str]:
    return {each.billing_key or each.customer_uid for each in lives}


def _charged(found: Iterable[Charge]) -> set[str]:
    return {each.customer_uid for each in found if each.customer_uid}


def _values(row: Any, record: type[Any]) -> dict[str, Any]:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's documented name
    return {name: values[name] for name in record.__dataclass_fields__}


def _charge(row: ChargeRow) -> Charge:
    return Charge(**{name: getattr(row, name) for name in Charge.__dataclass_fields__})
