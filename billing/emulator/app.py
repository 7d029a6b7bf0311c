"""The emulator as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from billing.emulator.account import Account
from billing.emulator.routes import charges, control, customers, payments, schedules, users
from billing.emulator.settings import EmulatorSettings


def create_emulator(settings: EmulatorSettings | None = None) -> FastAPI:
    """A PortOne V1 at its real paths, with one account; its clock runs while the application's lifespan does."""
    account = Account(settings or EmulatorSettings())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        account.timeline.start()
        yield
        await account.timeline.aclose()

    app = FastAPI(title="PortOne V1 emulator", lifespan=lifespan)
    app.state.account = account
    # The literal paths first: `/payments/cancel` is not a payment called "cancel".
    for routes in (users, customers, charges, schedules, payments, control):
        app.include_router(routes.router)
    return app
