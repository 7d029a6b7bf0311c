"""A PortOne that says what a test wants: scripted over httpx.MockTransport, or raw bytes over a loopback socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from billing.domain.money import Money
from billing.portone import (
    CancelPayment,
    Card,
    ChargeAgain,
    ChargeOnetime,
    IssueBillingKey,
    PortOneClient,
    ScheduleItem,
    ScheduleRequest,
)

NOW = 1_790_000_000
Answerer = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Wire:
    """Answers getToken with `token_answer` and everything else with `answer`, and remembers both.

    The builders below make PortOne's rows and our requests, whole but for what a test changes.
    """

    NOW = NOW
    PAN = "5409-2600-1234-5678"

    def __init__(self) -> None:
        self.answer: Answerer = lambda _: self.envelope()
        self.token_answer: Answerer = lambda _: self.grant()
        self.token_requests: list[httpx.Request] = []
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        getting_token = request.url.path.endswith("/users/getToken")
        (self.token_requests if getting_token else self.requests).append(request)
        answered = (self.token_answer if getting_token else self.answer)(request)
        return answered if isinstance(answered, httpx.Response) else await answered

    def says(self, response: httpx.Response) -> None:
        self.answer = lambda _: httpx.Response(response.status_code, headers=response.headers, content=response.content)

    def fails(self, error: Exception) -> None:
        def fail(_request: httpx.Request) -> httpx.Response:
            raise error

        self.answer = fail

    def body(self, number: int = -1) -> Any:
        return json.loads(self.requests[number].content)

    @property
    def raw_path(self) -> str:
        return self.requests[-1].url.raw_path.decode()

    def client(self, **changed: Any) -> PortOneClient:
        return client_of(**({"transport": httpx.MockTransport(self)} | changed))

    @staticmethod
    def envelope(response: Any = None, *, code: Any = 0, message: Any = None, status: int = 200) -> httpx.Response:
        return httpx.Response(status, json={"code": code, "message": message, "response": response})

    @staticmethod
    def grant(token: str = "token-1", *, now: int = NOW, lives: int = 1800) -> httpx.Response:
        return Wire.envelope({"access_token": token, "now": now, "expired_at": now + lives})

    @staticmethod
    def payment(**changed: Any) -> dict[str, Any]:
        row = {
            "imp_uid": "imps_123456789012",
            "merchant_uid": "order_1",
            "amount": 9900,
            "cancel_amount": 0,
            "currency": "KRW",
            "status": "paid",
            "sandbox": True,
            "paid_at": NOW,
            "failed_at": 0,
            "customer_uid": "u-1",
        }
        return row | changed

    @staticmethod
    def schedule(**changed: Any) -> dict[str, Any]:
        row = {
            "customer_uid": "u-1",
            "merchant_uid": "order_1",
            "imp_uid": None,
            "schedule_at": NOW + 86400,
            "executed_at": 0,
            "revoked_at": 0,
            "amount": 9900,
            "currency": "KRW",
            "name": "A month",
            "schedule_status": "scheduled",
            "payment_status": None,
        }
        return row | changed

    @staticmethod
    def key(**changed: Any) -> dict[str, Any]:
        row = {"customer_uid": "u-1", "pg_provider": "nice", "pg_id": "nictest04m", "card_name": "BC", "sandbox": True}
        return row | {"card_number": "54092600****5678", "inserted": NOW, "updated": NOW} | changed

    @staticmethod
    def paged(*rows: Any, total: int | None = None, previous: int = 0, following: int = 0) -> dict[str, Any]:
        count = len(rows) if total is None else total
        return {"total": count, "previous": previous, "next": following, "list": list(rows)}

    @staticmethod
    def card(**changed: Any) -> Card:
        values = {"card_number": Wire.PAN, "expiry": "2031-07", "birth": "900412", "pwd_2digit": "73", "cvc": "918"}
        return Card(**(values | changed))

    @staticmethod
    def again(**changed: Any) -> ChargeAgain:
        values = {"customer_uid": "u-1", "merchant_uid": "order_1", "amount": Money(9900), "name": "A month"}
        return ChargeAgain(**(values | changed))

    @staticmethod
    def onetime(**changed: Any) -> ChargeOnetime:
        values = {"merchant_uid": "order_1", "amount": Money(9900), "name": "A month", "card": Wire.card()}
        return ChargeOnetime(**(values | changed))

    @staticmethod
    def issue(**changed: Any) -> IssueBillingKey:
        return IssueBillingKey(**({"card": Wire.card(), "pg": "nice"} | changed))

    @staticmethod
    def item(**changed: Any) -> ScheduleItem:
        at = datetime.fromtimestamp(NOW + 86400, tz=UTC)
        values = {"merchant_uid": "order_1", "schedule_at": at, "amount": Money(9900), "name": "A month"}
        return ScheduleItem(**(values | changed))

    @staticmethod
    def booking(**changed: Any) -> ScheduleRequest:
        return ScheduleRequest(**({"customer_uid": "u-1", "schedules": (Wire.item(),)} | changed))

    @staticmethod
    def refund(**changed: Any) -> CancelPayment:
        values = {"imp_uid": "imps_123456789012", "amount": Money(9900), "checksum": Money(9900)}
        return CancelPayment(**(values | changed))


def client_of(**changed: Any) -> PortOneClient:
    settings = {"base_url": "http://portone.test", "imp_key": "the-rest-api-key", "imp_secret": "the-rest-api-secret"}
    return PortOneClient(**(settings | changed))


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def client(wire: Wire) -> AsyncIterator[PortOneClient]:
    async with wire.client() as client:
        yield client


@pytest.fixture
async def skip() -> Callable[[float], None]:
    """Let seconds pass at once, for whatever waits in this event loop; its clock never goes back, even afterwards."""
    loop = asyncio.get_running_loop()
    clock, ahead = loop.time, 0.0

    def pass_by(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    loop.time = lambda: clock() + ahead  # type: ignore[method-assign]
    return pass_by


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[[Conversation], Awaitable[PortOneClient]]

_GRANT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    + Wire.envelope({"access_token": "token-1", "now": NOW, "expired_at": NOW + 1800}).content
)


@pytest.fixture
async def listening() -> AsyncIterator[Listen]:
    """Clients of a real server on loopback: it grants tokens, and leaves every other request, once read, to a test."""
    async with AsyncExitStack() as stack:

        async def listen(conversation: Conversation, **changed: Any) -> PortOneClient:
            base_url = await stack.enter_async_context(_server(conversation))
            return await stack.enter_async_context(client_of(base_url=base_url, **changed))

        yield listen


@asynccontextmanager
async def _server(conversation: Conversation) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if length:
                await reader.readexactly(int(length[0].split(b":")[1]))
            if b"/users/getToken" in head:
                writer.write(_GRANT)
            else:
                await conversation(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()
