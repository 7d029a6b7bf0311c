"""Composition root: settings, client and ledger become activity objects, and those become a Temporal Worker.

Run it alone with `python worker.py`; any number of them may run side by side.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import PatchActivationInput, Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.bells import BellActivities
from activities.billing_key_look import KeyActivities
from activities.billing_keys import BillingKeyActivities
from activities.cards import VaultedCards
from activities.events import EventActivities
from activities.facts import FactActivities
from activities.ledger import LedgerActivities
from activities.left_schedules import LeftScheduleActivities
from activities.metrics import ActivityMetrics
from activities.notices import NoticeUrls
from activities.payments import PaymentActivities
from activities.reconciliation import ReconciliationActivities
from activities.schedules import ScheduleActivities
from activities.timetable import keep_schedules
from billing.deployments import WorkerDeployment
from billing.ledger import Ledger
from billing.observability import configure_logging, serve_metrics
from billing.portone import PortOneClient
from billing.process import keep_what_is_loaded
from billing.settings import Settings, load_settings
from billing.temporal import connect
from billing.workflow_runner import DatedRunner, without_context, without_versioning_behavior
from workflows.billing_key.workflow import DeleteBillingKeyWorkflow, IssueBillingKeyWorkflow
from workflows.contracts import BILLING_TASK_QUEUE
from workflows.events.contracts import sending_task_queue
from workflows.events.workflow import EventDeliveryWorkflow
from workflows.one_time_payment.workflow import KeyInPaymentWorkflow
from workflows.reconciliation.workflow import ReconciliationWorkflow
from workflows.refund.owed_refund import OwedRefundWorkflow
from workflows.refund.workflow import RefundWorkflow
from workflows.subscription.workflow import SubscriptionWorkflow
from workflows.unexpected_payment.left_charge import LeftChargeWorkflow
from workflows.unexpected_payment.left_schedule import LeftScheduleWorkflow
from workflows.unexpected_payment.workflow import LateFactWorkflow

WORKFLOWS: Sequence[type] = (
    SubscriptionWorkflow,
    KeyInPaymentWorkflow,
    RefundWorkflow,
    IssueBillingKeyWorkflow,
    DeleteBillingKeyWorkflow,
    EventDeliveryWorkflow,
    LateFactWorkflow,
    LeftChargeWorkflow,
    LeftScheduleWorkflow,
    OwedRefundWorkflow,
    ReconciliationWorkflow,
)

# A charge in flight is at most 30 s at PortOne: a deploy lets it finish.
GRACEFUL_SHUTDOWN = timedelta(seconds=35)

# Our own modules are passed through once, instead of being imported again for every run; the sandbox stays on.
SANDBOX = SandboxRestrictions.default.with_passthrough_modules("billing.domain", "workflows")


def activities_of(settings: Settings, client: PortOneClient, ledger: Ledger) -> list[Callable[..., Any]]:
    """Every activity, over one client and one ledger."""
    cards = VaultedCards(ledger.card_vault(settings.vault_keys(), ttl_minutes=settings.vault_ttl_minutes))
    notices = NoticeUrls(settings)
    keys = BillingKeyActivities(client, cards)
    payments = PaymentActivities(client, ledger, cards, notices, product_type=settings.product_type)
    on_key = KeyActivities(client)
    schedules = ScheduleActivities(client, ledger, cards, notices, product_type=settings.product_type)
    writes = LedgerActivities(ledger)
    return [
        keys.issue_billing_key,
        keys.find_billing_key,
        keys.delete_billing_key,
        keys.discard_card,
        payments.charge_again,
        payments.charge_onetime,
        payments.retry_schedule,
        payments.find_payment,
        payments.find_payments,
        payments.look_up_order,
        payments.find_reported,
        payments.cancel_payment,
        schedules.register_schedule,
        schedules.find_schedule,
        schedules.reschedule,
        schedules.unschedule,
        schedules.has_open_schedules,
        on_key.list_key_schedules,
        on_key.list_key_payments,
        LeftScheduleActivities().watch_schedules,
        writes.record,
        writes.attempts_on_card,
        writes.known_orders,
        FactActivities().report_facts,
        writes.subscription_on_key,
        writes.is_left_by_an_ended_life,
        _event_activities(settings, ledger).next_delivery,
    ]


def _event_activities(settings: Settings, ledger: Ledger) -> EventActivities:
    return EventActivities(ledger.event_deliveries(settings.event_keys()), allow_loopback=settings.event_loopback)


def reconciling(
    temporal: Client, settings: Settings, client: PortOneClient, ledger: Ledger
) -> list[Callable[..., Any]]:
    """The activities of the reconciliation, which look at the workflows as well."""
    comparing = ReconciliationActivities(settings, client, ledger, temporal)
    return [
        comparing.begin_reconciliation,
        comparing.compare_payments,
        comparing.compare_schedules,
        comparing.compare_charges,
        comparing.compare_one_time_charges,
        comparing.compare_subscriptions,
        comparing.compare_open_differences,
        comparing.end_reconciliation,
        BellActivities(temporal, ledger).ring,
    ]


def create_worker(
    temporal: Client,
    settings: Settings,
    client: PortOneClient,
    ledger: Ledger,
    *,
    task_queue: str = BILLING_TASK_QUEUE,
    version: WorkerDeploymentVersion | None = None,
    workflows: Sequence[type] = WORKFLOWS,
    max_cached_workflows: int = 1000,
) -> Worker:
    """A worker for everything this project runs; with a `version` it is given what Temporal routes to that version."""
    isolated = SandboxedWorkflowRunner(restrictions=SANDBOX)
    sandbox = DatedRunner(without_context(isolated, temporal.data_converter))
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=workflows,
        activities=[*activities_of(settings, client, ledger), *reconciling(temporal, settings, client, ledger)],
        interceptors=[ActivityMetrics()],
        workflow_runner=sandbox if version else without_versioning_behavior(sandbox),
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        max_cached_workflows=max_cached_workflows,
        deployment_config=WorkerDeploymentConfig(version, use_worker_versioning=True) if version else None,
        patch_activation_callback=_takes_patch(settings),
    )


def create_event_worker(
    temporal: Client, settings: Settings, ledger: Ledger, *, task_queue: str = BILLING_TASK_QUEUE
) -> Worker:
    """A worker that does nothing but send events, beside the one for everything else and with places of its own."""
    return Worker(
        temporal,
        task_queue=sending_task_queue(task_queue),
        activities=[_event_activities(settings, ledger).send_event],
        interceptors=[ActivityMetrics()],
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
    )


def version_of(settings: Settings) -> WorkerDeploymentVersion | None:
    """The version that the settings name, as Temporal's worker controller injects it; None runs without one."""
    name, build_id = settings.temporal_deployment_name, settings.temporal_worker_build_id
    return WorkerDeploymentVersion(name, build_id) if name and build_id else None


