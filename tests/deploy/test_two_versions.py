"""A deploy, seen from the money: two versions at once, rollbacks, and deploys that should not have been."""

import asyncio
from datetime import datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus

from api.clock import SubscriptionClock
from billing.deployments import STUCK
from chaos.processes.next_release import PATCH, PatchedStep, UnpatchedStep
from tests.deploy.fleet import Fleet, until
from tests.replay.replaying import with_subscription
from tests.stack import executable, running_stack, start_dev_server

pytestmark = pytest.mark.soak

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}


FLAGS = (
    # What deploy/temporal/dynamicconfig.yaml asks for: two failed tasks, and the workflow is reported.
    "--dynamic-config-value",
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",
    # A failed task is tried again after this long, instead of after ten seconds.
    "--dynamic-config-value",
    'history.defaultWorkflowTaskTimeout="3s"',
)


@pytest_asyncio.fixture(scope="module")
async def watchful_server():
    async with await start_dev_server(*FLAGS) as environment:
        yield environment


@pytest_asyncio.fixture
async def stack(watchful_server, tmp_path):
    async with running_stack(watchful_server.client, tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def fleet(stack):
    async with Fleet(stack) as running:
        yield running


async def test_a_fleet_with_two_versions_at_once_charges_nothing_twice(stack, fleet):
    stack.roll_after(50)
    # Which half of a ramp a subscription falls into is decided by its id, so fixed ids are on both sides of it.
    uids = [await stack.start(f"fleet_{n}") for n in range(3)]
    await a_month(stack, uids)

    # From workers without a version to the first one.
    await fleet.start("today")
    await fleet.make_current("today")
    await stack.stop_worker()
    uids += [await stack.start(f"fleet_{n}") for n in range(3, 5)]
    await a_month(stack, uids)
    await all_come_to(stack, fleet, uids, {"today"})

    # The next release knows a patch and does not take it yet: half of the fleet, all of it, and back.
    await fleet.start("dark", patched(), dark_patches=[PATCH])
    await fleet.ramp("dark", 50)
    await a_month(stack, uids, meanwhile=restarted(fleet, "today"))
    await all_come_to(stack, fleet, uids, {"today", "dark"})
    await fleet.make_current("dark")
    await a_month(stack, uids)
    await all_come_to(stack, fleet, uids, {"dark"})
    await fleet.make_current("today")
    await a_month(stack, uids, meanwhile=restarted(fleet, "dark", patched(), dark_patches=[PATCH]))
    await all_come_to(stack, fleet, uids, {"today"})

    # The release after it takes the patch: half of the fleet, all of it, and back to the one that knows it.
    await fleet.make_current("dark")
    await fleet.start("lit", patched())
    await fleet.ramp("lit", 50)
    await a_month(stack, uids, meanwhile=restarted(fleet, "dark", patched(), dark_patches=[PATCH]))
    await all_come_to(stack, fleet, uids, {"dark", "lit"})
    await fleet.make_current("lit")
    await a_month(stack, uids, meanwhile=restarted(fleet, "lit", patched()))
    await fleet.make_current("dark")
    await a_month(stack, uids)
    await all_come_to(stack, fleet, uids, {"dark"})

    # A run that had passed the place before stays on its old path until it continues as new.
    assert sum([await took_the_patch(fleet, uid) for uid in uids]) >= 3
    assert all([len(await fleet.histories(uid)) > 1 for uid in uids])
    # A step that a restart cut in two may take the world further than was asked for; no period of it may be missing.
    assert sum([await every_due_period_is_paid(stack, uid) for uid in uids]) >= 3 * 9 + 2 * 8
    assert (await stack.emulator.get("/emulator/books")).json()["totals"]["charged_twice"] == []


def patched():
    return with_subscription(PatchedStep)


async def a_month(stack, uids, meanwhile=None):
    await asyncio.gather(*(stack.advance(uid, days=31) for uid in uids), *([meanwhile] if meanwhile else []))


async def restarted(fleet, build_id, *workflows, **options):
    """Stop the worker of a version in the middle of things, and start it again."""
    await asyncio.sleep(0.2)
    await fleet.stop(build_id)
    await asyncio.sleep(0.2)
    await fleet.start(build_id, *workflows, **options)


async def at_work(fleet, uids):
    """The versions that completed the newest workflow task of each subscription."""
    return {(await fleet.tasks(uid))[-1] for uid in uids}


async def all_come_to(stack, fleet, uids, versions):
    """The server tells its parts of a new routing one after the other: a wake may still come to the version before."""
    for _ in range(3):
        if await at_work(fleet, uids) == versions:
            return
        await a_month(stack, uids)
    assert await at_work(fleet, uids) == versions


async def took_the_patch(fleet, uid):
    return any(
        event.marker_recorded_event_attributes.marker_name == "core_patch"
        for history in await fleet.histories(uid)
        for event in history.events
    )


async def every_due_period_is_paid(stack, uid):
    paid = await stack.agree(uid)
    snapshot = await stack.snapshot(uid)
    assert (snapshot["status"], snapshot["cycle"], snapshot["paid_cycles"]) == ("active", paid + 1, paid)
    clock = (await stack.emulator.get("/emulator/clock", params={"customer_uid": uid})).json()
    assert datetime.fromisoformat(clock["now"]) < datetime.fromisoformat(snapshot["next_charge_at"])
    return paid


async def test_a_wrong_deploy_charges_nothing_twice_and_a_rollback_goes_on(stack, fleet):
    await stack.stop_worker()
    await fleet.start("today")
    await fleet.make_current("today")
    scheduled, ours = await stack.start(), await retried_by_us(stack)

    await fleet.start("wrong", with_subscription(UnpatchedStep))
    await fleet.make_current("wrong")
    await time_passes_at_portone(stack, scheduled, days=32)
    await stands_still(stack, scheduled)
    # What stood at PortOne ran, once; of what we would have sent ourselves, nothing left.
    assert await charged(stack, scheduled) == 2
    assert len(await stack.charges(scheduled)) == 2
    days_pass = asyncio.create_task(time_passes_at_temporal(stack, ours, days=2))
    await stands_still(stack, ours)
    assert await charged(stack, ours) == 0
    assert sum(version.carried.stuck for version in (await fleet.state()).versions) == 2

    await fleet.make_current("today")
    await days_pass
    await until(lambda: is_paid_up(stack, scheduled, 2))
    await time_passes_at_portone(stack, ours, days=2)
    await stack.advance(ours, days=40)
    assert await stack.agree(ours) == 2
    await stack.advance(scheduled, days=31)
    assert await stack.agree(scheduled) == 3
    assert await stuck(stack) == []


async def test_a_rollback_to_a_version_that_does_not_know_the_patch_stands_still_until_it_is_taken_forward(
    stack, fleet
):
    uid = await begun_under_a_patch(stack, fleet)
    await fleet.make_current("today")
    await time_passes_at_portone(stack, uid, days=32)
    await stands_still(stack, uid)
    assert await charged(stack, uid) == 2

    await fleet.make_current("patched")
    await until(lambda: is_paid_up(stack, uid, 2))
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 3


async def test_before_such_a_rollback_the_runs_that_took_the_patch_are_pinned_to_the_version_that_knows_it(
    stack, fleet
):
    uid = await begun_under_a_patch(stack, fleet)
    # As docs/runbooks/deploy.md has it.
    await temporal_cli(
        *("workflow", "update-options", "--yes"),
        *("--query", f'TemporalChangeVersion = "{PATCH}" AND ExecutionStatus = "Running"'),
        *("--versioning-override-behavior", "pinned", "--versioning-override-deployment-name", fleet.name),
        *("--versioning-override-build-id", "patched"),
        server=stack.temporal.service_client.config.target_host,
    )
    await until(lambda: is_pinned(stack, uid))
    await fleet.make_current("today")
    other = await stack.start()
    await a_month(stack, [uid, other])
    await a_month(stack, [uid, other])
    assert ((await fleet.tasks(uid))[-1], (await fleet.tasks(other))[-1]) == ("patched", "today")
    assert (await stack.agree(uid), await stack.agree(other)) == (3, 3)
    assert await stuck(stack) == []
    # Decision 0004: a subscription is never told of a newer version, so it cannot continue as new because of one.
    assert not any([await was_told_of_another_version(fleet, customer_uid) for customer_uid in (uid, other)])


async def begun_under_a_patch(stack, fleet):
    """A subscription that took a patch which one of two versions knows."""
    await stack.stop_worker()
    await fleet.start("today")
    await fleet.start("patched", patched())
    await fleet.make_current("patched")
    uid = await stack.start()
    await until(lambda: took_the_patch(fleet, uid))
    return uid


async def was_told_of_another_version(fleet, uid):
    return any(
        event.workflow_task_started_event_attributes.target_worker_deployment_version_changed
        for history in await fleet.histories(uid)
        for event in history.events
    )


async def is_pinned(stack, uid):
    found = (await stack.handle(uid).describe()).raw_description.workflow_execution_info.versioning_info
    return found.versioning_override.pinned.version.build_id == "patched"


async def temporal_cli(*words, server):
    """Temporal's own command line, as a person types it."""
    process = await asyncio.create_subprocess_exec(
        executable("temporal"),
        *words,
        "--address",
        server,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def retried_by_us(stack):
    """A subscription whose first charge was declined at a PG that cannot book it again: the next attempt is ours."""
    uid = "retried_by_us"
    window = {"customer_uid": uid, "card_number": "4518-4212-3456-0004", "pg": "tosspay_v2"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start(uid, payment_method={"billing_key": True}, plan=TRIAL)
    await stack.advance(uid, days=1, hours=1)
    assert (await stack.snapshot(uid))["status"] == "past_due"
    return uid


async def time_passes_at_portone(stack, uid, **distance):
    seconds = timedelta(**distance).total_seconds()
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": seconds, "customer_uid": uid})


async def time_passes_at_temporal(stack, uid, **distance):
    clock = SubscriptionClock(stack.temporal, str(stack.emulator.base_url), uid)
    await clock._fast_forward(timedelta(**distance))


async def stands_still(stack, uid):
    """Temporal reports the subscription, whose workflow task fails, and the reason is the code."""

    async def reported():
        return f"subscription/{uid}" in await stuck(stack)

    await until(reported)
    assert (await stack.handle(uid).describe()).status is WorkflowExecutionStatus.RUNNING


async def stuck(stack):
    return [found.id async for found in stack.temporal.list_workflows(f"{STUCK} AND TaskQueue = '{stack.task_queue}'")]


async def charged(stack, uid):
    """How many charges PortOne's books hold; none of them twice for one order."""
    books = await stack.books(uid)
    assert books["totals"]["charged_twice"] == []
    return sum(row["status"] == "paid" for row in books["charges"])


async def is_paid_up(stack, uid, periods):
    return [charge["state"] for charge in await stack.charges(uid)].count("paid") == periods
