"""Calls that are done long after their client gave up, look-ups that show the past, charges that nobody decides."""

import pytest

CARD = {"card_number": "4518-4212-3456-1111", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
ORDER = {"merchant_uid": "m1", "amount": 9900, "name": "Plan"}

LOOK_UPS_OF_A_PAYMENT = (
    "/payments/findAll/m1",
    "/payments/find/m1",
    "/payments?merchant_uid[]=m1",
    "/payments/status/paid",
    "/subscribe/customers/kim/payments",
)


async def _run_by_hand(merchant):
    """A schedule that was declined: `reschedule` and `retry` are for such."""
    await merchant.issue()
    await merchant.fault("decline", path="schedule", count=1)
    await merchant.schedule("m1", after=60)
    await merchant.advance(61)


async def _scheduled(merchant):
    await merchant.issue()
    await merchant.schedule("m1", after=30 * 86_400)


async def _paid(merchant):
    await merchant.issue()
    await merchant.again("m1")


async def _in_an_hour(merchant):
    return {"schedule_at": await merchant.now("kim") + 3600 + 3600}


async def _of(merchant, path):
    """What PortOne says of it, without the time it was asked."""
    answer = await merchant.call("GET", path)
    return answer.status_code, answer.json()["response"]


CHANGES = {
    "schedule": ("POST", "/subscribe/payments/schedule", "/subscribe/payments/schedule/m1", None),
    "reschedule": (
        *("POST", "/subscribe/payments/schedule/m1/reschedule", "/subscribe/payments/schedule/m1"),
        _run_by_hand,
    ),
    "retry": ("POST", "/subscribe/payments/schedule/m1/retry", "/payments/findAll/m1", _run_by_hand),
    "schedule_put": ("PUT", "/subscribe/payments/schedule/m1", "/subscribe/payments/schedule/m1", _scheduled),
    "unschedule": ("POST", "/subscribe/payments/unschedule", "/subscribe/payments/schedule/m1", _scheduled),
    "again": ("POST", "/subscribe/payments/again", "/payments/findAll/m1", None),
    "onetime": ("POST", "/subscribe/payments/onetime", "/payments/findAll/m1", None),
    "cancel": ("POST", "/payments/cancel", "/payments/findAll/m1", _paid),
    "customers": ("POST", "/subscribe/customers/lee", "/subscribe/customers/lee", None),
    "customers_delete": ("DELETE", "/subscribe/customers/kim", "/subscribe/customers/kim", None),
}
"""Every call that changes something: method, path, what shows whether it was done, and what comes first."""


async def _body(merchant, call):
    at = await merchant.now("kim") + 7200
    return {
        "schedule": {"customer_uid": "kim", "schedules": [{**ORDER, "schedule_at": at}]},
        "reschedule": {"schedule_at": at},
        "schedule_put": {"schedule_at": at},
        "unschedule": {"customer_uid": "kim", "merchant_uid": ["m1"]},
        "again": {**ORDER, "customer_uid": "kim"},
        "onetime": {**ORDER, **CARD},
        "cancel": {"merchant_uid": "m1"},
        "customers": CARD,
    }.get(call)


@pytest.mark.parametrize("answer", [None, "cut"])
@pytest.mark.parametrize("seconds", [2, 601])
@pytest.mark.parametrize("call", CHANGES)
async def test_every_changing_call_can_be_done_long_after_its_client_was_told_nothing(merchant, call, seconds, answer):
    method, path, shows, before = CHANGES[call]
    await (before or type(merchant).issue)(merchant)
    body, as_it_was = await _body(merchant, call), await _of(merchant, shows)
    more = {"answer": answer} if answer else {}
    await merchant.fault("execute_late", path=call, seconds=seconds, count=1, **more)
    if answer == "cut":
        with pytest.raises(ConnectionError):
            await merchant.call(method, path, body)
    else:
        assert (await merchant.call(method, path, body)).status_code == 504
    await merchant.advance(seconds - 1)
    assert await _of(merchant, shows) == as_it_was
    await merchant.advance(2)
    assert await _of(merchant, shows) != as_it_was


async def test_a_late_revoke_takes_back_what_was_booked_meanwhile(merchant):
    await _scheduled(merchant)
    await merchant.fault("execute_late", path="unschedule", seconds=120, count=1)
    body = {"customer_uid": "kim", "merchant_uid": ["m1"]}
    assert (await merchant.call("POST", "/subscribe/payments/unschedule", body)).status_code == 504
    await merchant.ok("POST", "/subscribe/payments/unschedule", body)
    await merchant.ok("POST", "/subscribe/payments/schedule/m1/reschedule", await _in_an_hour(merchant))
    await merchant.advance(121)
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] == "revoked"


# ------------------------------------------------------------------ look-ups that lag


@pytest.mark.parametrize("path", LOOK_UPS_OF_A_PAYMENT)
async def test_a_stale_look_up_does_not_see_a_payment_yet_and_then_sees_it(merchant, path):
    await merchant.issue()
    await merchant.fault("stale", seconds=60)
    before = await _of(merchant, path)
    await merchant.again("m1")
    assert await _of(merchant, path) == before
    await merchant.advance(59)
    assert await _of(merchant, path) == before
    await merchant.advance(2)
    assert "m1" in str((await _of(merchant, path))[1])


async def test_a_stale_look_up_shows_the_older_row_and_not_its_absence(merchant):
    await _scheduled(merchant)
    await merchant.advance(600)
    body = {"customer_uid": "kim", "merchant_uid": ["m1"]}
    await merchant.ok("POST", "/subscribe/payments/unschedule", body)
    await merchant.fault("stale", path="schedule_get", seconds=300, count=2)
    states = [(await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] for _ in range(3)]
    assert states == ["scheduled", "scheduled", "revoked"]


