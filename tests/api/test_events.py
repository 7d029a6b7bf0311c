"""Endpoints, events and timelines over HTTP: what is refused, and what is shown to whom."""

import dataclasses

import pytest

from tests.api.requests import assert_problem, new_uid, subscription_body
from tests.events.conftest import Receiver, Telling, paid
from tests.events.test_egress import Names
from tests.patience import patient_client
from tests.stack import served

HERE = "http://127.0.0.1:3000/hook"
NOBODY = "ep_" + "0" * 24


@pytest.fixture
def api(idle_stack):
    return idle_stack.api


async def add(stack, url=HERE, **more):
    return await stack.api.post("/v1/event-endpoints", json={"url": url, **more})


async def delete(stack, endpoint_id):
    assert (await stack.api.delete(f"/v1/event-endpoints/{endpoint_id}")).status_code == 200


def resolving(stack, *addresses):
    """Let the api's look-ups find these, and the system's name server nothing."""
    stack.app.state.desk = dataclasses.replace(stack.app.state.desk, resolver=Names(*addresses))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": 1}, "url"),
        ({"url": "https://shop.example.com/" + "a" * 2048}, "url"),
        ({"url": "http://shop.example.com/"}, "url"),
        ({"url": "https://u:4518421234567890@shop.example.com/"}, "url"),
        ({"url": "https://shop.example.com:22/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "url"),
        ({"url": HERE, "event_types": []}, "event_types"),
        ({"url": HERE, "event_types": ["charge.paid", "charge.paid"]}, "event_types"),
        ({"url": HERE, "event_types": ["endpoint.ping"]}, "event_types.0"),
        ({"url": HERE, "event_types": "charge.paid"}, "event_types"),
        ({"url": HERE, "description": "a\nb"}, "description"),
        ({"url": HERE, "secret": "whsec_bXkgb3du"}, "secret"),
    ],
)
async def test_an_endpoint_that_is_not_understood_is_refused_by_name(idle_stack, body, field):
    answer = await idle_stack.api.post("/v1/event-endpoints", json=body)
    assert_problem(answer, status=422, field=field)
    assert (await idle_stack.api.get("/v1/event-endpoints")).json() == {"endpoints": []}


async def test_a_name_that_leads_inside_or_nowhere_is_refused_at_registration(stack):
    kept = (await add(stack)).json()
    for addresses in (["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"], ["::1"], []):
        resolving(stack, addresses)
        answer = await add(stack, "https://shop.example.com/")
        assert_problem(answer, status=422, code="endpoint_url_refused", field="url")
        changed = await stack.api.patch(
            f"/v1/event-endpoints/{kept['endpoint_id']}", json={"url": "https://shop.example.com/"}
        )
        assert_problem(changed, status=422, code="endpoint_url_refused", field="url")


async def test_a_name_that_leads_outside_is_taken(stack):
    resolving(stack, ["8.8.8.8", "2606:4700::1111"])
    added = await add(stack, "https://shop.example.com/hook", event_types=["charge.paid"], description="결제 서버")
    assert added.status_code == 201
    assert added.json()["event_types"] == ["charge.paid"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/v1/event-endpoints/{NOBODY}", 404, "endpoint_not_found"),
        ("DELETE", f"/v1/event-endpoints/{NOBODY}", 404, "endpoint_not_found"),
        ("POST", f"/v1/event-endpoints/{NOBODY}/test", 404, "endpoint_not_found"),
        ("POST", f"/v1/event-endpoints/{NOBODY}/rotate-secret", 404, "endpoint_not_found"),
        ("GET", "/v1/event-endpoints/ep_1%00", 422, "invalid_request"),
        ("GET", "/v1/events/evt_nobody", 404, "event_not_found"),
        ("GET", "/v1/events/evt.1", 422, "invalid_request"),
        ("POST", "/v1/events/evt_nobody/replay", 404, "event_not_found"),
        ("GET", "/v1/subscriptions/nobody/timeline", 404, "subscription_not_found"),
        ("GET", "/v1/subscriptions/nobody/timeline?after=x", 422, "invalid_cursor"),
        ("GET", "/v1/subscriptions/nobody/timeline?limit=0", 422, "invalid_request"),
        ("GET", "/v1/events?limit=201", 422, "invalid_request"),
        ("GET", "/v1/events?type=charge.stolen", 422, "invalid_request"),
        ("GET", "/v1/events?after=-1", 422, "invalid_request"),
        ("GET", f"/v1/events?after={2**63}", 422, "invalid_request"),
        ("GET", "/v1/events?order=random", 422, "invalid_request"),
        ("GET", "/v1/events?customer_uid=a/b", 422, "invalid_request"),
        ("GET", "/v1/event-deliveries?state=lost", 422, "invalid_request"),
        ("GET", "/v1/event-deliveries?after=!!!", 422, "invalid_cursor"),
        ("GET", "/v1/event-deliveries?after=a", 422, "invalid_cursor"),
        ("GET", "/v1/event-deliveries?after=%C3%A9", 422, "invalid_cursor"),
        ("GET", "/v1/event-deliveries?after=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OSBh", 422, "invalid_cursor"),
    ],
)
async def test_what_is_not_there_or_not_understood_is_said_so(api, method, path, status, code):
    assert_problem(await api.request(method, path), status=status, code=code)


