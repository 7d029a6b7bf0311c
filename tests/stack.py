"""The whole product in one process, over real parts: Temporal dev server, emulator, ledger, worker and API."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import socket
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
import uvicorn
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from api.app import create_app
from api.clock import SEARCH_ATTRIBUTES, TIME_SKIPPING_FLAGS, advance
from billing.domain.subscription.snapshot import SubscriptionSnapshot
from billing.emulator import EmulatorSettings, create_emulator
from billing.ledger import Ledger
from billing.portone import PortOneClient
from billing.settings import Settings
from billing.temporal import DATA_CONVERTER
from billing.workflow_runner import ASK_AGAIN
from tests.built_once import with_routes_of_the_first
from tests.patience import PATIENCE_SECONDS, patient_client
from worker import create_event_worker, create_worker

CARD = "4518-4212-3456-7890"
API_KEY = "gudok_local_key"
AUTH = {"Authorization": f"Bearer {API_KEY}"}


# Every task queue of a test is a new one: in one part it costs Temporal a sixth less than in the usual four.
ONE_PARTITION = (
    *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
    *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
)


def executable(name: str) -> str:
    found = Path(sys.executable).parent / name
    return str(found) if found.exists() else shutil.which(name) or name


async def start_dev_server(*flags: str) -> WorkflowEnvironment:
    """The real dev server with a clock of its own for each workflow, and whatever else `flags` turn on."""
    return await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False, max_session_skip_count=100_000),
        dev_server_existing_path=executable("temporal"),
        dev_server_startup_timeout=timedelta(seconds=PATIENCE_SECONDS),
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_extra_args=[*TIME_SKIPPING_FLAGS, *ONE_PARTITION, *flags],
        data_converter=DATA_CONVERTER,
    )


@contextlib.asynccontextmanager
async def served(app):
    """An ASGI application on a free loopback port; answers its base URL."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", proxy_headers=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        sock.close()


