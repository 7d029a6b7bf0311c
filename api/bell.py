"""Ringing a workflow's bell: a signal with ids only, now if Temporal is there, later if not."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from enum import Enum, auto

from temporalio.service import RPCError, RPCStatusCode

from api.dependencies import Desk
from api.repeating import repeating
from api.running import is_gone
from billing import fail_points
from billing.domain.records import Disposition, LedgerEntry, WebhookDisposition
from billing.domain.states import CycleState
from billing.domain.subscription.reports import LookAgain, PaymentReported
from billing.domain.subscription.start import subscription_workflow_id
from billing.ledger import ReceivedWebhook
from billing.observability import WEBHOOKS
from workflows.unexpected_payment.contracts import ReportedFact
from workflows.unexpected_payment.reporting import report_fact

SWEEP_SECONDS = 5.0
"""How soon a bell that could not be rung is tried again."""

GRACE_SECONDS = 3.0
"""How old a row must be before the sweep takes it: younger ones are being rung by the request itself."""

RPC_TIMEOUT = timedelta(seconds=5)

_SUBSCRIPTION = subscription_workflow_id("")

_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.INTERNAL,
    }
)
"""Answers that say something of Temporal and nothing of the one bell: no other would fare better now."""


class Rung(Enum):
    """What became of ringing: done, to be tried again once Temporal is back, or refused for this one bell."""

    DONE = auto()
    AWAY = auto()
    REFUSED = auto()


async def ring(desk: Desk, inbox_id: int, workflow_id: str, hook: ReceivedWebhook) -> Rung:
    """Signal the workflow, and note it; where it has ended, the payment is looked into by a workflow of its own."""
    bell = PaymentReported(
        imp_uid=hook.imp_uid,
        merchant_uid=hook.merchant_uid,
        status=hook.status,
        cancellation_id=hook.cancellation_id,
    )
    if fail_points.ARE_ON:
        fail_points.reach("before payment_reported", hook.merchant_uid)
    try:
        handle = desk.temporal.get_workflow_handle(workflow_id)
        try:
            await handle.signal("payment_reported", bell, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if not is_gone(error):
                raise
            await _tell_of_a_late_fact(desk, bell)
    except RPCError as error:
        return Rung.AWAY if error.status in _AWAY else Rung.REFUSED
    if fail_points.ARE_ON:
        fail_points.reach("after payment_reported", hook.merchant_uid)
    await desk.ledger.mark_rung(inbox_id, desk.now())
    return Rung.DONE


async def _tell_of_a_late_fact(desk: Desk, bell: PaymentReported) -> None:
    """Nobody listens any more: what the ledger has already is only counted, and everything else is looked into."""
    charge = await desk.ledger.get_charge(bell.merchant_uid)
    booked = charge is not None and (charge.state, charge.imp_uid) == (CycleState.PAID, bell.imp_uid)
    if booked and bell.status == "paid":
        WEBHOOKS.labels("stale").inc()
        stale = WebhookDisposition(bell.merchant_uid, bell.imp_uid, bell.status, Disposition.STALE)
        await desk.ledger.record(LedgerEntry(webhooks=(stale,)))
        return
    WEBHOOKS.labels("late").inc()
    await report_fact(desk.temporal, desk.task_queue, ReportedFact(**bell.model_dump()))


async def sweep(desk: Desk) -> None:
    """Ring every bell that is still to be rung; one that Temporal refuses holds up none of those behind it."""
    older_than, after = desk.now() - timedelta(seconds=GRACE_SECONDS), 0
    while rows := await desk.ledger.unrung_webhooks(older_than=older_than, after=after):
        for row in rows:
            after = row.inbox_id
            if row.workflow_id is None:
                continue
            hook = ReceivedWebhook(row.imp_uid, row.merchant_uid, row.status, row.route, row.cancellation_id)
            if await ring(desk, row.inbox_id, row.workflow_id, hook) is Rung.AWAY:
                return


async def look_at_crowded_orders(desk: Desk) -> None:
    """Let each order of which too many webhooks came be looked at as a whole, once in a while."""
    # Taken before anybody looks: what comes meanwhile may not be seen any more, and has its look later.
    at = desk.now()
    for row in await desk.ledger.orders_to_look_at(at):
        if row.workflow_id is None:
            continue
        try:
            await _look_at_order(desk, row.workflow_id, row.merchant_uid)
        except RPCError as error:
            if error.status in _AWAY:
                return
        await desk.ledger.mark_looked_at(row.inbox_id, at)


async def _look_at_order(desk: Desk, workflow_id: str, merchant_uid: str) -> None:
    """Tell the subscription to look; where none listens, the payment that the ledger has of the order is looked into.

    What else may have come for such an order is left to reconciliation: the ids were not kept.
    """
    if workflow_id.startswith(_SUBSCRIPTION):
        look = LookAgain(merchant_uid=merchant_uid, reason="webhooks")
        try:
            await desk.temporal.get_workflow_handle(workflow_id).signal("look_again", look, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if not is_gone(error):
                raise
        else:
            return
    charge = await desk.ledger.get_charge(merchant_uid)
    if charge is not None and charge.imp_uid is not None:
        fact = ReportedFact(imp_uid=charge.imp_uid, merchant_uid=merchant_uid, status="", cancellation_id="")
        await report_fact(desk.temporal, desk.task_queue, fact)


@contextlib.asynccontextmanager
async def sweeping(desk: Desk) -> AsyncIterator[None]:
    """Sweep in the background until the block ends."""

    async def once() -> None:
        await desk.vault.purge(desk.now())
        await sweep(desk)
        await look_at_crowded_orders(desk)

    async with repeating("webhook sweep", SWEEP_SECONDS, once):
        yield
