"""Every POST, PATCH and DELETE that acts takes an Idempotency-Key: read off the application itself, route by route."""

import dataclasses
import re

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.idempotency import once_of
from billing.ledger import IdempotencyClaim, Ledger
from billing.settings import Settings
from tests.api.requests import CARD, PLAN, key_body, payment_body, subscription_body
from tests.stack import AUTH

ONE = "/v1/subscriptions/{customer_uid}"
DECISION = {"decision": "paid", "by": "김운영", "reason": "확인함"}

NOT_ACTING = {
    ("POST", f"{ONE}/change-plan/preview"): "changes nothing",
    ("POST", f"{ONE}/cancel/preview"): "changes nothing",
    ("POST", f"{ONE}/skip/preview"): "changes nothing",
    ("PATCH", "/v1/event-endpoints/{endpoint_id}"): "says how it is to be, however often",
    ("POST", "/webhooks/portone/{token}"): "PortOne's: an inbox that counts twins",
    ("POST", "/webhooks/portone"): "PortOne's: an inbox that counts twins",
    ("POST", "/iamport-callback/schedule"): "PortOne's: an inbox that counts twins",
}

LOOKS_FIRST = {("POST", "/v1/test-clocks/{customer_uid}/advance")}
"""Which instant it is about depends on the clock; tests/api/test_test_clocks.py sends it twice."""

BODIES = {
    ("POST", "/v1/subscriptions"): subscription_body(),
    ("POST", f"{ONE}/cancel"): {"at": "now"},
    ("POST", f"{ONE}/undo-cancel"): None,
    ("POST", f"{ONE}/pause"): {},
    ("POST", f"{ONE}/resume"): {},
    ("POST", f"{ONE}/skip"): {"periods": 2},
    ("POST", f"{ONE}/undo-skip"): None,
    ("POST", f"{ONE}/change-plan"): {"plan": PLAN},
    ("DELETE", f"{ONE}/pending-change"): None,
    ("POST", f"{ONE}/trial"): {"end_now": True},
    ("POST", f"{ONE}/payment-method"): {"payment_method": {"card": CARD}},
    ("POST", f"{ONE}/retry"): {},
    ("POST", f"{ONE}/consent"): {"decision": "granted", "shown": "월 9,900원", "by": "홍길동"},
    ("POST", "/v1/parked/{customer_uid}"): DECISION,
    ("POST", "/v1/payments"): payment_body(),
    ("POST", "/v1/payments/{merchant_uid}/refunds"): {"amount": 1000},
    ("POST", "/v1/billing-keys"): key_body(),
    ("DELETE", "/v1/billing-keys/{customer_uid}"): None,
    ("POST", "/v1/plans"): {"plan_id": "basic", **PLAN},
    ("POST", "/v1/event-endpoints"): {"url": "https://example.com/hooks"},
    ("DELETE", "/v1/event-endpoints/{endpoint_id}"): None,
    ("POST", "/v1/event-endpoints/{endpoint_id}/rotate-secret"): None,
    ("POST", "/v1/event-endpoints/{endpoint_id}/test"): None,
    ("POST", "/v1/events/{event_id}/replay"): None,
    ("POST", "/v1/reconciliation"): {},
    ("POST", "/v1/reconciliation/differences/{difference_id}/accept"): {"who": "김운영", "why": "확인함"},
}

NAMES = {
    "customer_uid": "buyer_1",
    "merchant_uid": "order-1",
    "endpoint_id": "ep_" + "0" * 24,
    "event_id": "evt_1",
    "difference_id": "1",
}


@pytest.fixture
def app(tmp_path):
    """The application without anything behind it: its ledger has no tables, and there is no Temporal."""
    return create_app(Settings(mode="test"), Ledger(f"sqlite:///{tmp_path}/empty.db"), None)


def acting(app):
    """(method, path, route) of every route that is not only read."""
    for route in iter_route_contexts(app.routes):
        for method in sorted(getattr(route, "methods", None) or ()):
            if method not in ("GET", "HEAD", "OPTIONS") and (method, route.path) not in NOT_ACTING:
                yield method, route.path, route


def asks_for(dependant, call):
    return dependant.call is call or any(asks_for(each, call) for each in dependant.dependencies)


def test_no_route_that_acts_is_without_an_idempotency_key(app):
    found = list(acting(app))
    assert [(method, path) for method, path, route in found if not asks_for(route.dependant, once_of)] == []
    assert {(method, path) for method, path, _ in found} == set(BODIES) | LOOKS_FIRST


def test_what_is_said_not_to_act_is_there(app):
    there = {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in getattr(route, "methods", None) or ()
    }
    assert set(NOT_ACTING) <= there


class Answered:
    """A ledger in which every key has been answered, and which is asked for nothing else."""

    def __init__(self, now):
        self._now = now

    async def claim_idempotency_key(self, _scope, _key, _fingerprint, resource, _at, **__):
        return IdempotencyClaim("replay", resource, self._now, 200, '{"first":"answer","secret":"kept"}')


@pytest.mark.parametrize(("method", "path"), sorted(BODIES))
async def test_an_answered_key_is_answered_before_anything_else_is_looked_at(app, method, path):
    desk = app.state.desk
    app.state.desk = dataclasses.replace(
        desk, ledger=Answered(desk.now()), vault=None, endpoints=None, temporal=Named()
    )
    url = re.sub(r"{(\w+)}", lambda name: NAMES[name[1]], path)
    headers = {**AUTH, "Idempotency-Key": "order-1"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gudok", headers=headers
    ) as client:
        answer = await client.request(method, url, json=BODIES[method, path])
    assert (answer.status_code, answer.json()["first"]) == (200, "answer"), answer.text
    assert answer.headers["idempotent-replayed"] == "true"


class Named:
    """A Temporal of which only the name of the namespace is known."""

    namespace = "default"