@dataclass
class Stack:
    temporal: Client
    settings: Settings
    ledger: Ledger
    portone: PortOneClient
    api: httpx.AsyncClient
    emulator: httpx.AsyncClient
    task_queue: str
    app: object
    emulator_app: object
    last: dict = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    worker: Worker | None = None
    event_worker: Worker | None = None
    exits: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def start_worker(self, **options):
        self.worker = create_worker(
            self.temporal, self.settings, self.portone, self.ledger, task_queue=self.task_queue, **options
        )
        await self.worker.__aenter__()
        self.event_worker = create_event_worker(self.temporal, self.settings, self.ledger, task_queue=self.task_queue)
        await self.event_worker.__aenter__()

    async def restart_worker(self):
        """What a deploy does."""
        await self.stop_worker()
        await self.start_worker()

    def quick(self):
        """Answer 202 soon instead of waiting for an outcome that only virtual time brings."""
        self.answer_within(1.0)

    def answer_within(self, seconds):
        """How long an outcome is waited for before the answer is 202."""
        self.app.state.desk = dataclasses.replace(
            self.app.state.desk, settings=self.settings.model_copy(update={"first_answer_seconds": seconds})
        )

    def roll_after(self, events):
        """Let new subscriptions continue as new after so many events, instead of thousands."""
        desk = self.app.state.desk

        class Rolling(type(desk)):
            def policy(self):
                return super().policy().model_copy(update={"roll_after_events": events})

        fields = {field.name: getattr(desk, field.name) for field in dataclasses.fields(desk)}
        self.app.state.desk = Rolling(**fields)

    @contextlib.asynccontextmanager
    async def holding(self, path, *, after=False):
        """PortOne keeps calls of this path waiting, before or after it acts; yields the event of the first of them."""
        account, perform = self.account(), self.account().perform
        came, let_go = asyncio.Event(), asyncio.Event()

        async def held(request, name, work, **options):
            if name != path:
                return await perform(request, name, work, **options)
            if after:
                answer = await perform(request, name, work, **options)
                came.set()
                await let_go.wait()
                return answer
            came.set()
            await let_go.wait()
            return await perform(request, name, work, **options)

        account.perform = held
        try:
            yield came
        finally:
            account.perform = perform
            let_go.set()

    def account(self):
        """The emulator from the inside, for what no route of PortOne's can do."""
        return self.emulator_app.state.account

    async def refused_start(self, customer_uid=None, **more):
        """Start what will be refused; answers the problem document."""
        uid = customer_uid or f"buyer_{uuid.uuid4().hex[:10]}"
        await self.start(uid, expect=402, **more)
        return self.last

    async def stop_worker(self):
        if self.worker is not None:
            worker, self.worker = self.worker, None
            await worker.__aexit__(None, None, None)
            await self.event_worker.__aexit__(None, None, None)

    async def start(self, customer_uid=None, *, card=CARD, expect=201, **more):
        uid = customer_uid or f"buyer_{uuid.uuid4().hex[:10]}"
        method = {"card": {"card_number": card, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}}
        body = {
            "customer_uid": uid,
            "plan": {"name": "월간 이용권", "amount": 9900, "interval": "month"},
            "payment_method": method,
            "customer": {"id": uid, "name": "홍길동", "email": "gildong@example.com", "tel": "01012345678"},
            **more,
        }
        answer = await self.api.post("/v1/subscriptions", json=body)
        assert answer.status_code == expect, answer.text
        self.last = answer.json()
        self.started.append(uid)
        return uid

    async def order(self, customer_uid, path, /, *, expect=200, method="POST", **body):
        """One of the orders under /v1/subscriptions/{customer_uid}/; answers its document."""
        url = f"/v1/subscriptions/{customer_uid}/{path}"
        headers = {"Idempotency-Key": uuid.uuid4().hex} if expect == HTTPStatus.ACCEPTED else None
        answer = await self.api.request(method, url, json=body or None, headers=headers)
        # Whoever waits only a moment for the outcome may have waited too short for the order to be taken, too.
        while expect == HTTPStatus.ACCEPTED and answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            answer = await self.api.request(method, url, json=body or None, headers=headers)
        if answer.status_code != expect:
            parked = (await self.api.get("/v1/parked")).json()["parked"]
            pytest.fail(f"{answer.text}\nparked: {parked}\nbefore: {await self.story(customer_uid)}")
        return answer.json()

    async def events(self, customer_uid):
        """The types of the outgoing events of a subscription, in their order."""
        answer = await self.api.get("/v1/events", params={"customer_uid": customer_uid, "limit": 200})
        assert answer.status_code == 200, answer.text
        return [event["type"] for event in answer.json()["events"]]

    async def story(self, customer_uid):
        """The summaries a person reads on the run's page in the Temporal UI, in their order."""
        return await summaries(self.handle(customer_uid))

    def handle(self, customer_uid):
        return self.temporal.get_workflow_handle(f"subscription/{customer_uid}")

    async def snapshot(self, customer_uid):
        """Where the subscription stands; a run that has just continued as new is asked again in a moment."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    shown = await self.handle(customer_uid).query("snapshot", result_type=SubscriptionSnapshot)
                    return shown.model_dump(mode="json")
                except RPCError as error:
                    if "not scheduled yet" not in error.message:
                        raise
                except WorkflowQueryFailedError as error:
                    if str(error) != ASK_AGAIN:
                        raise
                await asyncio.sleep(0.01)

    async def settled(self, customer_uid):
        """Wait until the run has nothing to do but wait."""
        while True:
            description = (await self.handle(customer_uid).describe()).raw_description
            if not description.pending_activities and not description.HasField("pending_workflow_task"):
                return
            await asyncio.sleep(0.01)

    async def advance(self, customer_uid, **distance):
        """Move one subscription's whole world in time, from due to due."""
        await advance(self.temporal, str(self.emulator.base_url), customer_uid, timedelta(**distance))

    async def subscription(self, customer_uid):
        answer = await self.api.get(f"/v1/subscriptions/{customer_uid}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def books(self, customer_uid):
        return (await self.emulator.get("/emulator/books", params={"customer_uid": customer_uid})).json()

    async def charges(self, customer_uid):
        return (await self.api.get(f"/v1/subscriptions/{customer_uid}/charges")).json()["charges"]

    async def fault(self, **fault):
        assert (await self.emulator.post("/emulator/faults", json=fault)).status_code == 201

    async def agree(self, customer_uid):
        """The emulator's books and the ledger agree, over every key it was charged by; nothing was charged twice.

        Every paid row of its keys counts, whatever its order number, and two numbers that paid one period are twice.
        """
        rows = await self.charges(customer_uid)
        charged = {}
        for key in {customer_uid, *(row["customer_uid"] for row in rows)}:
            books = await self.books(key)
            assert books["totals"]["charged_twice"] == []
            charged |= {row["merchant_uid"]: row["amount"] for row in books["charges"] if row["status"] == "paid"}
        written = {row["merchant_uid"]: row["amount"] for row in rows if row["state"] == "paid"}
        assert charged == written
        periods = [(row["subscription_id"], row["cycle"]) for row in rows if row["state"] == "paid" and row["cycle"]]
        assert len(set(periods)) == len(periods), "a period is paid under two order numbers"
        return len(charged)


async def summaries(handle):
    """The summaries of a run's activities and timers, as the Temporal UI shows them."""
    events = (await handle.fetch_history()).events
    payloads = [event.user_metadata.summary for event in events if event.user_metadata.HasField("summary")]
    return await DATA_CONVERTER.decode(payloads)


_MIGRATED: list[bytes] = []


async def _migrated(url):
    """A ledger with every table; the file of the first one is copied for the others."""
    if not url.startswith("sqlite:///"):
        ledger = Ledger(url)
        await ledger.migrate()
        return ledger
    file = Path(url.removeprefix("sqlite:///"))
    if not _MIGRATED:
        first = Ledger(url)
        await first.migrate()
        await first.aclose()
        _MIGRATED.append(file.read_bytes())
    file.write_bytes(_MIGRATED[0])
    return Ledger(url)


@contextlib.asynccontextmanager
async def running_stack(temporal: Client, tmp_path: Path, around=lambda app: app, **settings_changes):
    """Emulator, ledger, API and a worker on one Temporal, each with its own files and ports.

    `around` may put something between PortOne and whoever asks it.
    """
    async with contextlib.AsyncExitStack() as exits:
        emulator_settings = EmulatorSettings(sandbox=True)
        emulator_app = with_routes_of_the_first(create_emulator(emulator_settings))
        emulator_url = await exits.enter_async_context(served(around(emulator_app)))
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        sock.close()
        settings = Settings(
            mode="test",
            portone_url=emulator_url,
            portone_include_sandbox=True,
            database_url=os.environ.get("DATABASE_URL") or f"sqlite:///{tmp_path}/ledger.db",
            public_url=f"http://127.0.0.1:{port}",
            **{"first_answer_seconds": PATIENCE_SECONDS, **settings_changes},
        )
        ledger = await _migrated(settings.database_url.get_secret_value())
        exits.push_async_callback(ledger.aclose)
        portone = PortOneClient(
            base_url=emulator_url,
            imp_key=settings.portone_imp_key,
            imp_secret=settings.portone_imp_secret,
            include_sandbox=True,
            timeout_seconds=30,
        )
        exits.push_async_callback(portone.aclose)
        task_queue = f"billing-{uuid.uuid4().hex[:8]}"
        app = with_routes_of_the_first(create_app(settings, ledger, temporal, task_queue=task_queue))
        api_url = await exits.enter_async_context(served(app))
        # The notice_url must name the port that was really taken.
        settings = settings.model_copy(update={"public_url": api_url})
        patience = 2 * PATIENCE_SECONDS  # the answer is what is waited for, and that has a bound of its own
        api = await exits.enter_async_context(patient_client(api_url, headers=AUTH, timeout=patience))
        emulator = await exits.enter_async_context(patient_client(emulator_url, timeout=patience))
        stack = Stack(temporal, settings, ledger, portone, api, emulator, task_queue, app, emulator_app)
        await stack.start_worker()
        try:
            yield stack
        finally:
            await stack.stop_worker()


def now() -> datetime:
    return datetime.now(UTC)