def _takes_patch(settings: Settings) -> Callable[[PatchActivationInput], bool]:
    """Whether a run that meets a patch for the first time takes it; one that has taken it stays with it."""
    dark = frozenset(settings.dark_patches)
    return lambda met: met.patch_id not in dark


def portone_client(settings: Settings) -> PortOneClient:
    """The client that the settings describe."""
    return PortOneClient(
        base_url=settings.portone_url,
        imp_key=settings.portone_imp_key,
        imp_secret=settings.portone_imp_secret,
        include_sandbox=settings.portone_include_sandbox,
        timeout_seconds=settings.portone_timeout_seconds,
        tier=settings.portone_tier,
    )


@contextlib.asynccontextmanager
async def running_worker(
    settings: Settings, ledger: Ledger, workflows: Sequence[type] = WORKFLOWS
) -> AsyncIterator[Worker]:
    """A worker that runs until the block ends, then finishes what it is doing and closes the ledger."""
    client = portone_client(settings)
    try:
        await ledger.migrate()
        temporal, version = await connect(), version_of(settings)
        async with (
            create_event_worker(temporal, settings, ledger),
            create_worker(temporal, settings, client, ledger, version=version, workflows=workflows) as worker,
        ):
            if version is not None and settings.first_version_becomes_current:
                await WorkerDeployment(temporal, version.deployment_name).make_first_current(version.build_id)
            await _keep_schedules(temporal, settings)
            yield worker
    finally:
        await client.aclose()
        await ledger.aclose()


async def _keep_schedules(temporal: Client, settings: Settings) -> None:
    try:
        await keep_schedules(temporal, settings)
    except RPCError as error:
        # Billing goes on without; the next worker that starts tries again.
        structlog.get_logger().error("reconciliation is not scheduled", reason=error.message)


async def run(settings: Settings, workflows: Sequence[type] = WORKFLOWS) -> None:
    """Run one worker until it is told to stop."""
    configure_logging(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    serve_metrics(settings)
    ledger = Ledger(settings.database_url.get_secret_value())
    async with running_worker(settings, ledger, workflows):
        keep_what_is_loaded()
        version = version_of(settings)
        structlog.get_logger().info(
            "worker is running", task_queue=BILLING_TASK_QUEUE, build_id=version.build_id if version else None
        )
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(ledger.lost())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        structlog.get_logger().info("worker finishes what it is doing")
    if ledger.loss is not None:
        raise ledger.loss


if __name__ == "__main__":
    asyncio.run(run(load_settings()))
