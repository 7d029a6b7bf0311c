"""What will be charged, asked of the run itself, at its present moment."""

from datetime import datetime, timedelta
from typing import TypeVar

from temporalio.client import WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from api.commanding import ended
from api.dependencies import Desk
from api.errors import Problem
from api.failures import cannot_go_on, run_cannot_go_on
from api.running import AWAY, is_gone, temporal_unavailable
from billing.domain.subscription.answers import CancelPreview, Preview
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.ledger import SubscriptionRow
from workflows.subscription.commands.cancel import CancelSubscription
from workflows.subscription.commands.change_plan import ChangePlan
from workflows.subscription.commands.skip import SkipPeriods
from workflows.subscription.workflow import SubscriptionWorkflow

PATIENCE = timedelta(seconds=10)
"""How long a worker may take to answer a query: it may have to replay the run first."""


async def ask(desk: Desk, record: SubscriptionRow, order: ChangePlan | None) -> Preview:
    """The next bill, or what `order` would cost; nothing is changed by asking.

    Raises:
        Problem: 409 when the subscription has ended, 503 while nobody answers, or the run cannot go on.
    """
    return await _asked(desk, record, "preview", order, Preview)


async def ask_cancel(desk: Desk, record: SubscriptionRow, order: CancelSubscription) -> CancelPreview:
    """What a cancel would give back now; nothing is changed by asking.

    Raises:
        Problem: as `ask`.
    """
    return await _asked(desk, record, "preview_cancel", order, CancelPreview)


async def ask_skip(desk: Desk, record: SubscriptionRow, message: SkipPeriods) -> Preview:
    """When the next charge would be after that skip, and what it would be; nothing is changed by asking.

    Raises:
        Problem: as `ask`.
    """
    return await _asked(desk, record, "preview_skip", message, Preview)


_Told = TypeVar("_Told", Preview, CancelPreview)


async def _asked(
    desk: Desk,
    record: SubscriptionRow,
    name: str,
    order: ChangePlan | CancelSubscription | SkipPeriods | None,
    told: type[_Told],
) -> _Told:
    handle = desk.temporal.get_workflow_handle_for(SubscriptionWorkflow.run, record.workflow_id)
    try:
        at = await _present(desk, handle) if order is not None else None
        preview: _Told = await handle.query(name, args=[order, at], result_type=told, rpc_timeout=PATIENCE)
    except WorkflowQueryFailedError:
        # Nothing of ours fails there: a run of an older build does not know this question, or `ASK_AGAIN`.
        raise Problem(503, "preview_unavailable", "the run cannot answer at this moment; ask again") from None
    except RPCError as error:
        if is_gone(error):
            raise ended() from None
        if cannot_go_on(error):
            raise run_cannot_go_on() from None
        if error.status in AWAY:
            raise temporal_unavailable() from None
        raise
    return preview


async def _present(desk: Desk, handle: WorkflowHandle[SubscriptionWorkflow, SubscriptionSnapshot]) -> datetime:
    """The present moment of a run, whose clock may have been moved (`gudok clock advance`)."""
    described = (await handle.describe(rpc_timeout=PATIENCE)).raw_description.workflow_extended_info
    if not described.HasField("time_skipping_info"):
        return desk.now()
    return described.time_skipping_info.current_time.ToDatetime(tzinfo=desk.now().tzinfo)
