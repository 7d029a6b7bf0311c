"""What became of a webhook after its payment was looked up."""

from sqlalchemy import bindparam, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.records import Disposition, WebhookDisposition
from billing.ledger.tables import webhook_inbox

_STORED = webhook_inbox.c
_CLOSE = update(webhook_inbox).where(
    _STORED.merchant_uid == bindparam("order"),
    _STORED.imp_uid == bindparam("payment"),
    _STORED.status == bindparam("said"),
    # What nobody knew when it came may become known; that is no contradiction.
    or_(_STORED.disposition.is_(None), _STORED.disposition == Disposition.UNKNOWN_ORDER),
)


async def close_webhook(connection: AsyncConnection, webhook: WebhookDisposition) -> None:
    """Close the inbox rows of one reported payment; a row that is closed stays as it was closed."""
    said = {"order": webhook.merchant_uid, "payment": webhook.imp_uid, "said": webhook.status}
    await connection.execute(_CLOSE, {**said, "disposition": webhook.disposition})
