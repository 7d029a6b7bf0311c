"""What a reconciliation asks of the ledger: orders by hundreds, living subscriptions, what was settled in a window."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.both_sides import BOOKED, OrderHere, Refunded
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.merchant_uid import parse_cycle_merchant_uid
from billing.domain.records import ChargeKind, RefundState, SubscriptionRecord
from billing.domain.states import ENDED, CycleState
from billing.domain.windows import Window
from billing.ledger.engine import writing
from billing.ledger.reads import Reads
from billing.ledger.reconciliation_tables import portone_schedules
from billing.ledger.rows import ChargeRow, Cursor
from billing.ledger.tables import billing_keys, charges, payments, refunds, subscriptions
from billing.ledger.upsert import insert_into

_SETTLED = (*BOOKED, CycleState.REFUNDED)
_IN_DOUBT = frozenset({RefundState.INTENT, RefundState.UNKNOWN})

Period = tuple[str, int]


@dataclass(frozen=True, slots=True)
class LivingSubscription:
    """A subscription that may still charge, and the key that it charges; None when the ledger expects none."""

    record: SubscriptionRecord
    key: str | None


@dataclass(frozen=True, slots=True)
class _Owners:
    """Whose orders are whose: subscriptions by their id and by the keys they charge, and the keys that are kept."""

    by_id: Mapping[str, SubscriptionRecord]
    by_key: Mapping[str, SubscriptionRecord]
    keys: Collection[str]

    def of(self, merchant_uid: str, customer_uid: str | None, charge: ChargeRow | None) -> SubscriptionRecord | None:
        """The subscription that an order belongs to: by its charge, by its number, or else by its key."""
        if charge is not None:
            return self.by_id.get(charge.subscription_id or "")
        parsed = parse_cycle_merchant_uid(merchant_uid)
        return (self.by_id.get(parsed[0]) if parsed else None) or self.by_key.get(customer_uid or "")


class Reconciliation:
    """The reading half, and the note of what PortOne was seen to have scheduled."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    async def orders(self, asked: Mapping[str, str | None]) -> dict[str, OrderHere]:
        """What is known of each order number; the value is the billing key that PortOne says it charges.

        At most a thousand at once: the databases limit what one statement may name.
        """
        known = {row.merchant_uid: row for row in await self._charges(charges.c.merchant_uid.in_(asked))}
        owners = await self._owners(asked, known)
        looked_up = await self._payments(asked)
        refunded = await self._refunded(asked)
        paid_by = await self._paid_periods(asked, known)
        return {
            merchant_uid: _order_here(
                merchant_uid,
                customer_uid,
                known.get(merchant_uid),
                owners,
                payments={row.imp_uid: row for row in looked_up[merchant_uid]},
                refunds=refunded,
                paid_by=[other for other in paid_by[_period(merchant_uid, known)] if other != merchant_uid],
            )
            for merchant_uid, customer_uid in asked.items()
        }

    async def living(self, after: str, limit: int) -> list[LivingSubscription]:
        """A page of subscriptions that may still charge, by subscription_id; `after` is the last one seen."""
        query = (
            select(subscriptions)
            .where(subscriptions.c.status.not_in(ENDED), subscriptions.c.subscription_id > after)
            .order_by(subscriptions.c.subscription_id)
            .limit(limit)
        )
        return await self._with_keys(await self._reads.subscriptions_of(query))

    async def subscription(self, subscription_id: str) -> LivingSubscription | None:
        """One life of a subscription, ended or not, and the key that it charges."""
        query = select(subscriptions).where(subscriptions.c.subscription_id == subscription_id)
        found = await self._with_keys(await self._reads.subscriptions_of(query))
        return found[0] if found else None

    async def settled(self, window: Window, after: Cursor | None, limit: int) -> list[ChargeRow]:
        """A page of charges that were settled as paid or refunded in a window, oldest first."""
        c = charges.c
        query = select(charges).where(c.settled_at >= window.start, c.settled_at < window.end, c.state.in_(_SETTLED))
        return await self._page(query, c.settled_at, after, limit)

    async def unsettled_one_time(self, window: Window, after: Cursor | None, limit: int) -> list[ChargeRow]:
        """A page of one-time charges that were sent, were due in a window and have no outcome, oldest first."""
        c = charges.c
        query = select(charges).where(
            c.due_at >= window.start,
            c.due_at < window.end,
            c.kind != ChargeKind.CYCLE,
            c.state == CycleState.PLANNED,
            c.sends > 0,
        )
        return await self._page(query, c.due_at, after, limit)

    async def see_schedules(self, run_id: str, rows: Sequence[ScheduleFact], at: datetime) -> None:
        """Note the schedules of our orders as PortOne has them at this moment; seen again, the newer look stays."""
        if not rows:
            return
        values = [
            {
                "merchant_uid": row.merchant_uid,
                "customer_uid": row.customer_uid,
                "status": row.status,
                "schedule_at": row.schedule_at,
                "amount": row.amount.amount,
                "currency": row.amount.currency,
                "payment_status": row.payment_status,
                "imp_uid": row.imp_uid,
                "last_run": run_id,
                "seen_at": at,
            }
            for row in {row.merchant_uid: row for row in rows}.values()
        ]
        async with writing(self._engine) as connection:
            insert = insert_into(connection, portone_schedules)
            fresh = {name: insert.excluded[name] for name in values[0] if name != "merchant_uid"}
            await connection.execute(insert.on_conflict_do_update(index_elements=["merchant_uid"], set_=fresh), values)

    async def unseen(self, run_id: str, merchant_uids: Collection[str]) -> set[str]:
        """Those of the order numbers whose schedule this run has not seen at PortOne."""
        query = select(portone_schedules.c.merchant_uid).where(
            portone_schedules.c.merchant_uid.in_(merchant_uids), portone_schedules.c.last_run == run_id
        )
        return set(merchant_uids) - {row.merchant_uid for row in await self._reads.rows(query)}

    # -------------------------------------------------------------- parts of an order

    async def _charges(self, condition: ColumnElement[bool]) -> list[ChargeRow]:
        return await self._reads.charges_of(select(charges).where(condition))

    async def _page(self, query: Select[Any], at: Any, after: Cursor | None, limit: int) -> list[ChargeRow]:
        name = charges.c.merchant_uid
        if after is not None:
            query = query.where(or_(at > after.at, and_(at == after.at, name > after.id)))
        return await self._reads.charges_of(query.order_by(at, name).limit(limit))

    async def _with_keys(self, records: Sequence[SubscriptionRecord]) -> list[LivingSubscription]:
        """Each with the key of the charge that stands next, as far as the ledger has that key and not as deleted."""
        numbers = [record.merchant_uid for record in records if record.merchant_uid]
        charged = {
            row.merchant_uid: row.customer_uid for row in await self._charges(charges.c.merchant_uid.in_(numbers))
        }
        keys = [
            charged.get(record.merchant_uid or "") or record.billing_key or record.customer_uid for record in records
        ]
        kept = await self._kept_keys(keys)
        return [
            LivingSubscription(record, key if key in kept else None) for record, key in zip(records, keys, strict=True)
        ]

    async def _kept_keys(self, customer_uids: Collection[str]) -> set[str]:
        query = select(billing_keys.c.customer_uid).where(
            billing_keys.c.customer_uid.in_(customer_uids), billing_keys.c.deleted.is_(False)
        )
        return {row.customer_uid for row in await self._reads.rows(query)}

    async def _owners(self, asked: Mapping[str, str | None], known: Mapping[str, ChargeRow]) -> _Owners:
        unknown = {number: key for number, key in asked.items() if number not in known}
        keys = {key for key in unknown.values() if key}
        ids = {row.subscription_id for row in known.values() if row.subscription_id}
        ids |= {parsed[0] for number in unknown if (parsed := parse_cycle_merchant_uid(number))}
        charged = await self._reads.rows(
            select(charges.c.customer_uid, charges.c.subscription_id)
            .where(charges.c.customer_uid.in_(keys), charges.c.subscription_id.is_not(None))
            .distinct()
        )
        ids |= {row.subscription_id for row in charged}
        c = subscriptions.c
        query = select(subscriptions).where(
            or_(c.subscription_id.in_(ids), c.customer_uid.in_(keys), c.billing_key.in_(keys))
        )
        rows = await self._reads.subscriptions_of(query)
        by_id = {row.subscription_id: row for row in rows}
        # The newest comes last and wins, and one that lives wins over those that have ended.
        in_turn = sorted(rows, key=lambda row: (row.status not in ENDED, row.started_at))
        by_key = {key: row for row in in_turn for key in (row.customer_uid, row.billing_key) if key}
        charging = {row.subscription_id: row.customer_uid for row in charged}
        by_key |= {charging[row.subscription_id]: row for row in in_turn if row.subscription_id in charging}
        return _Owners(by_id, by_key, await self._kept_keys(keys))

    async def _payments(self, asked: Collection[str]) -> dict[str, list[PaymentFact]]:
        found: dict[str, list[PaymentFact]] = defaultdict(list)
        for row in await self._reads.payments_of(select(payments).where(payments.c.merchant_uid.in_(asked))):
            found[row.merchant_uid].append(row.fact)
        return found

    async def _refunded(self, asked: Collection[str]) -> dict[str, Refunded]:
        c = refunds.c
        query = (
            select(c.imp_uid, c.state, func.sum(c.amount).label("amount"))
            .where(c.merchant_uid.in_(asked))
            .group_by(c.imp_uid, c.state)
        )
        sums: dict[str, dict[str, int]] = defaultdict(lambda: {"done": 0, "in_doubt": 0})
        for row in await self._reads.rows(query):
            if row.state is RefundState.REFUNDED:
                sums[row.imp_uid]["done"] += int(row.amount)
            elif row.state in _IN_DOUBT:
                sums[row.imp_uid]["in_doubt"] += int(row.amount)
        return {imp_uid: Refunded(**amounts) for imp_uid, amounts in sums.items()}

    async def _paid_periods(
        self, asked: Collection[str], known: Mapping[str, ChargeRow]
    ) -> dict[Period | None, list[str]]:
        """The order numbers that hold the money of the periods that those asked for belong to."""
        periods = {period for number in asked if (period := _period(number, known))}
        c = charges.c
        rows = await self._charges(
            and_(
                tuple_(c.subscription_id, c.cycle).in_(periods),
                c.kind == ChargeKind.CYCLE,
                c.paid_at.is_not(None),
                c.state != CycleState.REFUNDED,
            )
        )
        found: dict[Period | None, list[str]] = defaultdict(list)
        for row in rows:
            found[row.subscription_id or "", row.cycle or 0].append(row.merchant_uid)
        return found


