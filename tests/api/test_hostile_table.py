"""Every route against everything that is wrong: no answer is an error of ours, and every refusal is a problem.

`pytest -rP` shows how many answers there were, by what was wrong and by status.
"""

import json

import httpx
import pytest_asyncio

from api.app import create_app
from billing.domain.records import LedgerEntry
from billing.ledger import Ledger
from billing.settings import Settings
from billing.temporal import connect
from tests.api.hostile import BAD_BODIES, BAD_SEGMENTS, BODIES, Tally, made_bad, operations
from tests.api.requests import CARD_NUMBER, SECRETS, without_ids
from tests.ledger.stories import intent, paid, subscription
from tests.stack import AUTH, _migrated

JSON = {**AUTH, "Content-Type": "application/json"}
LOOK_LIKE_IDS = {CARD_NUMBER, str(2**63)}
NAMES = {"customer_uid", "merchant_uid", "subscription_id", "refund_id", "run_url"}
AWAY = {"temporal_unavailable", "ledger_unavailable", "service_unavailable"}


class Door:
    """The application in this process, with Temporal and PortOne away; every answer is looked at and counted."""

    def __init__(self, app, client):
        self.app = app
        self.client = client
        self.operations = operations(app)
        self.tally = Tally()

    async def ask(self, kind, method, url, *, headers=JSON, content=None):
        answer = await self.client.request(method, url, headers=headers, content=content)
        self.tally.count(kind, answer.status_code)
        what = (kind, method, url[:200], (content or b"")[:300], answer.status_code, answer.text[:500])
        assert answer.status_code < 500 or answer.status_code == 503, what
        assert answer.headers["x-request-id"].startswith("req_"), what
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", what
            problem = answer.json()
            assert (problem["status"], problem["type"]) == (
                answer.status_code,
                f"urn:gudok:problem:{problem['code']}",
            ), what
            # What was asked for is named by the ids that the caller gave; nothing else of it is said again.
            shown = json.dumps({name: value for name, value in problem.items() if name not in NAMES}).replace(url, "")
            assert [secret for secret in SECRETS if secret in without_ids(shown)] == [], what
        return answer

    async def refused(self, kind, operation, *, url=None, **more):
        """Ask for what is wrong in itself: whatever is away, it is refused."""
        answer = await self.ask(kind, operation.method, url or operation.url(), **more)
        assert 400 <= answer.status_code < 500, (kind, operation.name, answer.status_code, answer.text[:300])
        return answer


def in_process(settings, ledger, temporal):
    app = create_app(settings, ledger, temporal)
    return app, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gudok")


@pytest_asyncio.fixture
async def door(tmp_path):
    """The ledger is there and knows somebody; Temporal and PortOne are not, so that nothing can be started."""
    settings = Settings(mode="test", portone_url="http://127.0.0.1:1")
    ledger = await _migrated(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(),)))
    await ledger.record(paid())
    app, client = in_process(settings, ledger, await connect("127.0.0.1:1", lazy=True))
    async with client:
        door = Door(app, client)
        yield door
    print(door.tally)  # noqa: T201 - what was counted
    await ledger.aclose()


def test_every_operation_that_takes_a_body_is_in_the_table(tmp_path):
    app = create_app(Settings(mode="test"), Ledger(f"sqlite:///{tmp_path}/a.db"), None)
    paths = app.openapi()["paths"]
    taking = {
        f"{m.upper()} {path}" for path, methods in paths.items() for m, op in methods.items() if "requestBody" in op
    }
    assert taking == set(BODIES)


async def test_a_body_that_is_wrong_in_itself_is_refused_by_every_route(door):
    for operation in door.operations:
        if operation.method == "GET" or operation.is_for_portone:
            continue
        for kind, content in BAD_BODIES.items():
            await door.refused(f"a body: {kind}", operation, content=content)
        if operation.name in BODIES:
            content = json.dumps(BODIES[operation.name]).encode()
            headers = {**AUTH, "Content-Type": "text/plain"}
            await door.refused("a body under another type", operation, content=content, headers=headers)


async def test_a_wrong_value_in_any_field_of_any_body_is_no_error_of_ours(door):
    for operation in door.operations:
        for content in made_bad(BODIES.get(operation.name, {})):
            await door.ask("a field", operation.method, operation.url(), content=content)


async def test_a_good_body_is_never_called_wrong(door):
    for operation in door.operations:
        if operation.name in BODIES:
            content = json.dumps(BODIES[operation.name]).encode()
            answer = await door.ask("good", operation.method, operation.url(), content=content)
            assert answer.status_code not in (400, 413, 415), (operation.name, answer.text)
            if answer.status_code == 422:
                assert answer.json()["code"] == "endpoint_not_found", (operation.name, answer.text)


async def test_a_path_that_no_id_looks_like_is_refused_by_every_route(door):
    for operation in door.operations:
        content = json.dumps(BODIES[operation.name]).encode() if operation.name in BODIES else None
        for segment in operation.segments:
            for kind, bad in BAD_SEGMENTS.items():
                url = operation.url(**{segment: bad})
                if bad in LOOK_LIKE_IDS:
                    # Nobody has it, and nobody is told of it.
                    await door.ask(f"a path: {kind}", operation.method, url, content=content)
                    continue
                await door.refused(f"a path: {kind}", operation, url=url, content=content)
        for end in ("/", "//", "/%2E%2E", "%2F"):
            if operation.path == "/webhooks/portone" and end == "%2F":
                continue
            answer = await door.refused("another path", operation, url=operation.url() + end, content=content)
            assert "location" not in answer.headers


