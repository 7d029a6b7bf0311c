"""An emulator over ASGI with its clock running, a merchant that calls it, and a real receiver of webhooks."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from aiohttp import web

from billing.emulator import EmulatorSettings, create_emulator
from billing.emulator.app import SERVED
from billing.emulator.operations import EXCEPTIONS, OPERATIONS
from tests.built_once import with_routes_of_the_first
from tests.patience import PATIENCE_SECONDS

KEY = {"imp_key": "imp_apikey", "imp_secret": EmulatorSettings().imp_secret}
FRONT = "4518-4212-3456-"


def card(last_four: str = "1111", **changes: Any) -> dict[str, Any]:
    return {
        "card_number": FRONT + last_four,
        "expiry": "2099-12",
        "birth": "900101",
        "pwd_2digit": "12",
    } | changes


class Merchant:
    """Calls one emulator; every call carries the living token unless it brings headers of its own."""

    def __init__(self, http: httpx.AsyncClient, app: Any) -> None:
        self.http, self.app = http, app

    async def token(self) -> str:
        answer = await self.http.post("/users/getToken", json=KEY)
        return str(answer.json()["response"]["access_token"])

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        headers = options.pop("headers", None) or {"Authorization": f"Bearer {await self.token()}"}
        return await self.http.request(method, path, json=body, headers=headers, **options)

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = await self.call(method, path, body, **options)
        assert answer.status_code in (200, 201, 207), answer.text
        envelope = answer.json()
        assert (envelope["code"], envelope["message"]) == (0, None), envelope
        return envelope["response"]

    async def issue(self, customer_uid: str = "kim", last_four: str = "1111", **more: Any) -> Any:
        return await self.ok("POST", f"/subscribe/customers/{customer_uid}", card(last_four, **more))

    async def window(self, customer_uid: str = "kim", last_four: str = "1111", **more: Any) -> Any:
        key = {"customer_uid": customer_uid, "card_number": FRONT + last_four}
        return await self.control("POST", "window/billing-key", key | more)

    async def again(self, merchant_uid: str, customer_uid: str = "kim", amount: Any = 9900, **more: Any) -> Any:
        body = {"customer_uid": customer_uid, "merchant_uid": merchant_uid, "amount": amount, "name": "Plan"}
        return await self.call("POST", "/subscribe/payments/again", body | more)

    async def schedule(self, merchant_uid: str, customer_uid: str = "kim", *, after: int = 3600, **more: Any) -> Any:
        at = await self.now(customer_uid) + after
        item = {"merchant_uid": merchant_uid, "schedule_at": at, "amount": 9900, "currency": "KRW", "name": "Plan"}
        body = {"customer_uid": customer_uid, "schedules": [item | more]}
        return (await self.ok("POST", "/subscribe/payments/schedule", body))[0]

    async def control(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = await self.http.request(method, f"/emulator/{path}", json=body, **options)
        assert answer.is_success, answer.text
        return answer.json()

    async def now(self, customer_uid: str | None = None) -> int:
        return int(self.app.state.account.world.clock.now(customer_uid))

    async def advance(self, seconds: float, customer_uid: str | None = None) -> list[str]:
        order = {"advance_seconds": seconds} | ({"customer_uid": customer_uid} if customer_uid else {})
        return (await self.control("POST", "clock", order))["executed"]

    async def fault(self, kind: str, **more: Any) -> None:
        await self.control("POST", "faults", {"kind": kind, **more})

    async def charges(self, **of: Any) -> list[dict[str, Any]]:
        return (await self.control("GET", "books", params=of))["charges"]


class Receiver:
    """A server on a port of its own that keeps every webhook and answers as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[dict[str, str]] = []
        self.content_types: list[str] = []
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._arrived = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        text = await request.text()
        form = request.content_type == "application/x-www-form-urlencoded"
        async with self._arrived:
            self.received.append(dict(parse_qsl(text)) if form else await request.json())
            self.content_types.append(request.content_type)
            self.paths.append(request.path)
            self._arrived.notify_all()
        await self.gate.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def have(self, count: int) -> list[dict[str, str]]:
        async with self._arrived, asyncio.timeout(PATIENCE_SECONDS):
            await self._arrived.wait_for(lambda: len(self.received) >= count)
        return self.received

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(hook["merchant_uid"], hook["status"]) for hook in self.received]


@asynccontextmanager
async def running(settings: EmulatorSettings) -> AsyncIterator[Merchant]:
    app = with_routes_of_the_first(create_emulator(settings))
    transport = httpx.ASGITransport(app)

    async def look(answer: httpx.Response) -> None:
        require_listed_status(app, answer)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://emulator", event_hooks={"response": [look]}) as http,
    ):
        yield Merchant(http, app)


_PATTERNS = [(one, re.compile(re.sub(r"\{\w+\}", "[^/]+", one.path))) for one in OPERATIONS]


def require_listed_status(app: Any, answer: httpx.Response) -> None:
    """No answer of any test has a status that PortOne's schema does not list, or somebody has seen; but by a fault."""
    method, path = answer.request.method, answer.request.url.path
    found = [one for one, pattern in _PATTERNS if one.method == method and pattern.fullmatch(path)]
    if not found or any(rule["fired"] for rule in app.state.account.faults.all()):
        return
    # Of `/payments/prepare` and `/payments/{imp_uid}` the one without a variable part is meant.
    one = min(found, key=lambda each: each.path.count("{"))
    seen = {status for where, at, status in EXCEPTIONS if (where, at) in ((one.method, one.path), ("*", "*"))}
    served = (one.method, one.path) in SERVED
    assert answer.status_code in ({*one.statuses, *seen} if served else {401, 501}), f"{method} {path}"


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start an emulator with settings of one's own; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def _start(**settings: Any) -> Merchant:
            return await stack.enter_async_context(running(EmulatorSettings(**settings)))

        yield _start


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks at `receiver.url`."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/hook"
    yield made
    made.gate.set()
    await runner.cleanup()


@pytest.fixture
async def merchant(start: Start, receiver: Receiver) -> Merchant:
    """An emulator in memory whose configured webhook URL is the receiver."""
    return await start(webhook_url=receiver.url)


@pytest.fixture
def make_card() -> Callable[..., dict[str, Any]]:
    """Card data as a request carries it, by its last four digits."""
    return card