def _period(merchant_uid: str, known: Mapping[str, ChargeRow]) -> Period | None:
    """The subscription and cycle that an order number pays for; None when it pays for something else."""
    row = known.get(merchant_uid)
    if row is not None:
        is_cycle = row.kind is ChargeKind.CYCLE and row.subscription_id is not None and row.cycle is not None
        return (row.subscription_id or "", row.cycle or 0) if is_cycle else None
    parsed = parse_cycle_merchant_uid(merchant_uid)
    return parsed[:2] if parsed else None


def _order_here(
    merchant_uid: str,
    customer_uid: str | None,
    charge: ChargeRow | None,
    owners: _Owners,
    *,
    payments: Mapping[str, PaymentFact],
    refunds: Mapping[str, Refunded],
    paid_by: Sequence[str],
) -> OrderHere:
    subscription = owners.of(merchant_uid, customer_uid, charge)
    on_our_key = customer_uid in owners.keys
    if charge is None:
        return OrderHere(
            merchant_uid=merchant_uid,
            customer_uid=customer_uid,
            payments=payments,
            refunds=refunds,
            period_paid_by=next(iter(paid_by), None),
            subscription=subscription,
            on_our_key=on_our_key,
        )
    return OrderHere(
        merchant_uid=merchant_uid,
        amount=charge.amount,
        kind=charge.kind,
        state=charge.state,
        due_at=charge.due_at,
        imp_uid=charge.imp_uid,
        customer_uid=charge.customer_uid,
        sends=charge.sends,
        payments=payments,
        refunds={row: amounts for row, amounts in refunds.items() if row in payments or row == charge.imp_uid},
        period_paid_by=next(iter(paid_by), None),
        subscription=subscription,
        on_our_key=on_our_key,
    )
