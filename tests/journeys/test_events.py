"""Journeys of outgoing events: what a subscription's own system is told of its life."""

import json
from pathlib import Path

import jsonschema

from tests.events.conftest import Receiver, Telling, body_of
from tests.stack import served

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "events.schema.json").read_text())


async def test_a_subscription_tells_its_life_in_order_to_an_endpoint_that_fails_in_between(stack):
    receiver, telling = Receiver(), Telling(stack)
    async with served(receiver.app()) as url:
        receiver.url = url
        target = await telling.endpoint(receiver)
        uid = await stack.start()
        await stack.advance(uid, days=20)
        receiver.default = 503
        await stack.advance(uid, days=15)
        await telling.idle(target, uid)
        receiver.default = 200
        await stack.advance(uid, days=30)
        assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
        await telling.advance(target, uid, days=3)
        await telling.ended(target, uid)
    delivered = [each for each in receiver.got if each["status"] == 200]
    told = (await stack.api.get("/v1/events", params={"customer_uid": uid, "limit": 200})).json()["events"]
    assert [each["id"] for each in delivered] == [event["event_id"] for event in told]
    types = [body_of(each)["type"] for each in delivered]
    assert types[0] == "subscription.created"
    assert types.count("charge.paid") == await stack.agree(uid) == 3
    assert types[-1] == "subscription.canceled"
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for each in delivered:
        validator.validate(body_of(each))
        assert body_of(each)["data"]["customer_uid"] == uid
    timeline = (await stack.api.get(f"/v1/subscriptions/{uid}/timeline")).json()["timeline"]
    assert [line["name"] for line in timeline if line["kind"] == "event"] == types
