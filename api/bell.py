"""Ringing a workflow's bell: a signal with ids only, now if Temporal is there, later if not."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.service import RPCError

from api.dependencies import Desk
from api.repeating import repeating
from api.running import is_gone
from billing.domain.records import Disposition, LedgerEntry, WebhookDisposition
from billing.ledger import ReceivedWebhook
from billing.observability import WEBHOOKS
from workflows.contracts import PaymentReported

SWEEP_SECONDS = 5.0
"""How soon a bell that could not be rung is tried again."""

GRACE_SECONDS = 3.0
"""How old a row must be before the sweep takes it: younger ones are being rung by the request itself."""

RPC_TIMEOUT = timedelta(seconds=5)


async def ring(desk: Desk, inbox_id: int, workflow_id: str, hook: ReceivedWebhook) -> bool:
    """Signal the workflow, and note it; False when Temporal is away and the sweep has to try again."""
    bell = PaymentReported(
        imp_uid=hook.imp_uid,
        merchant_uid=hook.merchant_uid,
        status=hook.status,
        cancellation_id=hook.cancellation_id,
    )
    try:
        handle = desk.temporal.get_workflow_handle(workflow_id)
        await handle.signal("payment_reported", bell, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if not is_gone(error):
            return False
        # The workflow has ended: nobody is left to look. The row says so, and reconciliation finds what it missed.
        WEBHOOKS.labels("stale").inc()
        stale = WebhookDisposition(hook.merchant_uid, hook.imp_uid, hook.status, Disposition.STALE)
        await desk.ledger.record(LedgerEntry(webhooks=(stale,)))
    await desk.ledger.mark_rung(inbox_id, desk.now())
    return True


async def sweep(desk: Desk) -> None:
    """Ring every bell that is still to be rung; stops at the first that cannot be."""
    older_than = desk.now() - timedelta(seconds=GRACE_SECONDS)
    for row in await desk.ledger.unrung_webhooks(older_than=older_than):
        hook = ReceivedWebhook(row.imp_uid, row.merchant_uid, row.status, row.route, row.cancellation_id)
        if row.workflow_id is not None and not await ring(desk, row.inbox_id, row.workflow_id, hook):
            return


@contextlib.asynccontextmanager
async def sweeping(desk: Desk) -> AsyncIterator[None]:
    """Sweep in the background until the block ends."""

    async def once() -> None:
        await desk.vault.purge(desk.now())
        await sweep(desk)

    async with repeating("webhook sweep", SWEEP_SECONDS, once):
        yield
