"""Workers with a version: who is given work, what stays where it began, and what a person sees of it."""

import asyncio
import uuid
from types import SimpleNamespace

import pytest
import pytest_asyncio
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.workflow import _Definition
from typer.testing import CliRunner

from api.cli import app
from api.deployment import shown
from billing.deployments import DeploymentRefusedError, WorkerDeployment
from billing.ledger import Ledger
from billing.settings import Settings
from tests.deploy.fleet import Fleet, until
from worker import WORKFLOWS, running_worker, version_of
from workflows.subscription.workflow import SubscriptionWorkflow

RUNNER = CliRunner()


@pytest_asyncio.fixture
async def fleet(stack):
    await stack.stop_worker()
    async with Fleet(stack) as running:
        yield running


def behaviour(workflow):
    return _Definition.must_from_class(workflow).versioning_behavior


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.__name__)
def test_every_workflow_says_whether_a_deploy_carries_it_along(workflow):
    assert behaviour(workflow) in (VersioningBehavior.PINNED, VersioningBehavior.AUTO_UPGRADE)


def test_a_subscription_goes_along_with_every_deploy():
    assert behaviour(SubscriptionWorkflow) is VersioningBehavior.AUTO_UPGRADE


def test_a_worker_has_a_version_only_if_it_is_given_one(monkeypatch):
    assert version_of(Settings()) is None
    monkeypatch.setenv("TEMPORAL_DEPLOYMENT_NAME", "billing/gudok")
    monkeypatch.setenv("TEMPORAL_WORKER_BUILD_ID", "0.1.0-4f2a")
    assert version_of(Settings()) == WorkerDeploymentVersion("billing/gudok", "0.1.0-4f2a")


async def test_nothing_is_given_to_a_version_before_one_is_current(stack, fleet):
    stack.quick()
    await fleet.start("v1")
    uid = await stack.start(expect=202)
    assert (await fleet.state()).current is None
    assert (await stack.books(uid))["totals"]["charges"] == 0
    await fleet.make_current("v1")
    await until(lambda: is_paid(stack, uid))
    assert await stack.agree(uid) == 1


async def test_the_first_version_of_a_new_deployment_becomes_current_by_itself_once(stack, fleet):
    await fleet.start("v1")
    await fleet.start("v2")
    first, second = await asyncio.gather(*(fleet.deployment.make_first_current(name) for name in ("v1", "v2")))
    assert first is not second
    # What a person has set afterwards stays, even that no version is current.
    await fleet.make_current(None)
    assert await fleet.deployment.make_first_current("v1") is False
    assert (await fleet.state()).current is None


async def test_a_worker_that_is_asked_to_gives_work_to_the_first_version_of_its_deployment(
    stack, dev_server, monkeypatch
):
    monkeypatch.setenv("TEMPORAL_ADDRESS", dev_server.client.service_client.config.target_host)
    name = f"gudok-{uuid.uuid4().hex[:8]}"
    version = {"temporal_deployment_name": name, "temporal_worker_build_id": "v1"}
    settings = stack.settings.model_copy(update={**version, "first_version_becomes_current": True})
    async with running_worker(settings, Ledger(settings.database_url.get_secret_value())):
        deployment = WorkerDeployment(dev_server.client, name)

        async def is_at_work():
            state = await deployment.describe("billing")
            return (state.current, state.versions[0].workers) == ("v1", 1)

        await until(is_at_work)


@pytest.mark.soak
async def test_a_refund_ends_on_the_version_that_it_began_on(stack, fleet):
    await fleet.start("v1")
    await fleet.make_current("v1")
    uid = await stack.start()
    await stack.fault(path="cancel", kind="500_before", count=1)
    (number,) = [charge["merchant_uid"] for charge in await stack.charges(uid) if charge["state"] == "paid"]
    asked = asyncio.create_task(stack.api.post(f"/v1/payments/{number}/refunds", json={"amount": 1000}))
    refund = stack.temporal.get_workflow_handle(f"refund/{number}")
    await until(lambda: waits(refund))

    await fleet.start("v2")
    await fleet.make_current("v2")
    assert (await asked).json()["state"] == "refunded"
    await stack.advance(uid, days=31)
    tasks = [event.workflow_task_completed_event_attributes for event in (await refund.fetch_history()).events]
    assert {task.deployment_version.build_id for task in tasks if task.started_event_id} == {"v1"}
    assert (await fleet.tasks(uid))[-1] == "v2"
    assert (await stack.snapshot(uid))["paid_cycles"] == 2
    assert (await stack.books(uid))["totals"]["charged_twice"] == []


