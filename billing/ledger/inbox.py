"""The webhook inbox: every webhook is stored before it is answered, and counted when it comes again."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.records import Disposition
from billing.domain.webhook_bounds import AT_ONCE, MANY, TOGETHER_EVERY, WITHIN
from billing.ledger.engine import writing
from billing.ledger.reads import Reads
from billing.ledger.rows import InboxReceipt, InboxRow, ReceivedWebhook
from billing.ledger.tables import charges, webhook_inbox
from billing.ledger.upsert import insert_into

_SAID_ONCE = ["imp_uid", "merchant_uid", "status", "cancellation_id"]


class Inbox:
    """Receives webhooks, remembers which bells are still to be rung."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    async def receive(self, hook: ReceivedWebhook, at: datetime) -> InboxReceipt:
        """Store a webhook, or count it when it is known; the workflow is the given one or that of the order.

        A row of an order that nobody knew when it first came is opened again once its workflow is known.
        Beyond the bound of an order (`webhook_bounds`) all that is new is counted in one row.
        """
        async with writing(self._engine) as connection:
            workflow_id = hook.workflow_id
            if workflow_id is None:
                order = select(charges.c.workflow_id).where(charges.c.merchant_uid == hook.merchant_uid)
                workflow_id = (await connection.execute(order)).scalar()
            coalesced = await self._is_one_too_many(connection, hook, at)
            if coalesced:
                hook = replace(hook, imp_uid=MANY, status="", cancellation_id="")
            inbox_id, count, known_workflow_id = await self._count(connection, hook, workflow_id, at, coalesced)
        return InboxReceipt(inbox_id, count == 1 and not coalesced, count, known_workflow_id, coalesced)

    @staticmethod
    async def _is_one_too_many(connection: AsyncConnection, hook: ReceivedWebhook, at: datetime) -> bool:
        """Whether nobody said this before, and too much else was said of its order of late."""
        stored = webhook_inbox.c
        said = [getattr(stored, name) == getattr(hook, name) for name in _SAID_ONCE]
        if (await connection.execute(select(stored.inbox_id).where(*said))).first() is not None:
            return False
        counted = select(func.count()).where(
            stored.merchant_uid == hook.merchant_uid, stored.imp_uid != MANY, stored.first_at > at - WITHIN
        )
        return (await connection.execute(counted)).scalar_one() >= AT_ONCE

    @staticmethod
    async def _count(
        connection: AsyncConnection, hook: ReceivedWebhook, workflow_id: str | None, at: datetime, coalesced: bool
    ) -> tuple[int, int, str | None]:
        stored = webhook_inbox.c
        unlooked = None if workflow_id else Disposition.UNKNOWN_ORDER
        insert = insert_into(connection, webhook_inbox).values(
            imp_uid=hook.imp_uid,
            merchant_uid=hook.merchant_uid,
            status=hook.status,
            cancellation_id=hook.cancellation_id,
            route=hook.route,
            workflow_id=workflow_id,
            count=1,
            disposition=Disposition.COALESCED if coalesced else unlooked,
            first_at=at,
            last_at=at,
        )
        upsert = insert.on_conflict_do_update(
            index_elements=_SAID_ONCE,
            set_={
                "count": stored.count + 1,
                "last_at": at,
                "workflow_id": func.coalesce(stored.workflow_id, insert.excluded.workflow_id),
                "disposition": case(
                    (stored.workflow_id.is_(None), insert.excluded.disposition), else_=stored.disposition
                ),
            },
        )
        answer = upsert.returning(stored.inbox_id, stored.count, stored.workflow_id)
        inbox_id, count, known_workflow_id = (await connection.execute(answer)).one()
        return inbox_id, count, known_workflow_id

    async def mark_rung(self, inbox_id: int, at: datetime) -> None:
        """Note that the workflow's bell was rung for this row; the first ring is kept."""
        async with writing(self._engine) as connection:
            await connection.execute(
                update(webhook_inbox)
                .where(webhook_inbox.c.inbox_id == inbox_id, webhook_inbox.c.rung_at.is_(None))
                .values(rung_at=at)
            )

    async def unrung(self, limit: int, older_than: datetime | None, after: int = 0) -> list[InboxRow]:
        """Rows whose bell could not be rung yet, oldest first: Temporal was away, or the process died in between."""
        query = select(webhook_inbox).where(
            webhook_inbox.c.inbox_id > after,
            webhook_inbox.c.rung_at.is_(None),
            webhook_inbox.c.workflow_id.is_not(None),
            webhook_inbox.c.disposition.is_(None),
        )
        if older_than is not None:
            query = query.where(webhook_inbox.c.first_at < older_than)
        return [_row(row) for row in await self._reads.rows(query.order_by(webhook_inbox.c.inbox_id).limit(limit))]

    async def coalesced(self, now: datetime) -> list[InboxRow]:
        """Rows of what was too much of an order, where something came since a last look that is long enough ago."""
        stored = webhook_inbox.c
        again = and_(stored.last_at > stored.rung_at, stored.rung_at <= now - TOGETHER_EVERY)
        query = select(webhook_inbox).where(
            stored.imp_uid == MANY, stored.workflow_id.is_not(None), or_(stored.rung_at.is_(None), again)
        )
        return [_row(row) for row in await self._reads.rows(query.order_by(stored.inbox_id))]

    async def mark_looked_at(self, inbox_id: int, at: datetime) -> None:
        """Note when somebody was last told to look at the order of such a row."""
        async with writing(self._engine) as connection:
            await connection.execute(
                update(webhook_inbox).where(webhook_inbox.c.inbox_id == inbox_id).values(rung_at=at)
            )

    async def page(self, *, merchant_uid: str | None, limit: int, after: int | None) -> list[InboxRow]:
        """A page of webhooks, newest first."""
        query = select(webhook_inbox).order_by(webhook_inbox.c.inbox_id.desc()).limit(limit)
        if merchant_uid is not None:
            query = query.where(webhook_inbox.c.merchant_uid == merchant_uid)
        if after is not None:
            query = query.where(webhook_inbox.c.inbox_id < after)
        return [_row(row) for row in await self._reads.rows(query)]


def _row(row: Row[Any]) -> InboxRow:
    return InboxRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