async def test_without_the_right_key_nothing_is_answered_but_401(idle_stack):
    async with patient_client(idle_stack.api.base_url) as stranger:
        for method, path in (
            ("POST", "/v1/event-endpoints"),
            ("GET", "/v1/event-endpoints"),
            ("GET", f"/v1/event-endpoints/{NOBODY}"),
            ("PATCH", f"/v1/event-endpoints/{NOBODY}"),
            ("DELETE", f"/v1/event-endpoints/{NOBODY}"),
            ("POST", f"/v1/event-endpoints/{NOBODY}/rotate-secret"),
            ("POST", f"/v1/event-endpoints/{NOBODY}/test"),
            ("GET", "/v1/events"),
            ("GET", "/v1/events/evt_1"),
            ("POST", "/v1/events/evt_1/replay"),
            ("GET", "/v1/event-deliveries"),
            ("GET", "/v1/subscriptions/kim/timeline"),
        ):
            assert_problem(await stranger.request(method, path, json={}), status=401, code="unauthorized")


# ---------------------------------------------------------------- endpoints


async def test_a_secret_is_shown_once_where_it_was_made_and_nowhere_else(idle_stack):
    added = (await add(idle_stack)).json()
    path = f"/v1/event-endpoints/{added['endpoint_id']}"
    rotated = (await idle_stack.api.post(f"{path}/rotate-secret", json={"overlap_hours": 1})).json()
    assert added["secret"].startswith("whsec_")
    assert rotated["previous_secret_until"] is not None
    for other in (path, "/v1/event-endpoints"):
        assert "whsec_" not in (await idle_stack.api.get(other)).text
    await delete(idle_stack, added["endpoint_id"])
    assert_problem(await idle_stack.api.get(path), status=404)


async def test_an_address_that_is_taken_names_the_endpoint_that_has_it(idle_stack):
    first = (await add(idle_stack)).json()["endpoint_id"]
    second = (await add(idle_stack, "http://127.0.0.1:3001/hook")).json()["endpoint_id"]
    assert assert_problem(await add(idle_stack), status=409, code="endpoint_exists")["endpoint_id"] == first
    taken = await idle_stack.api.patch(f"/v1/event-endpoints/{second}", json={"url": HERE})
    assert assert_problem(taken, status=409, code="endpoint_exists")["endpoint_id"] == first
    for endpoint_id in (first, second):
        await delete(idle_stack, endpoint_id)


async def test_what_a_change_does_not_name_stays(idle_stack):
    added = (await add(idle_stack, event_types=["charge.paid"], description="first")).json()
    path = f"/v1/event-endpoints/{added['endpoint_id']}"
    changed = (await idle_stack.api.patch(path, json={"description": None})).json()
    assert (changed["description"], changed["event_types"]) == (None, ["charge.paid"])
    assert (await idle_stack.api.patch(path, json={"event_types": None})).json()["event_types"] is None
    assert (await idle_stack.api.patch(path, json={})).json()["url"] == HERE
    for field in ("url", "enabled"):
        assert_problem(await idle_stack.api.patch(path, json={field: None}), status=422, field=field)
    await delete(idle_stack, added["endpoint_id"])


async def test_there_are_never_more_endpoints_than_events_can_carry(stack):
    for port in range(20):
        assert (await add(stack, f"http://127.0.0.1:{3000 + port}/")).status_code == 201
    assert_problem(await add(stack, "http://127.0.0.1:4000/"), status=409, code="too_many_endpoints")


