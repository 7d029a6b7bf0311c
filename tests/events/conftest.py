"""A receiver on this machine, and events told the way the workflows tell them."""

import asyncio
import dataclasses
import itertools
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from fastapi import FastAPI, Request, Response
from standardwebhooks import Webhook
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment, TimeSkipper, TimeSkippingConfig

from activities.ledger import LedgerActivities
from billing.domain.event_catalogue import event
from billing.domain.event_data import ChargeData
from billing.domain.events import EventType
from billing.domain.records import LedgerEntry
from tests.patience import PATIENCE_SECONDS
from tests.stack import served

_numbers = itertools.count(1)


def paid(customer_uid, **more):
    """One event of this customer_uid, another with every call."""
    number = next(_numbers)
    data = ChargeData(customer_uid, "s1", f"order{number}", number, "paid", 9900, "KRW", paid_at=datetime.now(UTC))
    values = {"type": EventType.CHARGE_PAID, "at": datetime.now(UTC), "event_id": f"evt_{number}", "data": data}
    return event(**{**values, "summary": f"paid 9,900 KRW for period {number}", **more})


@dataclasses.dataclass
class Receiver:
    """An endpoint of somebody's: answers what it is told to, and keeps what it got."""

    url: str = ""
    answers: dict = dataclasses.field(default_factory=lambda: defaultdict(list))
    default: int = 200
    got: list = dataclasses.field(default_factory=list)
    came: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    def app(self):
        app = FastAPI()

        @app.post("/{rest:path}")
        async def receive(rest: str, request: Request) -> Response:
            body = await request.body()
            event_id = request.headers["webhook-id"]
            planned = self.answers[event_id] or self.answers["*"]
            answer = planned.pop(0) if planned else self.default
            status, headers, content = answer if isinstance(answer, tuple) else (answer, {}, b"")
            self.got.append({"id": event_id, "body": body, "headers": dict(request.headers), "status": status})
            self.came.set()
            return Response(content, status, headers)

        return app

    def ids(self, status=200):
        """The webhook-ids that were answered so, in the order they came."""
        return [each["id"] for each in self.got if each["status"] == status]

    def verified(self, secret, at=-1):
        """The event of a request, verified by the library as a receiver does."""
        return Webhook(secret).verify(self.got[at]["body"], self.got[at]["headers"])

    async def wait_for(self, count):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.got) < count:
                self.came.clear()
                await self.came.wait()


class Telling:
    """The stack, seen from its outgoing events."""

    def __init__(self, stack):
        self.stack = stack
        self.skipper = TimeSkipper(
            stack.temporal, config=TimeSkippingConfig(enabled=False, max_session_skip_count=100_000)
        )

    async def endpoint(self, receiver, path="/hook", **more):
        """Register a receiver; answers the endpoint with its secret."""
        answer = await self.stack.api.post("/v1/event-endpoints", json={"url": receiver.url + path, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def tell(self, *events, record=None):
        """Write events by the very activity that the workflows write them with, bells included."""
        environment = ActivityEnvironment(client=self.stack.temporal)
        environment.info = dataclasses.replace(environment.info, task_queue=self.stack.task_queue)
        activities = LedgerActivities(self.stack.ledger)
        await environment.run(activities.record, dataclasses.replace(record or LedgerEntry(), events=events))

    def handle(self, endpoint, customer_uid):
        return self.skipper.client.get_workflow_handle(f"events/{endpoint['endpoint_id']}/{customer_uid}")

    async def status(self, endpoint, customer_uid):
        try:
            return (await self.handle(endpoint, customer_uid).describe()).status
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise

    async def ended(self, endpoint, customer_uid):
        """Wait until nothing is left to deliver."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.status(endpoint, customer_uid) is not WorkflowExecutionStatus.COMPLETED:
                await asyncio.sleep(0.02)

    async def idle(self, endpoint, customer_uid):
        """Wait until the run waits for a retry, or has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                description = (await self.handle(endpoint, customer_uid).describe()).raw_description
                if not description.pending_activities and not description.HasField("pending_workflow_task"):
                    return
                await asyncio.sleep(0.02)

    async def advance(self, endpoint, customer_uid, **distance):
        """Move the clock of one order of events; what becomes due on the way is sent."""
        await self.idle(endpoint, customer_uid)
        try:
            await self.skipper.fast_forward(self.handle(endpoint, customer_uid), timedelta(**distance))
            await self.idle(endpoint, customer_uid)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def deliveries(self, **query):
        answer = await self.stack.api.get("/v1/event-deliveries", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["deliveries"]

    async def state(self, event, endpoint):
        found = (await self.stack.api.get(f"/v1/events/{event.event_id}")).json()["deliveries"]
        return next(each["state"] for each in found if each["endpoint_id"] == endpoint["endpoint_id"])

    async def history_of(self, endpoint, customer_uid):
        """Every event of a run with its payloads readable, as they are in no JSON of it."""
        return "".join(str(each) for each in (await self.handle(endpoint, customer_uid).fetch_history()).events)


@pytest_asyncio.fixture
async def telling(stack):
    return Telling(stack)


@pytest_asyncio.fixture
async def receiver():
    made = Receiver()
    async with served(made.app()) as url:
        made.url = url
        yield made


def body_of(request):
    return json.loads(request["body"])
