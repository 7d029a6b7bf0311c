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
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.billing_keys import BillingKeyActivities
from activities.cards import VaultedCards
from activities.events import EventActivities
from activities.facts import FactActivities
from activities.ledger import LedgerActivities
from activities.metrics import ActivityMetrics
from activities.notices import NoticeUrls
from activities.payments import PaymentActivities
from activities.schedules import ScheduleActivities
from billing.ledger import Ledger
from billing.observability import configure_logging, serve_metrics
from billing.portone import PortOneClient
from billing.settings import Settings, load_settings
from billing.temporal import connect
from workflows.billing_key import DeleteBillingKeyWorkflow, IssueBillingKeyWorkflow
from workflows.contracts import BILLING_TASK_QUEUE
from workflows.event_delivery import EventDeliveryWorkflow
from workflows.key_in_payment import KeyInPaymentWorkflow
from workflows.late_fact import LateFactWorkflow
from workflows.refund import RefundWorkflow
from workflows.subscription import SubscriptionWorkflow

WORKFLOWS: Sequence[type] = (
    SubscriptionWorkflow,
    KeyInPaymentWorkflow,
    RefundWorkflow,
    IssueBillingKeyWorkflow,
    DeleteBillingKeyWorkflow,
    EventDeliveryWorkflow,
    LateFactWorkflow,
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
    payments = PaymentActivities(client, ledger, cards, notices)
    schedules = ScheduleActivities(client, cards, notices)
    writes = LedgerActivities(ledger)
    events = EventActivities(ledger.event_deliveries(settings.event_keys()), allow_loopback=settings.event_loopback)
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
        payments.find_reported,
        payments.cancel_payment,
        schedules.register_schedule,
        schedules.find_schedule,
        schedules.reschedule,
        schedules.unschedule,
        schedules.has_open_schedules,
        writes.record,
        writes.attempts_on_card,
        writes.known_orders,
        FactActivities().report_facts,
        events.next_delivery,
        events.send_event,
    ]


def create_worker(
    temporal: Client,
    settings: Settings,
    client: PortOneClient,
    ledger: Ledger,
    *,
    task_queue: str = BILLING_TASK_QUEUE,
    max_cached_workflows: int = 1000,
) -> Worker:
    """A worker for everything this project runs."""
    return Worker(
        temporal,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=activities_of(settings, client, ledger),
        interceptors=[ActivityMetrics()],
        workflow_runner=SandboxedWorkflowRunner(restrictions=SANDBOX),
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        max_cached_workflows=max_cached_workflows,
    )


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
async def running_worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker that runs until the block ends, then finishes what it is doing."""
    ledger, client = Ledger(settings.database_url.get_secret_value()), portone_client(settings)
    try:
        await ledger.migrate()
        async with create_worker(await connect(), settings, client, ledger) as worker:
            yield worker
    finally:
        await client.aclose()
        await ledger.aclose()


async def run(settings: Settings) -> None:
    """Run one worker until it is told to stop."""
    configure_logging(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    serve_metrics(settings)
    async with running_worker(settings):
        structlog.get_logger().info("worker is running", task_queue=BILLING_TASK_QUEUE)
        await stop.wait()
        structlog.get_logger().info("worker finishes what it is doing")


if __name__ == "__main__":
    asyncio.run(run(load_settings()))
