"""The buyer's consents: kept as evidence, never changed."""

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.consent import ConsentEvidence, ConsentNeed
from billing.domain.records import ConsentRecord
from billing.ledger.tables import consents
from billing.ledger.upsert import insert_once

NEED, EVIDENCE = TypeAdapter(ConsentNeed), TypeAdapter(ConsentEvidence | None)


async def keep_consent(connection: AsyncConnection, consent: ConsentRecord) -> None:
    """Keep one question or answer; the same one again is a no-op."""
    values = {
        "consent_id": consent.consent_id,
        "subscription_id": consent.subscription_id,
        "customer_uid": consent.customer_uid,
        "state": consent.state,
        "need": NEED.dump_python(consent.need, mode="json"),
        "evidence": EVIDENCE.dump_python(consent.evidence, mode="json"),
        "at": consent.at,
    }
    await insert_once(connection, consents, values)
