"""The webhook inbox: every webhook is stored before it is answered, and counted when it comes again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.records import Disposition
from billing.ledger.reads import Reads
from billing.ledger.rows import InboxReceipt, InboxRow, ReceivedWebhook
from billing.ledger.tables import charges, webhook_inbox
from billing.ledger.writes import insert_into

UNIQUE = ["imp_uid", "merchant_uid", "status", "cancellation_id"]


class Inbox:
    """Receives webhooks, remembers which bells are still to be rung."""

    def __init__(self, engine: AsyncEngine, reads: Reads) -> None:
        self._engine = engine
        self._reads = reads

    async def receive(self, hook: ReceivedWebhook, at: datetime) -> InboxReceipt:
        """Store a webhook, or count it when it is known; the workflow is the given one or that of the order."""
        async with self._engine.begin() as connection:
            workflow_id = hook.workflow_id
            if workflow_id is None:
                order = select(charges.c.workflow_id).where(charges.c.merchant_uid == hook.merchant_uid)
                workflow_id = (await connection.execute(order)).scalar()
            insert = insert_into(connection, webhook_inbox).values(
                imp_uid=hook.imp_uid,
                merchant_uid=hook.merchant_uid,
                status=hook.status,
                cancellation_id=hook.cancellation_id,
                route=hook.route,
                workflow_id=workflow_id,
                count=1,
                disposition=None if workflow_id else Disposition.UNKNOWN_ORDER.value,
                first_at=at,
                last_at=at,
            )
            upsert = insert.on_conflict_do_update(
                index_elements=UNIQUE, set_={"count": webhook_inbox.c.count + 1, "last_at": at}
            )
            columns = (webhook_inbox.c.inbox_id, webhook_inbox.c.count, webhook_inbox.c.workflow_id)
            inbox_id, count, known_workflow_id = (await connection.execute(upsert.returning(*columns))).one()
        return InboxReceipt(inbox_id, count == 1, count, known_workflow_id)

    async def mark_rung(self, inbox_id: int, at: datetime) -> None:
        """Note that the workflow's bell was rung for this row."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(webhook_inbox).where(webhook_inbox.c.inbox_id == inbox_id).values(rung_at=at)
            )

    async def unrung(self, limit: int, older_than: datetime | None) -> list[InboxRow]:
        """Rows whose bell could not be rung yet, oldest first: Temporal was away, or the process died in between."""
        query = select(webhook_inbox).where(
            webhook_inbox.c.rung_at.is_(None),
            webhook_inbox.c.workflow_id.is_not(None),
            webhook_inbox.c.disposition.is_(None),
        )
        if older_than is not None:
            query = query.where(webhook_inbox.c.first_at < older_than)
        return [_row(row) for row in await self._reads.rows(query.order_by(webhook_inbox.c.inbox_id).limit(limit))]

    async def list(self, merchant_uid: str | None = None, limit: int = 1000) -> list[InboxRow]:
        """Webhooks received, newest first."""
        query = select(webhook_inbox).order_by(webhook_inbox.c.inbox_id.desc()).limit(limit)
        if merchant_uid is not None:
            query = query.where(webhook_inbox.c.merchant_uid == merchant_uid)
        return [_row(row) for row in await self._reads.rows(query)]


def _row(row: Row[Any]) -> InboxRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    disposition = values.pop("disposition")
    return InboxRow(disposition=Disposition(disposition) if disposition else None, **values)
