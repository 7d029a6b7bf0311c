"""The HTTP application, put together from a ledger, a Temporal client and the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from temporalio.client import Client

from api.advances import Advances
from api.api_key_gate import ApiKeyGate
from api.bell import sweeping
from api.body_limit import BodyLimit
from api.boundary import RequestBoundary
from api.dependencies import Desk
from api.errors import Problem, install_error_handlers, problem_response
from api.event_bell import sweeping_events
from api.idempotency import forgetting_old_keys
from api.overdue import looking_for_overdue
from api.routes import (
    billing_keys,
    commands,
    consents,
    event_endpoints,
    events,
    health,
    parked,
    payments,
    pgs,
    plans,
    portone_webhook,
    reconciliation,
    subscriptions,
    test_clocks,
    timeline,
)
from billing.ledger import Ledger, LedgerUnavailableError
from billing.settings import Settings
from workflows.contracts import BILLING_TASK_QUEUE


def create_app(
    settings: Settings, ledger: Ledger, temporal: Client, *, task_queue: str = BILLING_TASK_QUEUE
) -> FastAPI:
    """The API; while its lifespan runs, bells that could not be rung are rung again, and test clocks move."""
    vault = ledger.card_vault(settings.vault_keys(), ttl_minutes=settings.vault_ttl_minutes)
    desk = Desk(settings, ledger, vault, ledger.event_endpoints(settings.event_keys()), temporal, task_queue)

    advances = Advances(temporal, settings.portone_url)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with (
            sweeping(desk),
            sweeping_events(desk),
            looking_for_overdue(desk),
            forgetting_old_keys(desk),
            advances.running(),
        ):
            yield

    # A redirect would send a card again in clear where a proxy speaks TLS: another path is another resource.
    app = FastAPI(title="gudok", version="0.1.0", lifespan=lifespan, redirect_slashes=False)
    # From the inside out: what is added last sees a request first.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
    app.add_middleware(ApiKeyGate, keys=[key.get_secret_value() for key in settings.api_keys])
    app.add_middleware(RequestBoundary)
    app.state.desk = desk
    app.state.advances = advances
    install_error_handlers(app)

    @app.exception_handler(LedgerUnavailableError)
    async def _ledger_is_away(_request: Request, _error: LedgerUnavailableError) -> JSONResponse:
        return problem_response(Problem(503, "ledger_unavailable", "The ledger cannot be reached"))

    for routes in (
        subscriptions,
        commands,
        consents,
        parked,
        timeline,
        payments,
        billing_keys,
        plans,
        pgs,
        event_endpoints,
        events,
        reconciliation,
        test_clocks,
        portone_webhook,
        health,
    ):
        app.include_router(routes.router)
    return app
