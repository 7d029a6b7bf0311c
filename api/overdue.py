"""Noticing that nothing settles what is due: counted, told of once, and shown with what its run does instead.

Every process of the api looks, and any number of them at once: an event has one name for each period, and is written
once. It needs no worker, since a period that no worker settles is what it is there to find.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from api.dependencies import Desk
from api.event_bell import ring
from api.repeating import repeating
from api.running import is_gone
from billing.clocks import Clocks, ClocksAwayError
from billing.domain.clock import Clock
from billing.domain.overdue import OverduePeriod, overdue_event, overdue_event_id
from billing.domain.records import LedgerEntry
from billing.ledger import Cursor
from billing.observability import OVERDUE_LOOKED_AT, OVERDUE_PERIODS

LOOK_SECONDS = 60.0
"""How often what is overdue is looked for: a minute is little beside the leeway, and the query reads an index."""

MOST_COUNTED = 1_000
"""As many are counted and told of in one look; more than that are one outage, and come with the next looks."""

_RPC = timedelta(seconds=5)


async def overdue_periods(
    desk: Desk, *, customer_uid: str | None = None, limit: int = 50, after: Cursor | None = None
) -> list[OverduePeriod]:
    """A page of what is overdue now, each by the clock that it lives by."""
    try:
        clock = await Clocks(desk.settings).read(desk.now())
    except ClocksAwayError:
        # A list is asked for by a person: what is overdue by this machine's clock is overdue by any.
        clock = Clock(desk.now())
    return await desk.ledger.overdue.page(clock, _leeway(desk), customer_uid=customer_uid, limit=limit, after=after)


async def look(desk: Desk) -> list[OverduePeriod]:
    """Count what is overdue, and tell of each period that was not told of before; answers what is overdue.

    Raises:
        ClocksAwayError: the test clocks do not answer: then nobody knows what is due.
    """
    clock = await Clocks(desk.settings).read(desk.now())
    found: list[OverduePeriod] = []
    after: Cursor | None = None
    while len(found) < MOST_COUNTED:
        page = await desk.ledger.overdue.page(clock, _leeway(desk), limit=_AT_ONCE, after=after)
        await _tell(desk, page)
        found += page
        if len(page) < _AT_ONCE:
            break
        after = cursor_of(page[-1])
    OVERDUE_PERIODS.set(len(found))
    OVERDUE_LOOKED_AT.set(desk.now().timestamp())
    return found


_AT_ONCE = 200


async def _tell(desk: Desk, found: list[OverduePeriod]) -> None:
    known = await desk.ledger.overdue.announced([overdue_event_id(each.record) for each in found])
    for each in found:
        if overdue_event_id(each.record) not in known:
            await ring(desk, await desk.ledger.record(LedgerEntry(events=(overdue_event(each),))))


@contextlib.asynccontextmanager
async def looking_for_overdue(desk: Desk) -> AsyncIterator[None]:
    """Look in the background until the block ends."""

    async def once() -> None:
        await look(desk)

    async with repeating("look for overdue periods", LOOK_SECONDS, once):
        yield


def cursor_of(found: OverduePeriod) -> Cursor:
    """Where a list that ends with this one goes on."""
    return Cursor(found.due_by, found.record.subscription_id)


def _leeway(desk: Desk) -> timedelta:
    return timedelta(minutes=desk.settings.overdue_minutes)


async def run_of(desk: Desk, found: OverduePeriod) -> dict[str, Any]:
    """What Temporal says of the run that should settle it, for people.

    `state` is `gone`, `another_life` (a later subscription of the same customer_uid has taken its place), `failing`
    (its workflow task fails again and again), `waiting` (an activity is tried again and again), `running`, Temporal's
    word for how it ended, or `unknown` while Temporal is away.
    """
    record = found.record
    newest = await desk.ledger.get_subscription(record.customer_uid)
    if newest is not None and newest.subscription_id != record.subscription_id:
        return {"state": "another_life", "retrying": []}
    try:
        description = await desk.temporal.get_workflow_handle(record.workflow_id).describe(rpc_timeout=_RPC)
    except RPCError as error:
        return {"state": "gone" if is_gone(error) else "unknown", "retrying": []}
    status = description.status
    if status is not WorkflowExecutionStatus.RUNNING:
        return {"state": status.name.lower() if status else "unknown", "retrying": []}
    raw = description.raw_description
    retrying = [each.activity_type.name for each in raw.pending_activities if each.attempt > 1]
    if raw.HasField("pending_workflow_task") and raw.pending_workflow_task.attempt > 1:
        return {"state": "failing", "retrying": retrying}
    return {"state": "waiting" if retrying else "running", "retrying": retrying}