async def test_a_version_that_temporal_does_not_know_is_refused(fleet):
    with pytest.raises(DeploymentRefusedError, match="does your Worker Deployment have pollers"):
        await fleet.make_current("v1")
    await fleet.start("v1")
    with pytest.raises(DeploymentRefusedError, match="nosuch"):
        await fleet.make_current("nosuch")
    with pytest.raises(DeploymentRefusedError, match="nosuch"):
        await fleet.ramp("nosuch", 10)


class CutOff:
    """Temporal's service, which cuts each call off once, before or after it was carried out."""

    def __init__(self, service, *, after):
        self._service = service
        self._after = after
        self.cut = []

    def __getattr__(self, name):
        async def call(request):
            if name in self.cut:
                return await getattr(self._service, name)(request)
            self.cut.append(name)
            if self._after:
                await getattr(self._service, name)(request)
            raise RPCError("operation was canceled", RPCStatusCode.CANCELLED, b"")

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_call_that_temporal_cuts_off_is_asked_again(stack, fleet, after):
    await fleet.start("one")
    cut_off = CutOff(stack.temporal.workflow_service, after=after)
    temporal = SimpleNamespace(
        workflow_service=cut_off, namespace=stack.temporal.namespace, identity=stack.temporal.identity
    )
    await WorkerDeployment(temporal, fleet.name).make_current("one")
    assert cut_off.cut == ["set_worker_deployment_current_version", "describe_worker_deployment"]
    assert (await fleet.state()).current == "one"


async def test_the_state_of_a_deployment_tells_what_each_version_carries(stack, fleet):
    for build_id in ("v1", "v2"):
        await fleet.start(build_id)
    await fleet.make_current("v1")
    await stack.start()
    await fleet.ramp("v2", 25)
    state = await fleet.state()
    assert (state.current, state.ramping, state.ramp_percentage) == ("v1", "v2", 25)
    versions = {version.build_id: version for version in state.versions}
    assert {name: version.status for name, version in versions.items()} == {"v1": "current", "v2": "ramping"}
    assert {name: version.workers for name, version in versions.items()} == {"v1": 1, "v2": 1}
    assert sum(version.carried.running for version in state.versions) == 1
    assert list(shown(state).columns[1].cells) == [
        f"{version.status}{' 25 %' if version.build_id == 'v2' else ''}" for version in state.versions
    ]


@pytest.mark.soak
async def test_the_command_line_moves_the_work_and_shows_where_it_goes(stack, fleet, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.temporal.service_client.config.target_host)
    for build_id in ("v1", "v2"):
        await fleet.start(build_id)

    async def gudok(*words):
        answer = await asyncio.to_thread(RUNNER.invoke, app, ["deployment", *words, "--name", fleet.name])
        return answer.exit_code, answer.output

    assert (await gudok("current", "v1"))[0] == 0
    code, output = await gudok("ramp", "v2", "50")
    assert code == 0
    assert "ramping 50 %" in output
    assert (await fleet.state()).ramping == "v2"
    assert (await gudok("current", "v2"))[0] == 0
    assert (await fleet.state()).current == "v2"
    assert (await gudok("current", "unversioned"))[0] == 0
    assert (await fleet.state()).current is None
    assert "unversioned" in (await gudok("status"))[1]
    assert (await gudok("current", "v3"))[0] == 1
    assert (await gudok("ramp", "v2", "101"))[0] == 2


def test_a_deployment_without_a_name_is_asked_for():
    answer = RUNNER.invoke(app, ["deployment", "status"])
    assert answer.exit_code == 2
    assert "TEMPORAL_DEPLOYMENT_NAME" in answer.output


async def is_paid(stack, uid):
    charges = (await stack.api.get(f"/v1/subscriptions/{uid}/charges")).json().get("charges", [])
    return "paid" in [charge["state"] for charge in charges]


async def waits(handle):
    try:
        events = (await handle.fetch_history()).events
    except Exception:  # noqa: BLE001 - it has not begun
        return False
    return any(event.HasField("timer_started_event_attributes") for event in events)