async def test_a_query_that_no_route_knows_is_refused_by_name(door):
    for operation in door.operations:
        if operation.is_for_portone:
            answer = await door.ask("a query of PortOne's", operation.method, operation.url() + "?nobody=1")
            assert answer.status_code != 422
            continue
        answer = await door.refused("a query", operation, url=operation.url() + "?nobody=1")
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
        assert [error["field"] for error in answer.json()["errors"]] == ["nobody"]
        for name in operation.queries:
            for bad in ("a%00b", "9" * 400, "%FF", "a" * 5_000, "-1", "%F0%9F%92%B3", "9999-12-31T23:59:59Z"):
                await door.ask("a value of a query", operation.method, f"{operation.url()}?{name}={bad}")
            await door.refused("a query twice", operation, url=f"{operation.url()}?{name}=1&{name}=2")


NO_KEYS = ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !!!"}, {"Authorization": b"Bearer \xff\xfe"})


async def test_who_shows_no_key_learns_nothing_else(door):
    for operation in filter(lambda each: each.is_ours, door.operations):
        for headers in NO_KEYS:
            for end, content in (("", BAD_BODIES["cut off"]), ("/", b"a" * 70_000), ("?nobody=1", None)):
                answer = await door.refused(
                    "no key", operation, url=operation.url() + end, headers=headers, content=content
                )
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    for path in ("/v1", "/v1/", "/v1/nobody"):
        assert (await door.client.get(path)).status_code == 401


async def test_an_idempotency_key_that_is_none_is_refused(door):
    for name, body in BODIES.items():
        operation = next(each for each in door.operations if each.name == name)
        for key in (b"", b"a" * 256, b"\xff", b"a\x7f"):
            headers = {**JSON, "Idempotency-Key": key}
            await door.ask(
                "a key", operation.method, operation.url(), headers=headers, content=json.dumps(body).encode()
            )


NEEDS_TEMPORAL = {
    "POST /v1/subscriptions",
    "POST /v1/subscriptions/{customer_uid}/cancel",
    "POST /v1/subscriptions/{customer_uid}/cancel/preview",
    "POST /v1/subscriptions/{customer_uid}/undo-cancel",
    "POST /v1/subscriptions/{customer_uid}/pause",
    "POST /v1/subscriptions/{customer_uid}/resume",
    "POST /v1/subscriptions/{customer_uid}/skip",
    "POST /v1/subscriptions/{customer_uid}/skip/preview",
    "POST /v1/subscriptions/{customer_uid}/undo-skip",
    "POST /v1/subscriptions/{customer_uid}/change-plan",
    "POST /v1/subscriptions/{customer_uid}/change-plan/preview",
    "DELETE /v1/subscriptions/{customer_uid}/pending-change",
    "GET /v1/subscriptions/{customer_uid}/preview",
    "POST /v1/subscriptions/{customer_uid}/trial",
    "POST /v1/subscriptions/{customer_uid}/payment-method",
    "POST /v1/subscriptions/{customer_uid}/retry",
    "POST /v1/subscriptions/{customer_uid}/consent",
    "POST /v1/payments",
    "POST /v1/payments/{merchant_uid}/refunds",
    "POST /v1/billing-keys",
    "DELETE /v1/billing-keys/{customer_uid}",
    "POST /v1/reconciliation",
}
NEEDS_NOTHING = {"GET /v1/pgs", "GET /v1/pgs/{pg_provider}", "GET /healthz", "GET /metrics"}


async def test_while_temporal_is_away_every_route_that_needs_it_says_so(door):
    said = {}
    for operation in door.operations:
        body = BODIES.get(operation.name)
        url = operation.url(customer_uid="kim_9") if operation.name.startswith("DELETE /v1/billing-keys") else None
        content = json.dumps(body).encode() if body is not None else None
        answer = await door.ask("Temporal away", operation.method, url or operation.url(), content=content)
        if answer.status_code == 503 and operation.path != "/readyz":
            said[operation.name] = answer.json()["code"]
    assert {name for name, code in said.items() if code == "temporal_unavailable"} == NEEDS_TEMPORAL
    assert set(said.values()) <= AWAY


async def test_while_the_database_is_away_every_route_that_needs_it_says_so():
    settings = Settings(mode="test", portone_url="http://127.0.0.1:1")
    app, client = in_process(
        settings, Ledger("postgresql://127.0.0.1:1/nobody"), await connect("127.0.0.1:1", lazy=True)
    )
    async with client:
        door = Door(app, client)
        for operation in door.operations:
            content = json.dumps(BODIES[operation.name]).encode() if operation.name in BODIES else None
            if operation.is_for_portone:
                content = b'{"imp_uid": "imp_1", "merchant_uid": "order-1", "status": "paid"}'
            answer = await door.ask("database away", operation.method, operation.url(), content=content)
            needs = operation.name not in NEEDS_NOTHING and "{token}" not in operation.path
            assert (answer.status_code == 503) is needs, (operation.name, answer.status_code, answer.text)
    print(door.tally)  # noqa: T201 - what was counted
