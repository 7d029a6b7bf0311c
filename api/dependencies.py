"""What every route works with."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from aiohttp.abc import AbstractResolver
from fastapi import Depends, Request
from temporalio.client import Client

from api.security import require_api_key
from billing.domain.deadlines import QuietWindow
from billing.domain.dunning import DunningPolicy, RetryLadder
from billing.domain.subscription.start import BillingPolicy
from billing.ledger import CardVault, Endpoints, Ledger
from billing.settings import Settings
from workflows.contracts import BILLING_TASK_QUEUE


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings, ledger, vault, event endpoints and Temporal, put together once in `create_app`.

    `resolver` looks up the hosts of event endpoints; None is the system's.
    """

    settings: Settings
    ledger: Ledger
    vault: CardVault
    endpoints: Endpoints
    temporal: Client
    task_queue: str = BILLING_TASK_QUEUE
    resolver: AbstractResolver | None = None

    def now(self) -> datetime:
        """This moment."""
        return datetime.now(UTC)

    def policy(self) -> BillingPolicy:
        """The timings new workflows live by."""
        return BillingPolicy(
            schedule_horizon_days=self.settings.schedule_horizon_days,
            quiet=QuietWindow(minutes=self.settings.quiet_minutes),
            retries=RetryLadder(self.settings.retry_after_days),
            dunning=DunningPolicy(
                after_days=self.settings.retry_after_days,
                grace_days=self.settings.grace_days,
                end_action=self.settings.dunning_end_action,
            ),
            notice_days=self.settings.notice_days or None,
            trial_notice_days=self.settings.trial_notice_days or None,
            roll_when_deployed=True,
            foreign_at_end=self.settings.foreign_schedules_at_end,
        )

    def fingerprints(self, body: bytes) -> dict[str, str]:
        """A body as requests are remembered, by the id of the vault key that made it, the newest first.

        Keyed, since a body may hold a card number to guess at.
        """
        keys = self.settings.vault_keys()
        return {
            hmac.digest(key, b"gudok-idempotency-key-id", "sha256").hex()[:8]: hmac.digest(
                key, b"gudok-idempotency\n" + body, "sha256"
            ).hex()
            for key in keys
        }

    def run_url(self, workflow_id: str) -> str:
        """Where a workflow is open in the Temporal UI."""
        namespace = self.temporal.namespace
        quoted = workflow_id.replace("/", "%2F")
        return f"{self.settings.temporal_ui_url.rstrip('/')}/namespaces/{namespace}/workflows/{quoted}"


def desk_of(request: Request) -> Desk:
    """The desk of this application."""
    desk: Desk = request.app.state.desk
    return desk


def caller_of(request: Request) -> str:
    """The name of the caller's API key."""
    return require_api_key(request, [key.get_secret_value() for key in desk_of(request).settings.api_keys])


DeskDep = Annotated[Desk, Depends(desk_of)]
CallerDep = Annotated[str, Depends(caller_of)]
