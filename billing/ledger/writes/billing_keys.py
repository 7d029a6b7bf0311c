"""Billing keys, masked: which card PortOne charges under a customer_uid, and whether the key is gone."""

from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.facts import BillingKeyFact, mask_to_last_four
from billing.ledger.tables import billing_keys
from billing.ledger.upsert import upsert


async def write_billing_key(connection: AsyncConnection, key: BillingKeyFact) -> None:
    """Keep a key that PortOne has; one issued before the stored one changes nothing."""
    values = {
        "customer_uid": key.customer_uid,
        "pg_provider": key.pg_provider,
        "pg_id": key.pg_id,
        "card_name": key.card_name,
        "card_number": mask_to_last_four(key.card_number),
        "card_type": key.card_type,
        "customer_id": key.customer_id,
        "issued_at": key.inserted_at,
        "changed_at": key.updated_at,
        "sandbox": key.sandbox,
        "deleted": False,
    }
    await upsert(
        connection,
        billing_keys,
        values,
        changes=[name for name in values if name != "customer_uid"],
        only_if=None if key.inserted_at is None else _is_not_older,
    )


async def write_deleted_billing_key(connection: AsyncConnection, customer_uid: str) -> None:
    """Mark a key as deleted; its masked card stays readable."""
    await upsert(connection, billing_keys, {"customer_uid": customer_uid, "deleted": True}, changes=["deleted"])


def _is_not_older(fresh: Any) -> ColumnElement[bool]:
    return or_(billing_keys.c.issued_at.is_(None), billing_keys.c.issued_at <= fresh.issued_at)
