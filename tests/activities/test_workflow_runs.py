"""What the workflows say of themselves, and who can be rung."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import workflow_runs
from activities.bells import BellActivities
from activities.workflow_runs import WorkflowRuns
from billing.domain.both_sides import RunSays
from billing.domain.differences import Difference
from billing.domain.states import CycleState
from billing.temporal import DATA_CONVERTER
from tests.reconciled import current, rung
from workflows.reconciliation.contracts import Bell, RingBells, Rung


async def life_of(stack, uid):
    return (await stack.ledger.get_subscription(uid)).subscription_id


async def test_a_running_subscription_says_what_it_has_registered(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    runs = WorkflowRuns(stack.temporal)
    says = await runs.says(f"subscription/{uid}", await life_of(stack, uid))
    charge = await stack.ledger.get_charge(number)
    assert says == RunSays(
        running=True, merchant_uid=number, cycle_state=CycleState.REGISTERED, next_charge_at=charge.due_at
    )


async def test_another_life_under_the_same_id_is_not_the_one_that_was_asked_for(stack):
    uid = await stack.start()
    says = await WorkflowRuns(stack.temporal).says(f"subscription/{uid}", "s0123456789abcdefghi")
    assert says == RunSays(running=False)


async def test_a_run_that_has_ended_or_never_was_does_not_run(stack):
    uid = await stack.start()
    await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})
    await stack.handle(uid).result()
    runs = WorkflowRuns(stack.temporal)
    for workflow_id in (f"subscription/{uid}", "subscription/nobody"):
        assert not await runs.is_running(workflow_id)
        assert await runs.says(workflow_id, "s") == RunSays(running=False)


async def test_a_run_that_cannot_answer_is_not_the_same_as_none(stack, monkeypatch):
    uid = await stack.start()
    await stack.stop_worker()
    monkeypatch.setattr(workflow_runs, "QUERY", workflow_runs.QUERY / 20)
    assert await WorkflowRuns(stack.temporal).says(f"subscription/{uid}", await life_of(stack, uid)) is None


async def test_those_that_run_are_listed_by_hundreds(stack):
    uids = [await stack.start() for _ in range(2)]
    await stack.handle(uids[1]).terminate()
    ids = [f"subscription/{uid}" for uid in (*uids, "nobody", "o'neil")]
    runs = WorkflowRuns(stack.temporal)
    while await runs.running_among(ids) != {ids[0]}:
        await asyncio.sleep(0.05)
    assert await runs.running_among([]) == set()


def bell(workflow_id, **changes):
    made = Bell(difference_id=1, kind=Difference.SCHEDULE_MISSING, workflow_id=workflow_id, merchant_uid="m1")
    return made.model_copy(update=changes)


@pytest.mark.parametrize("what", ["a key-in payment", "nobody", "an earlier life"])
async def test_where_nobody_can_be_told_the_difference_waits_for_a_person(stack, what):
    uid = await stack.start()
    to = {
        "a key-in payment": bell("payment/m1"),
        "nobody": bell(f"subscription/nobody_{uuid.uuid4().hex}"),
        "an earlier life": bell(f"subscription/{uid}", ended=True),
    }[what]
    ring = BellActivities(stack.temporal, stack.ledger).ring
    told = await ActivityEnvironment().run(ring, RingBells(at=datetime.now(UTC), bells=[to]))
    assert told == Rung(rung=0, nobody=1)
    assert all(name != "look_again" for name, _ in await rung(stack, uid))


async def test_a_temporal_that_is_away_is_asked_again(stack):
    away = await Client.connect("127.0.0.1:1", lazy=True, data_converter=DATA_CONVERTER)
    ring = BellActivities(away, stack.ledger).ring
    with pytest.raises((RuntimeError, OSError)):
        await ActivityEnvironment().run(ring, RingBells(at=datetime.now(UTC), bells=[bell("subscription/kim")]))
