"""Many schedules, many of them due at once: no webhook is lost, and lists stay right without looking at everything."""

import asyncio

import pytest

from bench.emulator import run
from billing.emulator import posting

pytestmark = pytest.mark.soak

DAY = 24 * 3600


async def test_a_webhook_that_waits_for_its_turn_longer_than_a_connection_may_take_is_sent(
    merchant, receiver, monkeypatch
):
    monkeypatch.setattr(posting, "_CONNECT_SECONDS", 0.2)
    merchant.app.state.account.webhooks._turns = asyncio.Semaphore(2)
    await merchant.issue()
    receiver.gate.clear()
    for number in range(10):
        await merchant.again(f"m{number}")
    await receiver.have(2)
    await asyncio.sleep(0.5)
    receiver.gate.set()
    await receiver.have(10)
    while any(hook["state"] != "done" for hook in await merchant.control("GET", "webhooks")):
        await asyncio.sleep(0.01)
    hooks = await merchant.control("GET", "webhooks")
    assert [(hook["status"], hook["error"]) for hook in hooks] == [(200, None)] * 10
    assert sorted(receiver.seen) == [(f"m{number}", "paid") for number in range(10)]


async def test_what_is_due_together_leaves_room_for_other_calls(merchant, receiver):
    many = 300
    await merchant.issue()
    at = await merchant.now() + DAY
    items = [
        {"merchant_uid": f"m{number:03d}", "schedule_at": at, "amount": 100, "currency": "KRW", "name": "n"}
        for number in range(many)
    ]
    await merchant.ok("POST", "/subscribe/payments/schedule", {"customer_uid": "kim", "schedules": items})
    moving = asyncio.create_task(merchant.advance(DAY + 1))
    left = []
    while not moving.done():
        await asyncio.sleep(0)
        await merchant.control("GET", "faults")
        rows = merchant.app.state.account.world.store["schedules"].values()
        left.append(sum(row["schedule_status"] == "scheduled" for row in rows))
    assert len(await moving) == many
    assert any(0 < each < many for each in left), "a call was answered while they were being run"
    await receiver.have(many)
    assert len(set(receiver.seen)) == len(receiver.received) == many


async def test_a_schedule_is_listed_where_it_was_moved_to_and_once(start, tmp_path):
    state = tmp_path / "emulator.db"
    first = await start(state_file=state)
    await first.issue()
    now = await first.now()
    for number, days in enumerate((1, 2, 40)):
        await first.schedule(f"m{number}", after=days * DAY)
    await first.ok("PUT", "/subscribe/payments/schedule/m0", {"schedule_at": now + 41 * DAY})
    await first.ok("PUT", "/subscribe/payments/schedule/m0", {"schedule_at": now + DAY + 60})
    await first.ok("PUT", "/subscribe/payments/schedule/m1", {"schedule_at": now + 41 * DAY})
    second = await start(state_file=state)
    for merchant in (first, second):
        assert await _listed(merchant, now, now + 3 * DAY) == ["m0"]
        assert await _listed(merchant, now + 39 * DAY, now + 42 * DAY) == ["m2", "m1"]
        assert await _listed(merchant, now, now + 42 * DAY) == ["m0", "m2", "m1"]


async def test_a_list_of_schedules_looks_at_the_days_that_were_asked_for_only(merchant):
    await merchant.issue()
    now = await merchant.now()
    for number in range(60):
        await merchant.schedule(f"m{number}", after=(number + 1) * DAY)
    world = merchant.app.state.account.world
    looked_at = []
    rows = world.store["schedules"]

    class Counted(dict):
        def __getitem__(self, key):
            looked_at.append(key)
            return super().__getitem__(key)

    world.store.kinds["schedules"] = Counted(rows)
    assert await _listed(merchant, now, now + 2 * DAY + 60) == ["m0", "m1"]
    assert len(looked_at) <= 4


async def test_payments_are_listed_by_what_happened_to_them_in_a_window_before_and_after_a_restart(start, tmp_path):
    state = tmp_path / "emulator.db"
    first = await start(state_file=state)
    await first.issue()
    now = await first.now()
    for number in range(4):
        await first.again(f"m{number}")
        await first.advance(DAY)
    await first.ok("POST", "/payments/cancel", {"merchant_uid": "m0"})
    second = await start(state_file=state)
    for merchant in (first, second):
        assert await _paid(merchant, "paid", now, now + DAY - 60) == []
        assert await _paid(merchant, "paid", now, now + 2 * DAY - 60) == ["m1"]
        assert await _paid(merchant, "cancelled", now, now + 3 * DAY) == []
        assert await _paid(merchant, "cancelled", now + 4 * DAY - 60, now + 5 * DAY) == ["m0"]
        assert await _paid(merchant, "all", now, now + 5 * DAY) == ["m0", "m1", "m2", "m3"]


async def test_a_list_of_payments_looks_at_the_hours_that_were_asked_for_only(merchant):
    await merchant.issue()
    now = await merchant.now()
    for number in range(40):
        await merchant.again(f"m{number}")
        await merchant.advance(DAY)
    world = merchant.app.state.account.world
    assert await _paid(merchant, "paid", now, now + DAY + 60) == ["m0", "m1"]
    assert len(world.payments_around(now, now + DAY + 60)) <= 4


async def test_the_bench_loses_nothing_with_a_kill_in_the_middle(tmp_path):
    said = []
    figures = await run(2_000, 200, tmp_path / "state" / "emulator.db", said.append)
    assert (figures.lost, figures.twice) == (0, 0)
    shown = dict(figures.rows)
    assert shown["schedules held"] == "2,000"
    assert "0 lost, 0 twice" in shown["200 due in one minute"]
    assert "0 webhooks lost, 0 charges lost, 0 charged twice" in shown["killed in the middle"]
    assert said[-1].startswith("killed when")


async def _paid(merchant, status, start, end):
    query = {"from": start, "to": end, "sorting": "started"}
    page = await merchant.ok("GET", f"/payments/status/{status}", params=query)
    return [row["merchant_uid"] for row in page["list"]]


async def _listed(merchant, start, end):
    query = {"schedule_from": start, "schedule_to": end, "sorting": "scheduled"}
    page = await merchant.ok("GET", "/subscribe/payments/schedule", params=query)
    return [row["merchant_uid"] for row in page["list"]]
