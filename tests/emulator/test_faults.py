"""Fault switches: what was done in spite of them, and what not."""

import pytest


async def test_500_before_does_nothing(merchant):
    await merchant.issue()
    await merchant.fault("500_before", path="again", count=1)
    assert (await merchant.again("m1")).status_code == 500
    assert await merchant.charges() == []
    assert (await merchant.again("m1")).json()["code"] == 0


async def test_500_after_has_charged(merchant):
    await merchant.issue()
    await merchant.fault("500_after", path="again", count=1)
    answer = await merchant.again("m1")
    assert (answer.status_code, answer.json()["response"]) == (500, None)
    assert [row["merchant_uid"] for row in await merchant.charges()] == ["m1"]


async def test_drop_after_charges_and_gives_the_client_a_transport_error(merchant, receiver):
    await merchant.issue()
    await merchant.fault("drop_after", path="again", count=1)
    with pytest.raises(ConnectionError):
        await merchant.again("m1")
    assert [row["status"] for row in await merchant.charges(merchant_uid="m1")] == ["paid"]
    await receiver.have(1)
    assert receiver.seen == [("m1", "paid")]


@pytest.mark.parametrize(
    ("path", "method", "url"),
    [
        ("schedule", "POST", "/subscribe/payments/schedule"),
        ("unschedule", "POST", "/subscribe/payments/unschedule"),
        ("customers", "POST", "/subscribe/customers/kim"),
        ("cancel", "POST", "/payments/cancel"),
        ("retry", "POST", "/subscribe/payments/schedule/m1/retry"),
        ("reschedule", "POST", "/subscribe/payments/schedule/m1/reschedule"),
        ("onetime", "POST", "/subscribe/payments/onetime"),
    ],
)
async def test_a_fault_strikes_its_own_path_alone(merchant, path, method, url):
    await merchant.fault("500_before", path=path)
    assert (await merchant.call(method, url, {})).status_code == 500
    assert (await merchant.call("GET", "/users/pg")).status_code == 200
    assert (await merchant.call("GET", "/subscribe/customers/kim")).status_code == 404


async def test_a_fault_can_be_meant_for_one_order_or_one_key_and_a_number_of_times(merchant):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid)
    await merchant.fault("500_before", path="again", merchant_uid="m1", count=2)
    await merchant.fault("500_before", path="again", customer_uid="lee")
    statuses = [(await merchant.again(uid)).status_code for uid in ("m2", "m1", "m1", "m1")]
    assert statuses == [200, 500, 500, 200]
    assert (await merchant.again("m3", "lee")).status_code == 500
    assert [fault["fired"] for fault in await merchant.control("GET", "faults")] == [2, 1]
    await merchant.control("DELETE", "faults")
    assert (await merchant.again("m3", "lee")).status_code == 200


async def test_too_many_requests_and_refused_tokens_do_nothing(merchant):
    await merchant.issue()
    await merchant.fault("429", path="again", count=1, seconds=7)
    limited = await merchant.again("m1")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    await merchant.fault("401", path="again", count=1)
    assert (await merchant.again("m1")).status_code == 401
    assert await merchant.charges() == []


async def test_garbage_is_no_envelope_and_has_charged(merchant):
    await merchant.issue()
    await merchant.fault("garbage", path="again", count=1)
    answer = await merchant.again("m1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert len(await merchant.charges()) == 1


@pytest.mark.parametrize("kind", ["delay", "delay_after"])
async def test_a_delay_holds_the_answer_back(merchant, kind):
    await merchant.issue()
    await merchant.fault(kind, path="again", count=1, seconds=0.05)
    answer = await merchant.again("m1")
    assert answer.json()["code"] == 0
    assert answer.elapsed.total_seconds() >= 0.05


async def test_a_decline_can_be_switched_on_for_charges_and_for_schedules(merchant):
    await merchant.issue()
    await merchant.fault("decline", path="again", count=1)
    assert (await merchant.again("m1")).json()["code"] == -1
    await merchant.fault("decline", path="schedule", merchant_uid="m2")
    await merchant.schedule("m2")
    await merchant.advance(3600)
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m2"))["payment_status"] == "failed"


async def test_a_dropped_webhook_is_never_sent_and_is_known_to_be_dropped(merchant, receiver):
    await merchant.issue()
    await merchant.fault("drop_webhook", merchant_uid="m1")
    await merchant.schedule("m1", after=60)
    await merchant.schedule("m2", after=120)
    await merchant.advance(3600)
    assert receiver.seen == [("m2", "paid")]
    states = [(hook["body"]["merchant_uid"], hook["state"]) for hook in await merchant.control("GET", "webhooks")]
    assert states == [("m1", "dropped"), ("m2", "done")]


async def test_a_webhook_can_come_twice(merchant, receiver):
    await merchant.issue()
    await merchant.fault("duplicate_webhook", path="webhook", count=1)
    for number in (1, 2):
        await merchant.schedule(f"m{number}", after=60 * number)
    await merchant.advance(3600)
    assert receiver.seen == [("m1", "paid"), ("m1", "paid"), ("m2", "paid")]


async def test_a_webhook_can_come_late_by_the_emulators_clock(merchant, receiver):
    await merchant.issue()
    await merchant.fault("delay_webhook", path="webhook", seconds=600, count=1)
    await merchant.schedule("m1", after=60)
    assert await merchant.advance(120) == ["m1"]
    assert receiver.received == []
    assert (await merchant.control("GET", "webhooks"))[0]["state"] == "waiting"
    await merchant.advance(600)
    assert receiver.seen == [("m1", "paid")]


@pytest.mark.parametrize("fault", [{"kind": "odd"}, {"kind": "delay", "seconds": -1}, {"kind": "delay", "x": 1}, {}])
async def test_an_unknown_switch_is_refused(merchant, fault):
    answer = await merchant.http.post("/emulator/faults", json=fault)
    assert answer.status_code == 422
    assert await merchant.control("GET", "faults") == []
