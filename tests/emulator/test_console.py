"""What a person does in PortOne's console, act by act, with the webhooks that PortOne would send."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.emulator.recovery import SEOUL

HOUR, DAY = 3600, 86400


async def act(merchant, name, **what):
    return await merchant.control("POST", "console", {"act": name, **what})


async def refused(merchant, name, **what):
    answer = await merchant.http.post("/emulator/console", json={"act": name, **what})
    return answer.status_code


async def schedule_of(merchant, merchant_uid):
    return await merchant.ok("GET", f"/subscribe/payments/schedule/{merchant_uid}")


@pytest.mark.parametrize(("last_four", "status"), [("1111", "paid"), ("0002", "failed")])
async def test_a_schedule_is_executed_before_its_time_and_told_either_way(merchant, receiver, last_four, status):
    await merchant.issue(last_four=last_four)
    await merchant.schedule("m1", after=30 * DAY)
    payment = await act(merchant, "execute", merchant_uid="m1")
    assert (payment["status"], payment["customer_uid_usage"]) == (status, "payment.scheduled")
    row = await schedule_of(merchant, "m1")
    assert (row["schedule_status"], row["payment_status"], row["imp_uid"]) == ("executed", status, payment["imp_uid"])
    await receiver.have(1)
    assert receiver.seen == [("m1", status)]
    assert await merchant.advance(31 * DAY) == []


async def test_only_what_waits_for_its_time_can_be_executed(merchant):
    await merchant.issue()
    await merchant.schedule("m1", after=60)
    await act(merchant, "revoke", merchant_uid="m1")
    assert await refused(merchant, "execute", merchant_uid="m1") == 409
    assert await refused(merchant, "execute", merchant_uid="nobody") == 404


async def test_a_schedule_registered_by_hand_runs_like_any_other_and_is_told_to_the_consoles_url(merchant, receiver):
    await merchant.issue()
    at = await merchant.now("kim") + 60
    row = await act(merchant, "register", customer_uid="kim", merchant_uid="hand", amount=5000, schedule_at=at)
    assert (row["schedule_status"], row["amount"], row["currency"]) == ("scheduled", 5000, "KRW")
    assert await merchant.advance(60) == ["hand"]
    assert receiver.seen == [("hand", "paid")]


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ({"customer_uid": "nobody", "merchant_uid": "x", "amount": 1, "schedule_at": 4000000000}, 404),
        ({"customer_uid": "kim", "merchant_uid": "m1", "amount": 1, "schedule_at": 4000000000}, 409),
        ({"customer_uid": "kim", "merchant_uid": "x", "amount": 1, "schedule_at": 1}, 409),
        ({"customer_uid": "kim", "merchant_uid": "x", "amount": 1}, 409),
        ({"customer_uid": "kim", "merchant_uid": "x", "amount": 0, "schedule_at": 4000000000}, 422),
    ],
)
async def test_a_schedule_that_could_not_be_registered_is_refused(merchant, what, status):
    await merchant.issue()
    await merchant.schedule("m1")
    assert await refused(merchant, "register", **what) == status
    assert len(await merchant.ok("POST", "/subscribe/payments/unschedule", {"customer_uid": "kim"})) == 1


async def test_a_second_row_under_a_paid_order_number_is_told_where_the_first_one_was(merchant, receiver):
    await merchant.issue()
    first = (await merchant.again("m1", notice_url=f"{receiver.url}/order")).json()["response"]
    await receiver.have(1)
    second = await act(merchant, "pay", customer_uid="kim", merchant_uid="m1", amount=9900)
    assert second["status"] == "paid"
    assert second["imp_uid"] != first["imp_uid"]
    await receiver.have(2)
    assert receiver.paths == ["/hook/order"] * 2
    books = await merchant.control("GET", "books")
    assert books["totals"]["charged_twice"] == ["m1"]
    both = await merchant.ok("GET", "/payments/findAll/m1")
    assert {row["imp_uid"] for row in both["list"]} == {first["imp_uid"], second["imp_uid"]}


async def test_a_payment_by_hand_may_be_declined_and_then_nobody_is_told(merchant, receiver):
    await merchant.issue(last_four="0002")
    assert (await act(merchant, "pay", customer_uid="kim", merchant_uid="m1", amount=100))["status"] == "failed"
    assert await merchant.control("GET", "webhooks") == []
    assert await refused(merchant, "pay", customer_uid="nobody", merchant_uid="m1", amount=100) == 404


@pytest.mark.parametrize("by", ["imp_uid", "merchant_uid"])
async def test_a_failed_payment_is_approved_late_at_will(merchant, receiver, by):
    await merchant.issue(last_four="0002")
    await merchant.schedule("m1", after=60)
    await merchant.advance(60)
    (failed,) = (await merchant.ok("GET", "/payments/findAll/m1"))["list"]
    await merchant.advance(40 * DAY)
    approved = await act(merchant, "approve_late", **{by: failed[by]})
    assert (approved["imp_uid"], approved["status"], approved["failed_at"]) == (failed["imp_uid"], "paid", 0)
    assert approved["paid_at"] >= failed["failed_at"] + 40 * DAY
    await receiver.have(2)
    assert receiver.seen == [("m1", "failed"), ("m1", "paid")]
    assert (await schedule_of(merchant, "m1"))["payment_status"] == "paid"
    assert await refused(merchant, "approve_late", merchant_uid="m1") == 404


async def test_what_did_not_fail_is_not_approved(merchant):
    await merchant.issue()
    await merchant.again("m1")
    assert await refused(merchant, "approve_late", merchant_uid="m1") == 404
    assert await refused(merchant, "approve_late", imp_uid="nobody") == 404


def recovery_after(failed_at, hour):
    """When Recovery runs what failed at that instant: at the hour, Korean time, of the next calendar day."""
    kst = timezone(timedelta(hours=9))
    day = datetime.fromtimestamp(failed_at, UTC).astimezone(kst).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, hour, tzinfo=kst).timestamp()


async def fail_schedule(merchant, merchant_uid="m1", last_four="0002"):
    await merchant.issue(last_four=last_four)
    await merchant.schedule(merchant_uid, after=60)
    await merchant.advance(60)
    (failed,) = (await merchant.ok("GET", f"/payments/findAll/{merchant_uid}"))["list"]
    return failed["failed_at"]


async def test_recovery_runs_yesterdays_failures_at_its_hour_every_day_until_they_are_paid(merchant, receiver):
    await act(merchant, "recovery", hour=9)
    failed_at = await fail_schedule(merchant, last_four="0004")
    assert await merchant.advance(3 * DAY) == ["m1", "m1"]
    rows = (await merchant.ok("GET", "/payments/findAll/m1", params={"sorting": "started"}))["list"]
    first = recovery_after(failed_at, 9)
    assert [(row["status"], row["started_at"]) for row in rows] == [
        ("failed", failed_at),
        ("failed", int(first)),
        ("paid", int(first + DAY)),
    ]
    await receiver.have(3)
    assert receiver.seen == [("m1", "failed"), ("m1", "failed"), ("m1", "paid")]


async def test_recovery_that_is_turned_on_takes_what_failed_before_and_none_when_it_is_off(merchant):
    failed_at = await fail_schedule(merchant)
    assert (await act(merchant, "recovery", hour=23))["waiting"] == ["m1"]
    clock = await merchant.control("GET", "clock", params={"customer_uid": "kim"})
    assert datetime.fromisoformat(clock["next_due"]).timestamp() == recovery_after(failed_at, 23)
    assert (await act(merchant, "recovery"))["waiting"] == []
    assert await merchant.advance(3 * DAY) == []


async def test_recovery_leaves_alone_what_was_booked_anew_and_what_no_schedule_made(merchant):
    await act(merchant, "recovery", hour=1)
    await fail_schedule(merchant)
    await merchant.again("m2")
    at = await merchant.now("kim") + 10 * DAY
    await merchant.ok("POST", "/subscribe/payments/schedule/m1/reschedule", {"schedule_at": at})
    assert await merchant.advance(5 * DAY) == []


async def test_recovery_survives_a_restart(start, tmp_path):
    merchant = await start(state_file=tmp_path / "state.db")
    await act(merchant, "recovery", hour=5)
    await fail_schedule(merchant)
    again = await start(state_file=tmp_path / "state.db")
    assert (await again.control("GET", "clock", params={"customer_uid": "kim"}))["next_due"] is not None
    assert set(await again.advance(2 * DAY)) == {"m1"}


def test_the_console_counts_days_in_korean_time():
    assert datetime(2027, 1, 1, tzinfo=SEOUL).astimezone(UTC) == datetime(2026, 12, 31, 15, tzinfo=UTC)


@pytest.mark.parametrize("hour", [0, 24, -1, "noon"])
async def test_an_hour_that_the_console_has_not_is_refused(merchant, hour):
    assert await refused(merchant, "recovery", hour=hour) == 422
