"""What became of a webhook after its payment was looked up."""

from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.records import Disposition, WebhookDisposition
from billing.ledger.tables import webhook_inbox


async def close_webhook(connection: AsyncConnection, webhook: WebhookDisposition) -> None:
    """Close the inbox rows of one reported payment; a row that is closed stays as it was closed."""
    disposition = webhook_inbox.c.disposition
    await connection.execute(
        update(webhook_inbox)
        .where(
            webhook_inbox.c.merchant_uid == webhook.merchant_uid,
            webhook_inbox.c.imp_uid == webhook.imp_uid,
            webhook_inbox.c.status == webhook.status,
            # What nobody knew when it came may become known; that is no contradiction.
            or_(disposition.is_(None), disposition == Disposition.UNKNOWN_ORDER),
        )
        .values(disposition=webhook.disposition)
    )
