"""Events arrive: in order, at least once, over three days, and nowhere they should not."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.ledger import LedgerActivities
from api import event_bell
from billing.domain.delivery import MAX_ATTEMPTS
from billing.domain.event_data import ChargeData
from billing.domain.records import LedgerEntry
from billing.ledger import Deliveries
from billing.temporal import connect
from tests.deploy.fleet import Fleet
from tests.events.conftest import body_of, paid
from tests.patience import PATIENCE_SECONDS
from worker import create_event_worker
from workflows.events import delivery_bell
from workflows.events.workflow import EventDeliveryWorkflow

COMPLETED = WorkflowExecutionStatus.COMPLETED


# ---------------------------------------------------------------- in order


async def test_later_events_wait_while_an_endpoint_fails_and_others_do_not(telling, receiver):
    target = await telling.endpoint(receiver)
    first, second, third, other = paid("kim"), paid("kim"), paid("kim"), paid("lee")
    receiver.answers[first.event_id] = [500, 503]
    await telling.tell(first, second, third)
    await receiver.wait_for(1)
    await telling.tell(other)
    await telling.ended(target, "lee")
    await telling.advance(target, "kim", seconds=6)
    assert receiver.ids() == [other.event_id]
    assert receiver.ids(500) == receiver.ids(503) == [first.event_id]
    await telling.advance(target, "kim", minutes=6)
    await telling.ended(target, "kim")
    assert receiver.ids() == [other.event_id, first.event_id, second.event_id, third.event_id]


async def test_an_endpoint_that_fails_does_not_keep_another_waiting(telling, receiver):
    failing = await telling.endpoint(receiver, "/failing")
    well = await telling.endpoint(receiver, "/well")
    told = paid("kim")
    receiver.answers["*"] = [500]
    await telling.tell(told)
    await receiver.wait_for(2)
    await asyncio.gather(*(telling.idle(endpoint, "kim") for endpoint in (failing, well)))
    states = {endpoint["endpoint_id"]: await telling.state(told, endpoint) for endpoint in (failing, well)}
    assert sorted(states.values()) == ["delivered", "pending"]


async def test_what_is_told_while_a_run_is_ending_is_delivered(telling, receiver):
    target = await telling.endpoint(receiver)
    told = [paid("kim") for _ in range(30)]
    for event in told:
        # Each of them meets the run at another moment of its coming and going.
        await telling.tell(event)
        await asyncio.sleep(0.003 * (len(receiver.got) % 7))
    await receiver.wait_for(30)
    await telling.ended(target, "kim")
    assert receiver.ids() == [event.event_id for event in told]


async def test_a_run_that_continues_as_new_loses_nothing_and_doubles_nothing(telling, receiver, monkeypatch):
    short = delivery_bell.StartEventDelivery
    monkeypatch.setattr(delivery_bell, "StartEventDelivery", lambda **ids: short(**ids, roll_after_events=40))
    target = await telling.endpoint(receiver)
    # Temporal lets a run continue as new once a second.
    told = [paid("kim") for _ in range(8)]
    await telling.tell(*told)
    await receiver.wait_for(8)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await telling.status(target, "kim") is not COMPLETED:
            await asyncio.sleep(0.05)
    assert receiver.ids() == [event.event_id for event in told]
    description = await telling.handle(target, "kim").describe()
    assert description.raw_description.workflow_execution_info.first_run_id != description.run_id


# ---------------------------------------------------------------- three days


async def test_an_event_is_tried_ten_times_over_three_days_then_parked_and_the_next_has_its_turn(telling, receiver):
    target = await telling.endpoint(receiver)
    first, second = paid("kim"), paid("kim")
    receiver.answers[first.event_id] = [500] * MAX_ATTEMPTS
    await telling.tell(first, second)
    await receiver.wait_for(1)
    await telling.advance(target, "kim", days=3)
    assert receiver.ids(500) == [first.event_id] * (MAX_ATTEMPTS - 1)
    assert receiver.ids() == []
    await telling.advance(target, "kim", days=1)
    await telling.ended(target, "kim")
    assert receiver.ids(500) == [first.event_id] * MAX_ATTEMPTS
    assert receiver.ids() == [second.event_id]
    (parked,) = await telling.deliveries(state="parked")
    assert (parked["event_id"], parked["attempts"], parked["last_status"]) == (first.event_id, MAX_ATTEMPTS, 500)


async def test_a_parked_event_is_replayed_under_the_same_id(telling, receiver):
    target = await telling.endpoint(receiver)
    told = paid("kim")
    receiver.answers[told.event_id] = [500] * MAX_ATTEMPTS
    await telling.tell(told)
    await receiver.wait_for(1)
    await telling.advance(target, "kim", days=4)
    await telling.ended(target, "kim")
    answer = await telling.stack.api.post(f"/v1/events/{told.event_id}/replay")
    assert (answer.status_code, answer.json()["endpoint_ids"]) == (202, [target["endpoint_id"]])
    await receiver.wait_for(MAX_ATTEMPTS + 1)
    assert receiver.ids() == [told.event_id]
    assert len({each["body"] for each in receiver.got}) == 1
    assert await telling.deliveries(state="parked") == []


async def test_a_replay_comes_before_an_event_that_waits_for_its_retry(telling, receiver):
    target = await telling.endpoint(receiver)
    first, second = paid("kim"), paid("kim")
    await telling.tell(first)
    await receiver.wait_for(1)
    receiver.answers[second.event_id] = [500]
    await telling.tell(second)
    await receiver.wait_for(2)
    await telling.stack.api.post(f"/v1/events/{first.event_id}/replay")
    await receiver.wait_for(3)
    assert [each["id"] for each in receiver.got] == [first.event_id, second.event_id, first.event_id]
    await telling.advance(target, "kim", seconds=6)
    await telling.ended(target, "kim")
    assert receiver.ids()[-1] == second.event_id


async def test_an_endpoint_that_asks_for_time_is_given_it(telling, receiver):
    target = await telling.endpoint(receiver)
    told = paid("kim")
    receiver.answers[told.event_id] = [(429, {"retry-after": "3600"}, b"slow down")]
    await telling.tell(told)
    await receiver.wait_for(1)
    await telling.advance(target, "kim", minutes=50)
    assert len(receiver.got) == 1
    (waiting,) = await telling.deliveries(state="pending")
    assert (waiting["last_status"], waiting["response"]) == (429, "slow down")
    await telling.advance(target, "kim", minutes=20)
    assert receiver.ids() == [told.event_id]


async def test_an_endpoint_that_answers_nothing_at_all_is_a_failure_that_says_so(telling, receiver):
    target = await telling.endpoint(receiver)
    changed = await telling.stack.api.patch(
        f"/v1/event-endpoints/{target['endpoint_id']}", json={"url": "http://127.0.0.1:9/"}
    )
    assert changed.status_code == 200
    await telling.tell(paid("kim"))
    await telling.idle(target, "kim")
    (waiting,) = await telling.deliveries()
    assert (waiting["state"], waiting["last_status"]) == ("pending", None)
    assert waiting["last_error"] == "no answer: ClientConnectorError"


# ---------------------------------------------------------------- endpoints that are given up


async def test_410_disables_the_endpoint_and_nothing_more_is_sent(telling, receiver):
    target = await telling.endpoint(receiver)
    first, second = paid("kim"), paid("kim")
    receiver.default = 410
    await telling.tell(first, second)
    await telling.ended(target, "kim")
    await telling.tell(paid("kim"), paid("lee"))
    await event_bell.sweep(telling.stack.app.state.desk)
    assert receiver.ids(410) == [first.event_id]
    assert await telling.status(target, "lee") is None
    shown = (await telling.stack.api.get(f"/v1/event-endpoints/{target['endpoint_id']}")).json()
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "it answered 410 Gone")
    assert {each["state"] for each in await telling.deliveries()} == {"skipped"}


@pytest.mark.soak
async def test_five_days_of_failures_disable_the_endpoint_and_it_is_logged_without_its_address(
    telling, receiver, capsys
):
    target = await telling.endpoint(receiver)
    receiver.default = 500
    await telling.tell(paid("kim"), paid("kim"), paid("kim"))
    await receiver.wait_for(1)
    await telling.advance(target, "kim", days=4)
    shown = (await telling.stack.api.get(f"/v1/event-endpoints/{target['endpoint_id']}")).json()
    assert shown["enabled"]
    assert shown["failing_since"] is not None
    await telling.advance(target, "kim", days=3)
    await telling.ended(target, "kim")
    shown = (await telling.stack.api.get(f"/v1/event-endpoints/{target['endpoint_id']}")).json()
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "it failed for 5 days")
    states = sorted(each["state"] for each in await telling.deliveries())
    assert states == ["parked", "skipped", "skipped"]
    logged = capsys.readouterr().out
    assert target["endpoint_id"] in logged
    assert receiver.url not in logged


async def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled_and_replayed_to(telling, receiver):
    target = await telling.endpoint(receiver)
    path = f"/v1/event-endpoints/{target['endpoint_id']}"
    assert (await telling.stack.api.patch(path, json={"enabled": False})).status_code == 200
    missed, later = paid("kim"), paid("kim")
    await telling.tell(missed)
    await event_bell.sweep(telling.stack.app.state.desk)
    assert await telling.status(target, "kim") is None
    assert (await telling.stack.api.post(f"/v1/events/{missed.event_id}/replay")).status_code == 409
    assert (await telling.stack.api.patch(path, json={"enabled": True})).status_code == 200
    await telling.tell(later)
    await receiver.wait_for(1)
    assert (await telling.stack.api.post(f"/v1/events/{missed.event_id}/replay")).status_code == 202
    await receiver.wait_for(2)
    assert receiver.ids() == [later.event_id, missed.event_id]


# ---------------------------------------------------------------- whatever dies


async def test_a_process_that_dies_between_the_commit_and_the_ring_loses_nothing(telling, receiver):
    target = await telling.endpoint(receiver)
    told = paid("kim")
    await telling.stack.ledger.record(LedgerEntry(events=(told,)))
    assert await telling.status(target, "kim") is None
    desk = telling.stack.app.state.desk
    now = desk.now()
    waiting = await telling.stack.ledger.events.to_be_rung(older_than=now, overdue=now - timedelta(minutes=15))
    assert [each.customer_uid for each in waiting] == ["kim"]
    # What the api does by itself every few seconds.
    await receiver.wait_for(1)
    assert receiver.ids() == [told.event_id]
    assert await telling.stack.ledger.events.to_be_rung(older_than=desk.now(), overdue=now) == []


async def test_an_event_written_twice_is_delivered_once_and_a_doubt_repeats_its_id(telling, receiver):
    target = await telling.endpoint(receiver)
    told = paid("kim")
    await asyncio.gather(*(telling.tell(told) for _ in range(5)))
    await telling.ended(target, "kim")
    await telling.tell(told)
    assert receiver.ids() == [told.event_id]
    # Sent, and the process died before it could write that down: the attempt counts as failed.
    await telling.stack.api.post(f"/v1/events/{told.event_id}/replay")
    await receiver.wait_for(2)
    assert receiver.ids() == [told.event_id] * 2
    assert receiver.got[0]["body"] == receiver.got[1]["body"]


async def test_a_worker_that_dies_while_it_sends_leaves_the_event_waiting_and_it_comes_again(
    telling, receiver, monkeypatch
):
    close_attempt = Deliveries.close_attempt
    died = []

    async def die_once(self, *arguments, **options):
        if not died:
            died.append(True)
            raise RuntimeError("the process is gone")
        return await close_attempt(self, *arguments, **options)

    monkeypatch.setattr(Deliveries, "close_attempt", die_once)
    target = await telling.endpoint(receiver)
    told, later = paid("kim"), paid("kim")
    await telling.tell(told, later)
    await receiver.wait_for(1)
    await telling.idle(target, "kim")
    (_, waiting) = await telling.deliveries()
    assert (waiting["state"], waiting["attempts"]) == ("pending", 1)
    await telling.advance(target, "kim", minutes=2)
    await telling.ended(target, "kim")
    assert receiver.ids() == [told.event_id, told.event_id, later.event_id]


async def test_a_run_that_was_terminated_is_started_again_by_the_sweep(telling, receiver, monkeypatch):
    target = await telling.endpoint(receiver)
    told = paid("kim")
    receiver.answers[told.event_id] = [500]
    await telling.tell(told)
    await receiver.wait_for(1)
    await telling.idle(target, "kim")
    await telling.handle(target, "kim").terminate()
    monkeypatch.setattr(event_bell, "OVERDUE", timedelta(seconds=-3600))
    await event_bell.sweep(telling.stack.app.state.desk)
    await telling.advance(target, "kim", seconds=10)
    await telling.ended(target, "kim")
    assert receiver.ids() == [told.event_id]


async def test_a_cancelled_run_ends(telling, receiver):
    target = await telling.endpoint(receiver)
    receiver.default = 500
    await telling.tell(paid("kim"))
    await receiver.wait_for(1)
    await telling.idle(target, "kim")
    await telling.handle(target, "kim").cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await telling.status(target, "kim") is WorkflowExecutionStatus.RUNNING:
            await asyncio.sleep(0.02)
    assert await telling.status(target, "kim") is WorkflowExecutionStatus.CANCELED


async def test_a_step_is_written_though_temporal_is_away_when_it_would_ring(telling, receiver, monkeypatch):
    await telling.endpoint(receiver)
    nowhere = await connect("127.0.0.1:9", lazy=True)
    told = paid("kim")
    await ActivityEnvironment(client=nowhere).run(
        LedgerActivities(telling.stack.ledger).record, LedgerEntry(events=(told,))
    )
    monkeypatch.setattr(event_bell, "GRACE", timedelta(0))
    await event_bell.sweep(telling.stack.app.state.desk)
    await receiver.wait_for(1)
    assert receiver.ids() == [told.event_id]


async def test_without_an_endpoint_temporal_is_not_asked_at_all(telling):
    # No client: whatever asked for one would fail.
    record = LedgerActivities(telling.stack.ledger).record
    await ActivityEnvironment().run(record, LedgerEntry(events=(paid("kim"),)))
    assert len(await telling.stack.ledger.events.page()) == 1


async def test_a_worker_with_a_version_sends_from_the_queue_that_has_none(telling, receiver):
    stack = telling.stack
    await stack.stop_worker()
    sending = create_event_worker(stack.temporal, stack.settings, stack.ledger, task_queue=stack.task_queue)
    async with Fleet(stack) as fleet, sending:
        await fleet.start("v1", [EventDeliveryWorkflow])
        await fleet.make_current("v1")
        target, told = await telling.endpoint(receiver), paid("kim")
        await telling.tell(told)
        await telling.ended(target, "kim")
    assert receiver.ids() == [told.event_id]


# ---------------------------------------------------------------- secrets


async def test_old_and_new_secret_both_verify_while_one_replaces_the_other(telling, receiver):
    target = await telling.endpoint(receiver)
    path = f"/v1/event-endpoints/{target['endpoint_id']}/rotate-secret"
    rotated = (await telling.stack.api.post(path)).json()
    assert rotated["secret"] != target["secret"]
    await telling.tell(paid("kim"))
    await receiver.wait_for(1)
    assert receiver.verified(target["secret"]) == receiver.verified(rotated["secret"]) == body_of(receiver.got[0])
    ended = (await telling.stack.api.post(path, json={"overlap_hours": 0})).json()
    await telling.tell(paid("lee"))
    await receiver.wait_for(2)
    assert receiver.verified(ended["secret"])
    with pytest.raises(Exception, match="No matching signature"):
        receiver.verified(rotated["secret"])


async def test_no_secret_no_address_and_no_data_is_in_a_history_a_list_or_a_log(telling, receiver, capsys, caplog):
    target = await telling.endpoint(receiver, "/hook/t0ken-in-the-path")
    rotated = (await telling.stack.api.post(f"/v1/event-endpoints/{target['endpoint_id']}/rotate-secret")).json()
    data = ChargeData("kim", "s1", "a-merchant-uid-of-its-own", 1, "paid", 9900, "KRW")
    told = paid("kim", summary="a summary of its own", data=data)
    receiver.answers[told.event_id] = [500, 500]
    await telling.tell(told)
    await receiver.wait_for(1)
    await telling.advance(target, "kim", hours=1)
    await telling.ended(target, "kim")
    api = telling.stack.api
    shown = [
        (await api.get(path)).text
        for path in (
            "/v1/event-endpoints",
            f"/v1/event-endpoints/{target['endpoint_id']}",
            f"/v1/events/{told.event_id}",
            "/v1/events",
            "/v1/event-deliveries",
        )
    ]
    history = await telling.history_of(target, "kim")
    assert told.event_id in history
    # Sent from a queue of its own: a slow endpoint takes no place that a charge needs.
    assert f'name: "{telling.stack.task_queue}-events"' in history
    logs = capsys.readouterr().out + capsys.readouterr().err + caplog.text
    for secret in (target["secret"], rotated["secret"], target["secret"][6:], rotated["secret"][6:]):
        assert all(secret not in text for text in (*shown, history, logs))
    for private in (receiver.url, "t0ken-in-the-path", "a summary of its own", "a-merchant-uid-of-its-own"):
        assert private not in history
        assert private not in logs
