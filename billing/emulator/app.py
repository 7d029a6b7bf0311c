"""The emulator as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from billing.emulator.account import Account, account_in
from billing.emulator.addressing import PlainAddresses
from billing.emulator.envelope import REFUSED, Refusal, refused
from billing.emulator.faults import Plan
from billing.emulator.routes import (
    cash_receipts,
    certifications,
    charges,
    codes,
    control,
    customers,
    deliveries,
    index,
    payments,
    product_orders,
    schedules,
    users,
    vbanks,
    wallets,
    window,
)
from billing.emulator.routes.unserved import routes_of, unserved
from billing.emulator.settings import EmulatorSettings

_FAMILIES = (
    users, customers, charges, schedules, payments, vbanks, cash_receipts, certifications, codes, deliveries, wallets,
    product_orders, control, window, index,
)  # fmt: skip

SERVED = frozenset(
    (method, one.path)
    for routes in _FAMILIES
    for one in routes.router.routes
    if isinstance(one, APIRoute)
    for method in one.methods or ()
)
"""Method and path of everything that the emulator serves, PortOne's and its own."""

_UNSERVED = routes_of(unserved(SERVED))


def create_emulator(settings: EmulatorSettings | None = None, *, plan: Plan | None = None) -> FastAPI:
    """A PortOne V1 at its real paths, with one account (`app.state.account`).

    A `plan` of faults replaces what is set, unless it is what the state file has, which then counts on.

    While the application's lifespan runs, schedules run in real time by themselves. Without it (httpx.ASGITransport
    starts none) they run when a call comes in or the clock is moved; then nobody closes the webhook sender either,
    so tests should enter `app.router.lifespan_context(app)`.
    """
    account = Account(settings or EmulatorSettings())
    if plan is not None and not account.faults.keeps(plan):
        with account.world.store.writing():
            account.faults.replace(plan)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        account.timeline.start()
        yield
        await account_in(app).timeline.aclose()

    app = FastAPI(title="PortOne V1 emulator", lifespan=lifespan, redirect_slashes=False)
    app.add_middleware(PlainAddresses)
    app.state.account = account
    for routes in _FAMILIES:
        app.include_router(routes.router)
    app.include_router(_UNSERVED)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _control_error)
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """Errors of the framework, such as an unknown path, in PortOne's envelope; its own under /emulator."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    if request.url.path.startswith("/emulator"):
        return JSONResponse({"detail": detail}, status)
    return refused(Refusal(str(detail), code=REFUSED, http_status=status))


async def _control_error(_request: Request, error: Exception) -> Response:
    """What is wrong with a control call, without the framework's echo of what was sent: it may be a card."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"detail": [{"loc": e["loc"], "msg": e["msg"], "type": e["type"]} for e in errors]}, 422)
