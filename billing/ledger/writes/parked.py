"""What stands parked, and what was decided of it."""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.parked import DecisionRecord, ParkedRecord
from billing.ledger.tables import decisions, parked
from billing.ledger.upsert import insert_once, upsert


async def write_parked(connection: AsyncConnection, record: ParkedRecord) -> None:
    """Write what stands, or that it stands no longer; an older word of its owner changes nothing."""
    values = {
        "parked_id": record.parked_id,
        "kind": record.kind,
        "workflow_id": record.workflow_id,
        "customer_uid": record.customer_uid,
        "subscription_id": record.subscription_id,
        "reason": record.reason,
        "known": list(record.known),
        "merchant_uid": record.merchant_uid,
        "imp_uid": record.imp_uid,
        "parked_at": record.parked_at,
        "closed_at": record.closed_at,
        "revision": record.revision,
    }
    await upsert(
        connection,
        parked,
        values,
        changes=["reason", "known", "imp_uid", "closed_at", "revision"],
        only_if=_is_newer,
        compare=False,
    )


async def keep_decision(connection: AsyncConnection, record: DecisionRecord) -> None:
    """Keep what a person decided; the same again is a no-op."""
    values = {
        "decision_id": record.decision_id,
        "parked_id": record.parked_id,
        "kind": record.kind,
        "workflow_id": record.workflow_id,
        "customer_uid": record.customer_uid,
        "subscription_id": record.subscription_id,
        "merchant_uid": record.merchant_uid,
        "imp_uid": record.imp_uid,
        "parked_reason": record.parked_reason,
        "decision": record.decision,
        "by": record.by,
        "reason": record.reason,
        "at": record.at,
    }
    await insert_once(connection, decisions, values)


def _is_newer(fresh: Any) -> ColumnElement[bool]:
    newer: ColumnElement[bool] = parked.c.revision < fresh.revision
    return newer
