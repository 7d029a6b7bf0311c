"""Plans, prices and coupons: versions, intervals, zones, terms, quantities, taxes, and periods that cost nothing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.journeys.plans import coupon, thirty_days, year
from tests.stack import CARD

NEW_YORK = ZoneInfo("America/New_York")


async def amounts(stack, uid):
    """What was really charged, period by period."""
    return [charge["amount"] for charge in await stack.charges(uid) if charge["state"] == "paid"]


async def period(stack, uid):
    shown = await stack.subscription(uid)
    return [datetime.fromisoformat(shown[f"current_period_{end}"]) for end in ("start", "end")]


# ---------------------------------------------------------------- the catalogue


@pytest.mark.soak
async def test_a_running_subscription_keeps_the_version_it_began_with_until_it_is_changed(stack):
    plan = {"plan_id": "basic", **thirty_days(9000)}
    assert (await stack.api.post("/v1/plans", json=plan)).json()["version"] == 1
    first = await stack.start(plan_id="basic", plan=None)
    assert (await stack.api.post("/v1/plans", json={**plan, "amount": 12000})).json()["version"] == 2
    second = await stack.start(plan_id="basic", plan=None)
    await stack.advance(first, days=30, hours=1)
    assert (await amounts(stack, first), await amounts(stack, second)) == ([9000, 9000], [12000])
    shown = await stack.order(first, "change-plan", plan_id="basic")
    assert (shown["plan"]["version"], shown["pending_change"]["plan"]["version"]) == (1, 2)
    await stack.advance(first, days=30)
    assert (await stack.subscription(first))["plan"]["version"] == 2
    assert await amounts(stack, first) == [9000, 9000, 12000]
    assert await stack.agree(first) == 3
    assert (await stack.events(first)).count("plan_change.applied") == 1
    assert "a change waits for the next period" in await stack.story(first)


# ---------------------------------------------------------------- the calendar


@pytest.mark.soak
async def test_a_billing_day_of_31_is_clamped_without_drift_and_keeps_its_hour_over_a_clock_change(stack):
    today = datetime.now(UTC)
    end = datetime(today.year + 1, 1, 31, 10, tzinfo=NEW_YORK)
    plan = thirty_days(interval="month", interval_count=1, time_zone="America/New_York")
    uid = await stack.start(plan=plan, trial_end=end.isoformat())
    days = (end - today).days
    starts = []
    for step in (days + 2, 28, 31, 30):
        await stack.advance(uid, days=step)
        starts.append((await period(stack, uid))[0].astimezone(NEW_YORK))
    leap = 29 if end.year % 4 == 0 else 28
    assert [(at.month, at.day, at.hour) for at in starts] == [(1, 31, 10), (2, leap, 10), (3, 31, 10), (4, 30, 10)]
    assert (starts[1].utcoffset(), starts[2].utcoffset()) != (starts[0].utcoffset(), starts[0].utcoffset())
    assert await stack.agree(uid) == 4
    assert "period 4 is paid" in await stack.story(uid)


@pytest.mark.soak
async def test_periods_are_days_weeks_months_or_years_and_any_number_of_them(stack):
    lengths = {}
    for unit, count in (("day", 10), ("week", 2), ("year", 2)):
        uid = await stack.start(plan=thirty_days(interval=unit, interval_count=count, time_zone="UTC"))
        start, end = await period(stack, uid)
        lengths[unit] = (end - start).days
        if unit != "year":
            await stack.advance(uid, days=lengths[unit], hours=1)
            assert (await period(stack, uid))[0] == end
            assert await stack.agree(uid) == 2
    assert (lengths["day"], lengths["week"]) == (10, 14)
    assert lengths["year"] in (730, 731)


# ---------------------------------------------------------------- the term


async def test_a_plan_of_two_periods_charges_two_and_expires_with_the_second(stack):
    uid = await stack.start(plan=thirty_days(max_cycles=2))
    await stack.advance(uid, days=31)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["next_charge_at"], shown["next_amount"]) == ("active", None, None)
    assert (await stack.order(uid, "preview", method="GET"))["next_charge"] is None
    refused = await stack.order(uid, "change-plan", expect=409, quantity=2)
    assert refused["code"] == "term_is_over"
    await stack.advance(uid, days=31)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["end_reason"]) == ("expired", "the fixed term is done")
    assert await amounts(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2
    assert (await stack.events(uid))[-1] == "subscription.expired"
    assert "the fixed term is done" in await stack.story(uid)


@pytest.mark.soak
async def test_a_term_that_runs_out_goes_on_with_the_plan_that_is_pending(stack):
    uid = await stack.start(plan=thirty_days(max_cycles=1))
    assert (await stack.subscription(uid))["cycle"]["next_charge_at"] is None
    await stack.order(uid, "change-plan", plan=thirty_days(12000))
    taken_back = await stack.order(uid, "pending-change", method="DELETE")
    assert taken_back["next_amount"] is None
    shown = await stack.order(uid, "change-plan", plan=thirty_days(12000))
    assert shown["next_amount"] == 12000
    await stack.advance(uid, days=30, hours=1)
    assert await amounts(stack, uid) == [9000, 12000]
    assert await stack.agree(uid) == 2
    assert (await stack.subscription(uid))["status"] == "active"


# ---------------------------------------------------------------- quantity and taxes


async def test_quantity_tax_free_part_and_vat_go_with_the_first_charge_the_schedule_and_the_change(stack, received):
    plan = thirty_days(9000, tax_free=3000, vat_amount=500)
    uid = await stack.start(plan=plan, quantity=2)
    await stack.advance(uid, days=15)
    await stack.order(uid, "change-plan", quantity=3, at="now")
    await stack.advance(uid, days=15, hours=1)
    sent = [(body["amount"], body["tax_free"], body["vat_amount"]) for path, body in received if path == "again"]
    assert sent == [(18000, 6000, 1000), (4500, 1500, 250)]
    schedules = [body["schedules"][0] for path, body in received if path == "schedule"]
    assert [(each["amount"], each["tax_free"], each["vat_amount"]) for each in schedules[:2]] == [
        (18000, 6000, 1000),
        (27000, 9000, 1500),
    ]
    charge = (await stack.charges(uid))[0]
    assert (charge["amount"], charge["tax_free"], charge["vat_amount"]) == (18000, 6000, 1000)
    assert await amounts(stack, uid) == [18000, 4500, 27000]
    assert await stack.agree(uid) == 3
    assert any(line.startswith("베이직: 9,000 KRW × 2 every 30 days") for line in await stack.story(uid))


# ---------------------------------------------------------------- periods that cost nothing


@pytest.mark.soak
async def test_a_free_plan_and_a_free_first_month_make_no_call_to_portone_for_what_costs_nothing(stack, received):
    await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": "free", "card_number": CARD})
    for name in ("half_free", "whole_free"):
        await stack.emulator.post("/emulator/window/billing-key", json={"customer_uid": name, "card_number": CARD})
    free = await stack.start("free", plan=thirty_days(0), payment_method={"billing_key": True})
    gift = coupon(percent_off=100)
    half = await stack.start("half_free", plan=thirty_days(), coupon=gift, payment_method={"billing_key": True})
    for uid in (free, half):
        await stack.advance(uid, days=30, hours=1)
    assert [charge["state"] for charge in await stack.charges(free)][:2] == ["skipped", "skipped"]
    assert [charge["state"] for charge in await stack.charges(half)][:2] == ["skipped", "paid"]
    named = {str(body.get("customer_uid")) for path, body in received if path in ("again", "schedule", "unschedule")}
    assert free not in named
    assert await stack.agree(free) == 0
    assert await stack.agree(half) == 1
    assert (await stack.events(free))[1:] == ["charge.skipped", "subscription.active", "charge.skipped"]
    assert "period 1 costs nothing" in await stack.story(free)


# ---------------------------------------------------------------- coupons


@pytest.mark.soak
async def test_coupons_of_a_percentage_or_an_amount_count_once_for_some_periods_or_for_ever(stack):
    fifty_for_two = coupon(duration="repeating", duration_cycles=2)
    thousand_for_ever = {"name": "천원", "amount_off": 1000, "duration": "forever"}
    once, some, ever = [
        await stack.start(plan=thirty_days(), coupon=each) for each in (coupon(), fifty_for_two, thousand_for_ever)
    ]
    preview = await stack.order(once, "preview", method="GET")
    assert (preview["next_charge"]["amount"], len(preview["next_charge"]["lines"])) == (9000, 1)
    for uid in (once, some, ever):
        await stack.advance(uid, days=61)
    assert await amounts(stack, once) == [4500, 9000, 9000]
    assert await amounts(stack, some) == [4500, 4500, 9000]
    assert await amounts(stack, ever) == [8000, 8000, 8000]
    assert [(await stack.subscription(uid))["coupon"] is None for uid in (once, some, ever)] == [True, True, False]
    assert [await stack.agree(uid) for uid in (once, some, ever)] == [3, 3, 3]


@pytest.mark.soak
async def test_a_coupon_is_added_to_and_taken_from_a_running_subscription(stack):
    uid = await stack.start(plan=thirty_days())
    shown = await stack.order(uid, "change-plan", coupon=coupon("절반", duration="forever"))
    assert (shown["coupon"], shown["pending_change"]["coupon"]["name"], shown["next_amount"]) == (None, "절반", 4500)
    await stack.advance(uid, days=30, hours=1)
    shown = await stack.subscription(uid)
    assert (shown["coupon"]["name"], shown["pending_change"]) == ("절반", None)
    answer = await stack.order(uid, "change-plan", remove_coupon=True)
    assert answer["next_amount"] == 9000
    await stack.advance(uid, days=30)
    assert await amounts(stack, uid) == [9000, 4500, 9000]
    assert await stack.agree(uid) == 3
    assert (await stack.events(uid)).count("plan_change.applied") == 2
    assert "a change waits for the next period" in await stack.story(uid)


@pytest.mark.soak
async def test_a_year_in_advance_is_registered_when_its_day_comes_near(stack):
    uid = await stack.start(plan=year())
    number = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=200)
    assert await stack.portone.find_schedule(number) is None
    await stack.advance(uid, days=100)
    assert (await stack.portone.find_schedule(number)).schedule_status == "scheduled"
