"""Nothing is due that no list shows: a run that cannot go on is noticed from the ledger, told of once, and shown."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from api import overdue
from api.app import create_app
from api.overdue import look
from billing.domain.subscription.reports import LookAgain
from billing.observability import OVERDUE_LOOKED_AT, OVERDUE_PERIODS
from tests.api.requests import assert_problem
from tests.brick import Brick
from tests.facts import current, until
from tests.journeys.owing import HARD, SOFT, declined
from tests.journeys.parked import mispriced, unknowable
from tests.journeys.plans import thirty_days
from tests.line import on_a_line
from tests.reconciled import only_portone_moves, silence
from tests.stack import AUTH, patient_client, served

TOLD = "subscription.overdue"


@pytest.fixture
async def deaf(stack):
    """The whole product, which no webhook reaches."""
    await silence(stack)
    return stack


async def shown(stack, **query):
    answer = await stack.api.get("/v1/parked", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["overdue"]


async def desks(stack):
    """What this process finds overdue, by customer_uid."""
    return [each.record.customer_uid for each in await look(stack.app.state.desk)]


async def due_and_nobody_there(stack, uid, **distance):
    await current(stack, uid)
    await only_portone_moves(stack, uid, **(distance or {"days": 40}))


async def the_run_follows(stack, dev_server, uid):
    """Time passes for the run as well, and it settles what is due."""
    await dev_server.fast_forward(stack.handle(uid), timedelta(days=40))

    async def nothing_overdue():
        return await desks(stack) == []

    assert await until(nothing_overdue)


async def assert_alarm(stack, uid, run_state):
    """It is counted, told of once however often it is looked at, and shown with what its run does."""
    assert await desks(stack) == await desks(stack) == [uid]
    assert OVERDUE_PERIODS.collect()[0].samples[0].value == 1
    assert (await stack.events(uid)).count(TOLD) == 1
    (row,) = await shown(stack, customer_uid=uid)
    assert (row["cycle"], row["status"], row["run"]["state"]) == (2, "active", run_state)
    assert row["overdue_seconds"] > 86_400
    return row


# ---------------------------------------------------------------- the alarm


async def test_a_run_that_an_operator_terminated_is_an_alarm_once_its_period_is_due(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    await deaf.handle(uid).terminate("by an operator")
    assert await desks(deaf) == []
    await only_portone_moves(deaf, uid, days=40)
    row = await assert_alarm(deaf, uid, "terminated")
    (event,) = (await deaf.api.get("/v1/events", params={"customer_uid": uid, "type": TOLD})).json()["events"]
    assert (event["data"]["merchant_uid"], event["data"]["cycle_state"]) == (row["merchant_uid"], "registered")


async def test_a_run_that_fails_at_every_task_is_an_alarm_and_the_list_says_that_it_fails(deaf):
    uid = await deaf.start()
    await due_and_nobody_there(deaf, uid)
    await deaf.stop_worker()
    await deaf.start_worker(workflows=[Brick])
    await deaf.handle(uid).signal("look_again", LookAgain(merchant_uid="", reason="test"))

    async def fails():
        raw = (await deaf.handle(uid).describe()).raw_description
        return raw.HasField("pending_workflow_task") and raw.pending_workflow_task.attempt > 1

    assert await until(fails)
    await assert_alarm(deaf, uid, "failing")


@pytest.mark.soak
async def test_a_run_that_is_gone_from_temporal_is_an_alarm(deaf):
    uid = await deaf.start()
    await due_and_nobody_there(deaf, uid)
    await deaf.handle(uid).terminate("by an operator")
    execution = WorkflowExecution(workflow_id=f"subscription/{uid}")
    request = DeleteWorkflowExecutionRequest(namespace=deaf.temporal.namespace, workflow_execution=execution)
    await deaf.temporal.workflow_service.delete_workflow_execution(request)

    async def gone():
        try:
            await deaf.handle(uid).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    assert await until(gone, timeout_seconds=180)
    await assert_alarm(deaf, uid, "gone")


async def test_a_life_that_another_one_took_the_place_of_is_not_forgotten(deaf):
    uid = await deaf.start()
    await current(deaf, uid)
    await deaf.handle(uid).terminate("by an operator")
    await deaf.start(uid, payment_method={"billing_key": True}, take_over="revoke")
    await deaf.advance(uid, days=40)
    await assert_alarm(deaf, uid, "another_life")


async def test_without_any_worker_it_is_an_alarm_too_and_gone_once_one_is_back(deaf, dev_server):
    uid = await deaf.start()
    await current(deaf, uid)
    await deaf.stop_worker()
    await only_portone_moves(deaf, uid, days=40)
    assert await desks(deaf) == [uid]
    await deaf.start_worker()
    await the_run_follows(deaf, dev_server, uid)
    assert await shown(deaf, customer_uid=uid) == []


async def test_any_number_of_processes_that_look_at_once_tell_of_it_once(deaf):
    uids = [await deaf.start() for _ in range(3)]
    for uid in uids:
        await due_and_nobody_there(deaf, uid)
        await deaf.handle(uid).terminate("by an operator")
    other = create_app(deaf.settings, deaf.ledger, deaf.temporal, task_queue=deaf.task_queue)
    desk = deaf.app.state.desk
    await asyncio.gather(*(look(each) for each in (desk, other.state.desk) * 4))
    for uid in uids:
        assert (await deaf.events(uid)).count(TOLD) == 1


async def test_the_next_period_has_an_event_of_its_own(deaf, dev_server):
    uid = await deaf.start()
    await due_and_nobody_there(deaf, uid)
    assert await desks(deaf) == [uid]
    await the_run_follows(deaf, dev_server, uid)
    await due_and_nobody_there(deaf, uid)
    assert await desks(deaf) == [uid]
    assert (await deaf.events(uid)).count(TOLD) == 2


async def test_a_running_api_looks_by_itself(deaf, monkeypatch):
    uid = await deaf.start()
    await due_and_nobody_there(deaf, uid)
    monkeypatch.setattr(overdue, "LOOK_SECONDS", 0.05)
    OVERDUE_LOOKED_AT.set(0)
    app = create_app(deaf.settings, deaf.ledger, deaf.temporal, task_queue=deaf.task_queue)
    async with served(app) as url:

        async def told():
            return TOLD in await deaf.events(uid)

        assert await until(told)
        async with patient_client(url, headers=AUTH) as api:
            metrics = (await api.get("/metrics")).text
    assert "gudok_overdue_periods 1.0" in metrics
    assert OVERDUE_LOOKED_AT.collect()[0].samples[0].value > 0


# ---------------------------------------------------------------- the list


async def test_the_list_of_what_is_overdue_has_pages_of_its_own(deaf):
    uids = {await deaf.start() for _ in range(3)}
    for uid in uids:
        await due_and_nobody_there(deaf, uid)
    seen, query = [], {"limit": 2}
    while True:
        page = (await deaf.api.get("/v1/parked", params=query)).json()
        assert page["parked"] == []
        seen += [row["customer_uid"] for row in page["overdue"]]
        if page["overdue_next"] is None:
            break
        query["overdue_after"] = page["overdue_next"]
    assert (set(seen), len(seen)) == (uids, 3)
    wrong = await deaf.api.get("/v1/parked", params={"overdue_after": "x"})
    assert_problem(wrong, status=422, code="invalid_cursor", field="overdue_after")


async def test_the_list_is_answered_while_temporal_is_away(deaf):
    uid = await deaf.start()
    await due_and_nobody_there(deaf, uid)
    async with on_a_line(deaf) as line:
        line.cut()
        (row,) = await shown(deaf, customer_uid=uid)
    assert row["run"]["state"] == "unknown"


async def test_the_leeway_is_as_long_as_the_settings_say(deaf):
    uid = await deaf.start()
    await due_and_nobody_there(deaf, uid, days=33)
    desk = deaf.app.state.desk
    longer = dataclasses.replace(desk, settings=desk.settings.model_copy(update={"overdue_minutes": 10_080}))
    assert [len(await look(each)) for each in (desk, longer)] == [1, 0]
    await only_portone_moves(deaf, uid, days=7)
    assert [len(await look(each)) for each in (desk, longer)] == [1, 1]


# ---------------------------------------------------------------- no alarm


async def paused(stack):
    uid = await stack.start()
    await stack.order(uid, "pause", reason="holiday")
    await stack.advance(uid, days=70)
    return uid


async def gated(stack):
    uid = await stack.start(plan=thirty_days(consent_required=True, trial_days=40))
    await stack.advance(uid, days=20)
    return uid


async def in_dunning(stack):
    uid, _ = await declined(stack, SOFT)
    return uid


async def waiting_for_another_card(stack):
    uid, _ = await declined(stack, HARD)
    await stack.advance(uid, days=10)
    return uid


async def left_unpaid_after_every_retry(stack):
    uid, _ = await declined(stack, SOFT, after_days=[1], end_action="unpaid")
    await stack.advance(uid, days=60)
    return uid


async def on_trial(stack):
    uid = await stack.start(plan=thirty_days(trial_days=20))
    await stack.advance(uid, days=10)
    return uid


async def ended(stack):
    uid = await stack.start()
    await stack.order(uid, "cancel", at="now")
    await only_portone_moves(stack, uid, days=70)
    return uid


async def paid_for_months(stack):
    uid = await stack.start()
    await stack.advance(uid, days=100)
    return uid


async def parked_as_mismatch(stack):
    uid, _ = await mispriced(stack)
    await stack.advance(uid, days=70)
    return uid


async def parked_as_unknown(stack):
    uid, _, _ = await unknowable(stack)
    return uid


@pytest.mark.parametrize(
    "story",
    [
        paused,
        gated,
        in_dunning,
        waiting_for_another_card,
        left_unpaid_after_every_retry,
        on_trial,
        ended,
        paid_for_months,
        parked_as_mismatch,
        parked_as_unknown,
    ],
    ids=lambda story: story.__name__,
)
async def test_what_stands_in_a_state_that_says_why_is_no_alarm(stack, story):
    uid = await story(stack)
    assert await desks(stack) == []
    assert await shown(stack, customer_uid=uid) == []
    assert TOLD not in await stack.events(uid)
    assert OVERDUE_PERIODS.collect()[0].samples[0].value == 0
