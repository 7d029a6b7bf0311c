"""/emulator: the clock, the books, the acts of a person in the console."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

DAY = 86400


async def test_the_clock_goes_forward_only(merchant):
    before = await merchant.control("GET", "clock")
    past = datetime.fromisoformat(before["now"]) - timedelta(days=1)
    after = await merchant.control("POST", "clock", {"to": past.isoformat()})
    assert after["now"] >= before["now"]
    assert after["offset_seconds"] == 0
    for order in ({}, {"advance_seconds": -1}, {"advance_seconds": 1, "to": past.isoformat()}, {"to": "2030-01-01"}):
        assert (await merchant.http.post("/emulator/clock", json=order)).status_code == 422


async def test_moving_to_an_instant_arrives_there(merchant):
    began = datetime.now(UTC)
    target = began + timedelta(days=400)
    answer = await merchant.control("POST", "clock", {"to": target.isoformat()})
    arrived = datetime.fromisoformat(answer["now"])
    assert timedelta(0) <= arrived - target <= datetime.now(UTC) - began
    assert answer["next_due"] is None


async def test_what_falls_due_on_the_way_runs_in_order_each_at_its_own_instant(merchant, receiver):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid)
    rows = [
        await merchant.schedule(name, customer_uid, after=days * DAY)
        for name, customer_uid, days in (("c", "kim", 90), ("a", "lee", 30), ("b", "kim", 60), ("later", "lee", 120))
    ]
    due_at = {row["merchant_uid"]: row["schedule_at"] for row in rows}
    answer = await merchant.control("POST", "clock", {"advance_seconds": 100 * DAY})
    assert answer["executed"] == ["a", "b", "c"]
    assert [name for name, _ in receiver.seen] == ["a", "b", "c"]
    assert {row["merchant_uid"]: row["paid_at"] for row in await merchant.charges()} == {
        name: due_at[name] for name in "abc"
    }
    assert datetime.fromisoformat(answer["next_due"]).timestamp() == due_at["later"]


async def test_a_webhook_that_books_the_next_month_is_overtaken_by_no_month(merchant, receiver):
    """A merchant that answers each paid webhook with the next schedule is billed twelve times by one year's advance."""
    await merchant.issue()
    await merchant.schedule("m01", after=30 * DAY)

    async def book_on() -> None:
        for month in range(1, 12):
            await receiver.have(month)
            await merchant.schedule(f"m{month + 1:02d}", after=30 * DAY)
            receiver.gate.set()
            receiver.gate = asyncio.Event()

    receiver.gate = asyncio.Event()
    booking = asyncio.create_task(book_on())
    advance = asyncio.create_task(merchant.advance(365 * DAY))
    await booking
    receiver.gate.set()
    assert await advance == [f"m{month:02d}" for month in range(1, 13)]


async def test_a_customer_can_live_ahead_of_the_others(merchant):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid)
        await merchant.schedule(f"{customer_uid}1", customer_uid, after=3600)
    assert await merchant.advance(3600, "kim") == ["kim1"]
    assert [row["customer_uid"] for row in await merchant.charges()] == ["kim"]
    clock = await merchant.control("GET", "clock")
    assert (clock["offset_seconds"], clock["customers"]) == (0, {"kim": 3600})
    kims = await merchant.control("GET", "clock", params={"customer_uid": "kim"})
    lees = await merchant.control("GET", "clock", params={"customer_uid": "lee"})
    assert kims["next_due"] is None
    assert lees["next_due"] is not None
    assert kims["now"] > lees["now"]
    assert await merchant.advance(1800) == []
    assert await merchant.advance(1801) == ["lee1"]


async def test_a_late_approval_shows_as_the_next_thing_of_its_customer(merchant):
    await merchant.issue(last_four="0006")
    before = await merchant.now("kim")
    await merchant.again("m1")
    clock = await merchant.control("GET", "clock", params={"customer_uid": "kim"})
    due = datetime.fromisoformat(clock["next_due"]).timestamp()
    assert before + 600 <= due <= datetime.fromisoformat(clock["now"]).timestamp() + 600


async def test_customers_advance_side_by_side_and_each_answer_names_its_own(merchant):
    names = [f"c{n}" for n in range(20)]
    for name in names:
        await merchant.issue(name)
        await merchant.schedule(f"{name}-1", name, after=3600)
    answers = await asyncio.gather(*(merchant.advance(3600, name) for name in names))
    assert answers == [[f"{name}-1"] for name in names]
    assert len(await merchant.charges()) == 20


