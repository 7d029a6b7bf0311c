"""What is announced before it happens: a renewal with its amount, the end of a trial, the end of access."""

import pytest

from tests.facts import current
from tests.journeys.plans import BASIC, INSUFFICIENT_FUNDS, PREMIUM, from_now_on, thirty_days, year

UPCOMING, TRIAL_END = "subscription.renewal_upcoming", "subscription.trial_will_end"


async def told(stack, uid, type_):
    """The events of one type, oldest first."""
    answer = await stack.api.get("/v1/events", params={"customer_uid": uid, "limit": 200})
    return [event for event in answer.json()["events"] if event["type"] == type_]


async def test_a_renewal_is_announced_seven_days_ahead_with_its_amount_and_once_a_period(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.advance(uid, days=22)
    assert await told(stack, uid, UPCOMING) == []
    await stack.advance(uid, days=2)
    (notice,) = await told(stack, uid, UPCOMING)
    assert (notice["data"]["amount"], notice["data"]["currency"]) == (9000, "KRW")
    await stack.advance(uid, days=5)
    assert len(await told(stack, uid, UPCOMING)) == 1
    await stack.advance(uid, days=30)
    assert len(await told(stack, uid, UPCOMING)) == 2
    assert await stack.agree(uid) == 2
    assert any(line.startswith("9,000 KRW will be charged 20") for line in await stack.story(uid))


@pytest.mark.soak
async def test_a_renewal_whose_amount_changes_after_its_notice_is_announced_again(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.advance(uid, days=24)
    await stack.order(uid, "change-plan", plan=PREMIUM)
    await stack.settled(uid)
    notices = await told(stack, uid, UPCOMING)
    assert [notice["data"]["amount"] for notice in notices] == [9000, 30000]
    await stack.advance(uid, days=7)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_who_cancels_or_pauses_is_not_told_of_a_renewal_that_will_not_be(stack):
    for order in ("cancel", "pause"):
        uid = await stack.start(plan=BASIC)
        await current(stack, uid)
        await stack.order(uid, order)
        await stack.advance(uid, days=31)
        assert await told(stack, uid, UPCOMING) == []


@pytest.mark.soak
async def test_a_period_shorter_than_its_notice_and_one_that_costs_nothing_are_not_announced(stack):
    weekly = await stack.start(plan={**thirty_days(3000), "interval": "week", "interval_count": 1})
    free = await stack.start(plan=thirty_days(0))
    for uid in (weekly, free):
        await stack.advance(uid, days=36)
        assert await told(stack, uid, UPCOMING) == []


@pytest.mark.soak
async def test_a_yearly_renewal_is_announced_on_time_although_its_charge_is_registered_weeks_before(stack):
    uid = await stack.start(plan=year())
    await stack.advance(uid, days=357)
    assert await told(stack, uid, UPCOMING) == []
    await stack.advance(uid, days=2)
    assert len(await told(stack, uid, UPCOMING)) == 1
    await stack.advance(uid, days=8)
    assert await stack.agree(uid) == 2


async def test_the_end_of_a_trial_is_announced_three_days_ahead_and_not_as_a_renewal(stack):
    uid = await stack.start(plan={**BASIC, "trial_days": 14})
    await stack.advance(uid, days=10)
    assert await told(stack, uid, TRIAL_END) == []
    await stack.advance(uid, days=2)
    assert len(await told(stack, uid, TRIAL_END)) == 1
    await stack.advance(uid, days=3)
    assert await told(stack, uid, UPCOMING) == []
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_the_end_of_access_is_announced_apart_from_the_retries(stack):
    uid = await stack.start(plan={**BASIC, "trial_days": 1}, dunning={"after_days": [20], "grace_days": 3})
    from_now_on(stack, uid, INSUFFICIENT_FUNDS)
    await stack.advance(uid, days=2)
    assert (await stack.subscription(uid))["access"] is True
    await stack.advance(uid, days=3)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"]) == ("past_due", False)
    assert "subscription.suspended" in await stack.events(uid)
    assert any(line.startswith("the grace has ended 20") for line in await stack.story(uid))