async def test_a_stale_payment_is_as_paid_as_it_was_before_its_refund(merchant):
    await _paid(merchant)
    await merchant.advance(600)
    imp_uid = (await merchant.ok("GET", "/payments/find/m1"))["imp_uid"]
    await merchant.ok("POST", "/payments/cancel", {"merchant_uid": "m1", "amount": 900})
    await merchant.fault("stale", path="payments_get", seconds=300, count=1)
    looks = [await merchant.ok("GET", f"/payments/{imp_uid}") for _ in range(2)]
    assert [(row["status"], row["cancel_amount"]) for row in looks] == [("paid", 0), ("cancelled", 900)]


@pytest.mark.parametrize("path", ["/subscribe/customers/kim", "/subscribe/customers?customer_uid[]=kim"])
async def test_a_stale_look_up_still_sees_a_key_that_is_deleted(merchant, path):
    await merchant.issue()
    await merchant.advance(600)
    await merchant.ok("DELETE", "/subscribe/customers/kim")
    await merchant.fault("stale", seconds=60, count=1)
    assert [(await merchant.call("GET", path)).status_code for _ in range(2)] == [200, 404]


@pytest.mark.parametrize("path", ["schedule", "schedule/customers/kim", "../customers/kim/schedules"])
async def test_stale_lists_hold_schedules_at_the_instants_they_had(merchant, path):
    await merchant.issue()
    first = await merchant.schedule("m1", after=7200)
    await merchant.advance(600)
    changed = {"schedule_at": first["schedule_at"] + 3600}
    await merchant.ok("PUT", "/subscribe/payments/schedule/m1", changed)
    await merchant.schedule("m2", after=7200)
    await merchant.fault("stale", seconds=60, count=1)
    day = await merchant.now("kim")
    window = {"schedule_from": day, "schedule_to": day + 86_400}
    url = f"/subscribe/payments/{path}".replace("payments/../", "")
    old, new = [(await merchant.ok("GET", url, params=window))["list"] for _ in range(2)]
    assert [(row["merchant_uid"], row["schedule_at"]) for row in old] == [("m1", first["schedule_at"])]
    assert {row["merchant_uid"]: row["schedule_at"] for row in new}["m1"] == changed["schedule_at"]
    assert len(new) == 2


async def test_a_stale_look_up_counts_by_the_clock_of_whose_row_it_is(merchant):
    await merchant.issue("kim")
    await merchant.issue("lee")
    await merchant.again("m1", "kim")
    await merchant.again("m2", "lee")
    await merchant.fault("stale", seconds=60)
    await merchant.advance(61, "kim")
    assert (await merchant.call("GET", "/payments/find/m1")).status_code == 200
    assert (await merchant.call("GET", "/payments/find/m2")).status_code == 404


async def test_a_frozen_look_up_answers_what_was_true_when_the_rule_was_set_for_so_many_calls(merchant):
    await _scheduled(merchant)
    await merchant.fault("frozen", path="schedule_get", count=2)
    await merchant.ok("POST", "/subscribe/payments/unschedule", {"customer_uid": "kim", "merchant_uid": ["m1"]})
    await merchant.advance(86_400)
    states = [(await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["schedule_status"] for _ in range(3)]
    assert states == ["scheduled", "scheduled", "revoked"]


async def test_a_look_at_the_past_changes_nothing(merchant):
    await merchant.fault("frozen", path="findAll", count=1)
    for number in range(3):
        await merchant.issue(f"key{number}")
        await merchant.again(f"m{number}", f"key{number}")
    assert (await merchant.call("GET", "/payments/findAll/m1")).status_code == 404
    assert [row["merchant_uid"] for row in await merchant.charges()] == ["m0", "m1", "m2"]
    refused = await merchant.again("m1", "key1")
    assert refused.json()["code"] == 1, "the call that charges sees the present"


async def test_what_was_undone_was_never_true(merchant):
    await merchant.issue()
    await merchant.fault("frozen", path="schedule_list")
    item = {**ORDER, "schedule_at": await merchant.now("kim") + 60}
    refused = await merchant.call(
        "POST", "/subscribe/payments/schedule", {"customer_uid": "kim", "schedules": [item, item]}
    )
    assert refused.json()["code"] == 1
    assert merchant.app.state.account.world.past.mark() == 1, "the key, and nothing else"


@pytest.mark.parametrize("kind", ["stale", "frozen"])
async def test_only_look_ups_lag(merchant, kind):
    answer = await merchant.http.post("/emulator/faults", json={"kind": kind, "path": "again"})
    assert answer.status_code == 422
    assert "never meets 'again'" in answer.text


# ------------------------------------------------------------------ nobody decides


async def test_an_undecided_charge_stays_ready_and_tells_nobody(merchant, receiver):
    await merchant.issue()
    await merchant.fault("undecided", path="again", count=1)
    with pytest.raises(ConnectionError):
        await merchant.again("m1")
    await merchant.advance(40 * 86_400)
    (row,) = (await merchant.ok("GET", "/payments/findAll/m1"))["list"]
    assert (row["status"], row["paid_at"], row["failed_at"]) == ("ready", 0, 0)
    assert await merchant.charges() == []
    assert receiver.received == []


async def test_an_undecided_charge_of_a_schedule_can_be_approved_days_later(merchant, receiver):
    await merchant.issue()
    await merchant.fault("undecided", path="schedule", seconds=2 * 86_400)
    await merchant.schedule("m1", after=60)
    await merchant.advance(86_400)
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["payment_status"] == "ready"
    assert await merchant.charges() == []
    await merchant.advance(2 * 86_400)
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m1"))["payment_status"] == "paid"
    await receiver.have(1)
    assert receiver.seen == [("m1", "paid")]
