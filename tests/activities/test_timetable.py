"""The Temporal Schedules that a worker keeps: made once, changed with the settings, taken away."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import ScheduleActionStartWorkflow, ScheduleOverlapPolicy
from temporalio.service import RPCError

from activities.timetable import DAILY, OFTEN, keep_schedules
from workflows.reconciliation.contracts import StartReconciliation


def every(stack, hours):
    return stack.settings.model_copy(update={"reconcile_every_hours": hours})


@pytest.fixture
async def kept(stack):
    """The schedules as the settings make them; gone afterwards, since the server outlives the test."""
    await keep_schedules(stack.temporal, every(stack, 6), task_queue=stack.task_queue)
    yield stack
    await keep_schedules(stack.temporal, every(stack, 0))


async def described(stack, name):
    return await stack.temporal.get_schedule_handle(name).describe()


async def started_with(stack, schedule):
    action = schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    start, _ = await stack.temporal.data_converter.decode(action.args, [StartReconciliation, type(None)])
    return start


async def test_one_looks_back_three_days_every_six_hours_and_one_five_weeks_every_day(kept):
    often, daily = [(await described(kept, name)).schedule for name in (OFTEN, DAILY)]
    assert often.spec.intervals[0].every == timedelta(hours=6)
    assert (daily.spec.calendars[0].hour[0].start, daily.spec.time_zone_name) == (4, "Asia/Seoul")
    for schedule, days in ((often, 3), (daily, 35)):
        assert schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert schedule.action.workflow == "ReconciliationWorkflow"
        start = await started_with(kept, schedule)
        assert (start.look_back_days, start.horizon_days, start.start) == (days, 80, None)


async def test_every_worker_that_starts_finds_them_there_and_changes_what_the_settings_say(kept):
    await asyncio.gather(*(keep_schedules(kept.temporal, every(kept, 6), task_queue=kept.task_queue) for _ in range(3)))
    await keep_schedules(kept.temporal, every(kept, 2), task_queue=kept.task_queue)
    assert (await described(kept, OFTEN)).schedule.spec.intervals[0].every == timedelta(hours=2)


async def test_what_an_operator_paused_stays_paused(kept):
    await kept.temporal.get_schedule_handle(OFTEN).pause(note="PortOne's maintenance")
    await keep_schedules(kept.temporal, every(kept, 3), task_queue=kept.task_queue)
    state = (await described(kept, OFTEN)).schedule.state
    assert (state.paused, state.note) == (True, "PortOne's maintenance")


async def test_never_takes_them_away_and_never_again_is_no_error(kept):
    for _ in range(2):
        await keep_schedules(kept.temporal, every(kept, 0))
    with pytest.raises(RPCError):
        await described(kept, OFTEN)


async def test_what_it_starts_runs_to_its_end(kept):
    handle = kept.temporal.get_schedule_handle(OFTEN)
    await handle.trigger()
    while not (actions := (await handle.describe()).info.recent_actions):
        await asyncio.sleep(0.05)
    run_id = actions[0].action.workflow_id
    shown = await kept.temporal.get_workflow_handle(run_id).result()
    assert (shown["state"], shown["run_id"]) == ("done", run_id)
    assert [row.run_id for row in await kept.ledger.differences.runs(5)] == [run_id]