async def test_a_test_goes_the_way_of_every_event(stack):
    receiver = Receiver()
    async with served(receiver.app()) as url:
        added = (await add(stack, url + "/hook", event_types=["charge.declined"])).json()
        path = f"/v1/event-endpoints/{added['endpoint_id']}"
        sent = await stack.api.post(f"{path}/test")
        assert sent.status_code == 202
        await receiver.wait_for(1)
        ping = receiver.verified(added["secret"])
        assert (ping["type"], ping["data"]) == ("endpoint.ping", {"endpoint_id": added["endpoint_id"]})
        assert receiver.got[0]["id"] == sent.json()["event_id"]
        await Telling(stack).ended(added, f"endpoint/{added['endpoint_id']}")
        shown = (await stack.api.get(f"/v1/events/{sent.json()['event_id']}")).json()
        assert [each["state"] for each in shown["deliveries"]] == ["delivered"]
        found = (await stack.api.get("/v1/events", params={"type": "endpoint.ping"})).json()["events"]
        assert [each["event_id"] for each in found] == [sent.json()["event_id"]]
        await stack.api.patch(path, json={"enabled": False})
        assert_problem(await stack.api.post(f"{path}/test"), status=409, code="endpoint_disabled")


# ---------------------------------------------------------------- events and timelines


async def test_events_are_paged_and_filtered(stack):
    telling = Telling(stack)
    told = [paid("kim"), paid("kim"), paid("lee")]
    await telling.tell(*told)
    first = (await stack.api.get("/v1/events", params={"limit": 2})).json()
    rest = (await stack.api.get("/v1/events", params={"after": first["next"]})).json()
    assert [each["event_id"] for each in first["events"] + rest["events"]] == [each.event_id for each in told]
    assert rest["next"] is None
    newest = (await stack.api.get("/v1/events", params={"order": "desc", "limit": 1})).json()
    assert newest["events"] == rest["events"]
    mine = (await stack.api.get("/v1/events", params={"customer_uid": "kim", "type": "charge.paid"})).json()
    assert len(mine["events"]) == 2
    assert mine["events"][0]["data"] == told[0].data


async def test_a_delivery_list_goes_on_where_it_ended(stack):
    telling = Telling(stack)
    await add(stack)
    await telling.tell(paid("kim"), paid("kim"), paid("kim"))
    first = (await stack.api.get("/v1/event-deliveries", params={"limit": 2})).json()
    rest = (await stack.api.get("/v1/event-deliveries", params={"after": first["next"]})).json()
    assert len({each["event_id"] for each in first["deliveries"] + rest["deliveries"]}) == 3
    assert rest["next"] is None


async def test_a_replay_to_an_endpoint_that_is_not_there_is_refused(stack):
    told = paid("kim")
    await Telling(stack).tell(told)
    path = f"/v1/events/{told.event_id}/replay"
    assert_problem(await stack.api.post(path, json={"endpoint_id": NOBODY}), status=422, code="endpoint_not_found")
    assert_problem(await stack.api.post(path), status=409, code="no_endpoint")


async def test_the_timeline_of_a_subscription_reads_as_its_story(stack):
    uid = new_uid()
    assert (await stack.api.post("/v1/subscriptions", json=subscription_body(uid))).status_code == 201
    charge = next(each for each in await stack.charges(uid) if each["state"] == "paid")
    refunded = await stack.api.post(f"/v1/payments/{charge['merchant_uid']}/refunds", json={"amount": 3000})
    assert refunded.status_code == 201
    await Telling(stack).tell(paid(uid, summary="told to the world"))
    path = f"/v1/subscriptions/{uid}/timeline"
    whole = (await stack.api.get(path)).json()
    lines = whole["timeline"]
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert {"charge", "refund", "webhook", "event"} == {line["kind"] for line in lines}
    summaries = [line["summary"] for line in lines]
    assert f"The charge of 9,900 KRW for order {charge['merchant_uid']} is paid" in summaries
    assert f"The refund of 3,000 KRW for order {charge['merchant_uid']} is refunded" in summaries
    assert "told to the world" in summaries
    assert any(text.startswith(f"PortOne reported order {charge['merchant_uid']} as paid") for text in summaries)
    pages, after = [], None
    while True:
        page = (await stack.api.get(path, params={"limit": 2, **({"after": after} if after else {})})).json()
        pages += page["timeline"]
        after = page["next"]
        if after is None:
            break
    assert pages == lines
