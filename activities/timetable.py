"""The Temporal Schedules that every worker keeps: made when it starts, and set right when the settings change.

What an operator does to them in the Temporal UI (a pause, a note) is left as it is.
"""

import dataclasses
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from billing.settings import Settings
from workflows.contracts import BILLING_TASK_QUEUE
from workflows.reconciliation.contracts import StartReconciliation
from workflows.reconciliation.workflow import ReconciliationWorkflow

OFTEN, DAILY = "reconciliation", "reconciliation-daily"
"""The ids of the schedules, and what the workflow ids of their runs begin with."""

RECENT_DAYS = 3
"""How far back the frequent one looks: a weekend of outage is inside."""

LONG_DAYS = 35
"""How far back the daily one looks: a late approval, or a refund of the period before, is inside."""

_DAILY_HOUR, _DAILY_MINUTE = 4, 30
# Half past four in Korea: after PortOne's own nightly work, before anybody reads the list.
_ZONE = "Asia/Seoul"

# After an outage one run makes up for all that were missed.
_CATCH_UP = timedelta(hours=1)
_JITTER = timedelta(minutes=5)


async def keep_schedules(temporal: Client, settings: Settings, *, task_queue: str = BILLING_TASK_QUEUE) -> None:
    """Make the schedules as the settings say, change them, or take them away; doing it again changes nothing."""
    hours = settings.reconcile_every_hours
    if hours == 0:
        for name in (OFTEN, DAILY):
            await _remove(temporal, name)
        return
    often = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=hours))], jitter=_JITTER)
    daily = ScheduleSpec(
        calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(_DAILY_HOUR)], minute=[ScheduleRange(_DAILY_MINUTE)])],
        jitter=_JITTER,
        time_zone_name=_ZONE,
    )
    for name, spec, days in ((OFTEN, often, RECENT_DAYS), (DAILY, daily, LONG_DAYS)):
        start = StartReconciliation(look_back_days=days, horizon_days=settings.schedule_horizon_days)
        await _keep(temporal, name, _schedule(name, spec, start, task_queue))


def _schedule(name: str, spec: ScheduleSpec, start: StartReconciliation, task_queue: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReconciliationWorkflow.run,
            args=[start, None],
            id=name,
            task_queue=task_queue,
            static_summary=f"PortOne against the ledger and the workflows, {start.look_back_days} days back",
        ),
        spec=spec,
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )


async def _keep(temporal: Client, name: str, schedule: Schedule) -> None:
    try:
        await temporal.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:

        def as_wanted(found: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(dataclasses.replace(schedule, state=found.description.schedule.state))

        await temporal.get_schedule_handle(name).update(as_wanted)


async def _remove(temporal: Client, name: str) -> None:
    try:
        await temporal.get_schedule_handle(name).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