async def test_the_books_hold_every_charge_and_are_read_by_key_or_by_order(merchant):
    for customer_uid, last_four in (("kim", "1111"), ("lee", "0002")):
        await merchant.issue(customer_uid, last_four, pg="nice_v2")
        await merchant.again(f"{customer_uid}1", customer_uid)
    await merchant.again("kim2", amount=9.99, currency="USD")
    books = await merchant.control("GET", "books")
    assert [charge["merchant_uid"] for charge in books["charges"]] == ["kim1", "kim2"]
    assert books["totals"] == {
        "charges": 2,
        "charged_twice": [],
        "same_day": [],
        "failed_attempts": 1,
        "by_currency": {"KRW": {"amount": 9900, "refunded": 0}, "USD": {"amount": 9.99, "refunded": 0}},
    }
    fields = {"imp_uid", "merchant_uid", "customer_uid", "amount", "currency", "status", "paid_at", "schedule"}
    assert fields | {"cancelled_amount"} == books["charges"][0].keys()
    assert len(await merchant.charges(customer_uid="kim")) == 2
    assert len(await merchant.charges(merchant_uid="kim2")) == 1
    assert await merchant.charges(merchant_uid="lee1") == []


async def test_a_refund_in_the_console_is_told_to_the_merchant(merchant, receiver):
    await merchant.issue()
    payment = (await merchant.again("m1")).json()["response"]
    row = await merchant.control("POST", "console", {"act": "cancel", "merchant_uid": "m1", "amount": 900})
    assert (row["status"], row["cancel_amount"], row["imp_uid"]) == ("cancelled", 900, payment["imp_uid"])
    await receiver.have(2)
    assert receiver.seen == [("m1", "paid"), ("m1", "cancelled")]
    assert receiver.received[1]["cancellation_id"] == row["cancel_history"][0]["cancellation_id"]


async def test_an_operator_moves_revokes_and_retries_schedules(merchant, receiver):
    await merchant.issue(last_four="0002")
    row = await merchant.schedule("m1", after=60)
    await merchant.control(
        "POST", "console", {"act": "move", "merchant_uid": "m1", "schedule_at": row["schedule_at"] + 60}
    )
    assert await merchant.advance(90) == []
    assert await merchant.advance(40) == ["m1"]
    await merchant.issue(last_four="1111")
    assert (await merchant.control("POST", "console", {"act": "retry", "merchant_uid": "m1"}))["status"] == "paid"
    await receiver.have(2)
    assert receiver.seen == [("m1", "failed"), ("m1", "paid")]
    await merchant.schedule("m2", after=60)
    revoked = await merchant.control("POST", "console", {"act": "revoke", "merchant_uid": "m2"})
    assert revoked["schedule_status"] == "revoked"
    await merchant.control("POST", "console", {"act": "delete_key", "customer_uid": "kim"})
    assert (await merchant.call("GET", "/subscribe/customers/kim")).status_code == 404


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ({"act": "cancel", "merchant_uid": "nobody"}, 404),
        ({"act": "retry", "merchant_uid": "nobody"}, 404),
        ({"act": "retry", "merchant_uid": "paid"}, 409),
        ({"act": "revoke", "merchant_uid": "paid"}, 409),
        ({"act": "move", "merchant_uid": "paid", "schedule_at": 4000000000}, 409),
        ({"act": "cancel", "merchant_uid": "paid", "amount": 9901}, 409),
        ({"act": "delete_key", "customer_uid": "nobody"}, 404),
        ({"act": "dance"}, 422),
    ],
)
async def test_an_act_that_fits_nothing_is_refused_and_changes_nothing(merchant, act, status):
    await merchant.issue()
    await merchant.schedule("paid", after=60)
    await merchant.advance(60)
    before = await merchant.control("GET", "books")
    assert (await merchant.http.post("/emulator/console", json=act)).status_code == status
    assert await merchant.control("GET", "books") == before


@pytest.mark.parametrize(
    "window",
    [{}, {"customer_uid": "", "card_number": "x"}, {"customer_uid": "kim", "card_number": ["4518421234561111"]}],
)
async def test_the_window_echoes_no_card(merchant, window):
    answer = await merchant.http.post("/emulator/window/billing-key", json=window)
    assert answer.status_code == 422
    assert "4518421234561111" not in answer.text
