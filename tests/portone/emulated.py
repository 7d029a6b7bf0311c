"""An emulated PortOne account for tests: the client on it over ASGI, and the emulator's own control paths."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from billing.domain.money import Money
from billing.domain.outcomes import KeyOutcome
from billing.emulator import EmulatorSettings, create_emulator
from billing.portone import (
    Card,
    ChargeAgain,
    IssueBillingKey,
    PortOneClient,
    ScheduleAnswer,
    ScheduleItem,
    ScheduleRequest,
)
from tests.built_once import with_routes_of_the_first

BASE = "http://portone.test"
MONTH = timedelta(days=30)


@dataclass
class Emulator:
    """An emulated account, the client on it, and the emulator's own control paths."""

    portone: PortOneClient
    control: httpx.AsyncClient

    async def fault(self, kind: str, path: str, **more: Any) -> None:
        answer = await self.control.post("/emulator/faults", json={"kind": kind, "path": path, "count": 1, **more})
        answer.raise_for_status()

    async def advance(self, by: timedelta) -> None:
        answer = await self.control.post("/emulator/clock", json={"advance_seconds": by.total_seconds()})
        answer.raise_for_status()

    async def now(self) -> datetime:
        """The instant that schedules run by; tokens, and PortOne's `now` beside them, keep real time."""
        told = (await self.control.get("/emulator/clock")).json()["now"]
        return datetime.fromisoformat(told).replace(microsecond=0)

    async def charged(self, merchant_uid: str) -> int:
        """How often PortOne's books say that an order was charged."""
        books = (await self.control.get("/emulator/books", params={"merchant_uid": merchant_uid})).json()
        return len(books["charges"])

    async def key(self, customer_uid: str = "customer-1", last_four: str = "1234") -> None:
        answer = await self.portone.issue_billing_key(customer_uid, IssueBillingKey(card=card(last_four), pg="nice"))
        assert answer.outcome is KeyOutcome.ISSUED

    async def schedule(self, merchant_uid: str = "order-1", after: timedelta = MONTH) -> ScheduleAnswer:
        item = ScheduleItem(
            merchant_uid=merchant_uid, amount=Money(9900), name="한 달", schedule_at=await self.now() + after
        )
        return await self.portone.schedule(ScheduleRequest(customer_uid="customer-1", schedules=(item,)))


@asynccontextmanager
async def emulator_of(settings: EmulatorSettings, **options: Any) -> AsyncIterator[Emulator]:
    app = with_routes_of_the_first(create_emulator(settings))
    # An exception of the application is how it loses an answer: it reaches the client as a broken connection.
    transport = httpx.ASGITransport(app)
    control = httpx.AsyncClient(transport=transport, base_url=BASE)
    arguments: dict[str, Any] = {
        "base_url": BASE,
        "imp_key": settings.imp_key,
        "imp_secret": settings.imp_secret,
        "transport": transport,
    }
    async with app.router.lifespan_context(app), PortOneClient(**{**arguments, **options}) as portone, control:
        yield Emulator(portone, control)


def card(last_four: str = "1234", expiry: str = "2039-12") -> Card:
    values = {"card_number": f"5409-4000-0000-{last_four}", "expiry": expiry, "birth": "900131", "pwd_2digit": "73"}
    return Card.model_validate(values)


def again(merchant_uid: str = "order-1", **changes: Any) -> ChargeAgain:
    asked = {"customer_uid": "customer-1", "merchant_uid": merchant_uid, "amount": Money(9900), "name": "한 달"}
    return ChargeAgain.model_validate(asked | changes)
