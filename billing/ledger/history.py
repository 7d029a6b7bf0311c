"""The whole history of one customer_uid as one list: events, what was found of charges, refunds and webhooks."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, String, cast, literal, null, or_, select, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.ledger.engine import reading
from billing.ledger.event_rows import HistoryRow
from billing.ledger.event_tables import events
from billing.ledger.tables import charge_results, charges, refunds, subscriptions, webhook_inbox
from billing.ledger.types import Words


async def history(
    engine: AsyncEngine, customer_uid: str, *, limit: int, after: tuple[datetime, str] | None
) -> list[HistoryRow]:
    """A page of it, oldest first, over every life of its subscription; `after` is the instant and id last seen."""
    lives = select(subscriptions.c.subscription_id).where(subscriptions.c.customer_uid == customer_uid)
    orders = select(charges.c.merchant_uid).where(
        or_(charges.c.customer_uid == customer_uid, charges.c.subscription_id.in_(lives))
    )
    lines = union_all(
        _events().where(events.c.customer_uid == customer_uid),
        _charges().where(charge_results.c.merchant_uid.in_(orders)),
        _refunds().where(refunds.c.merchant_uid.in_(orders)),
        _webhooks().where(webhook_inbox.c.merchant_uid.in_(orders)),
    ).subquery()
    query = select(lines).order_by(lines.c.at, lines.c.id).limit(limit)
    if after is not None:
        at, last = after
        query = query.where(or_(lines.c.at > at, (lines.c.at == at) & (lines.c.id > last)))
    async with reading(engine) as connection:
        rows = (await connection.execute(query)).all()
    return [HistoryRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


def _events() -> Select[Any]:
    row = events.c
    return select(
        row.at,
        literal("event").label("kind"),
        ("event:" + row.event_id).label("id"),
        row.type.label("name"),
        row.summary.label("text"),
        row.merchant_uid,
        type_coerce(null(), Words).label("imp_uid"),
        type_coerce(null(), charges.c.amount.type).label("amount"),
        type_coerce(null(), Words).label("currency"),
    )


def _charges() -> Select[Any]:
    row = charge_results.c
    return select(
        row.at,
        literal("charge"),
        "charge:" + cast(row.result_id, String),
        type_coerce(row.state, Words),
        row.message,
        row.merchant_uid,
        row.imp_uid,
        charges.c.amount,
        charges.c.currency,
    ).join(charges, charges.c.merchant_uid == row.merchant_uid)


def _refunds() -> Select[Any]:
    row = refunds.c
    return select(
        row.state_at,
        literal("refund"),
        "refund:" + row.refund_id,
        type_coerce(row.state, Words),
        row.message,
        row.merchant_uid,
        row.imp_uid,
        row.amount,
        row.currency,
    )


def _webhooks() -> Select[Any]:
    row = webhook_inbox.c
    return select(
        row.first_at,
        literal("webhook"),
        "webhook:" + cast(row.inbox_id, String),
        row.status,
        type_coerce(row.disposition, Words),
        row.merchant_uid,
        row.imp_uid,
        type_coerce(null(), charges.c.amount.type),
        type_coerce(null(), Words),
    )
