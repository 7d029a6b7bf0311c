"""Skipping periods: nothing is charged for them, nothing given, the billing day stays, and a term ends later."""

from datetime import datetime, timedelta

from tests.facts import current
from tests.journeys.cards import MONTHLY, execute_at_portone
from tests.journeys.plans import BASIC, paid
from tests.journeys.test_pause import now_of, standing_at_portone

SCHEDULED, SKIPPED, UNDONE = "subscription.skip_scheduled", "subscription.skipped", "subscription.skip_undone"


def instant(text):
    return datetime.fromisoformat(text)


async def skipped(stack, uid, **more):
    """Skip; answers the document, and when the next charge is."""
    answer = await stack.order(uid, "skip", **more)
    return answer, instant(answer["cycle"]["next_charge_at"])


async def test_a_skipped_period_is_not_charged_and_not_given_and_the_next_one_is_charged_on_its_day(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    due = instant((await stack.subscription(uid))["cycle"]["next_charge_at"])
    answer, after = await skipped(stack, uid, reason="on holiday")
    assert (answer["status"], answer["order"]["charge"]) == ("active", "revoked")
    assert after - due == timedelta(days=30)
    assert (answer["skip"]["periods"], instant(answer["skip"]["from"])) == (1, due)
    await stack.advance(uid, days=31)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["access"], shown["skip"]["periods"]) == ("active", False, 1)
    assert await paid(stack, uid) == [9000]
    await stack.advance(uid, days=30)
    shown = await stack.subscription(uid)
    assert (shown["access"], shown["skip"], instant(shown["current_period_start"])) == (True, None, after)
    assert await stack.agree(uid) == 2
    events = await stack.events(uid)
    assert [name for name in events if "skip" in name] == [SCHEDULED, SKIPPED]
    assert (await stack.api.get("/v1/parked")).json()["overdue"] == []


async def test_several_periods_are_skipped_under_the_same_billing_day_and_one_more_is_added(stack):
    uid = await stack.start(plan={**MONTHLY, "amount": 12_000})
    await current(stack, uid)
    began = instant((await stack.subscription(uid))["current_period_start"])
    _, after = await skipped(stack, uid, periods=2)
    answer, later = await skipped(stack, uid)
    assert answer["skip"]["periods"] == 3
    assert (later - after).days in (28, 29, 30, 31)
    assert (after.day, later.day) == (began.day, began.day) or began.day > 28
    await stack.advance(uid, days=100)
    assert await paid(stack, uid) == [12_000]
    await stack.advance(uid, days=30)
    assert await stack.agree(uid) == 2


async def test_a_preview_says_when_the_next_charge_would_be_and_changes_nothing(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await stack.settled(uid)
    before = await stack.subscription(uid)
    seen = (await stack.api.post(f"/v1/subscriptions/{uid}/skip/preview", json={"periods": 2})).json()
    due = instant(before["cycle"]["next_charge_at"])
    assert instant(seen["next_charge_at"]) - due == timedelta(days=60)
    assert seen["next_charge"]["amount"] == 9000
    assert await stack.subscription(uid) == before
    _, after = await skipped(stack, uid, periods=2)
    assert after == instant(seen["next_charge_at"])


async def test_a_skip_that_is_undone_is_charged_on_the_day_it_was_due(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    due = (await stack.subscription(uid))["cycle"]["next_charge_at"]
    await skipped(stack, uid, periods=2)
    answer = await stack.order(uid, "undo-skip")
    assert (answer["cycle"]["next_charge_at"], answer["skip"]) == (due, None)
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    assert UNDONE in await stack.events(uid)
    refused = await stack.order(uid, "undo-skip", expect=409)
    assert refused["code"] == "nothing_skipped"


async def test_what_is_undone_in_a_skipped_period_leaves_that_one_skipped(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    due = instant((await stack.subscription(uid))["cycle"]["next_charge_at"])
    await skipped(stack, uid, periods=3)
    await stack.advance(uid, days=40)
    answer = await stack.order(uid, "undo-skip")
    assert (instant(answer["cycle"]["next_charge_at"]) - due, answer["skip"]["periods"]) == (timedelta(days=30), 1)
    assert answer["access"] is False
    assert (await stack.order(uid, "undo-skip", expect=409))["code"] == "nothing_skipped"
    await stack.advance(uid, days=21)
    assert await stack.agree(uid) == 2


async def test_a_term_counts_only_what_was_charged_so_that_it_ends_later(stack):
    uid = await stack.start(plan={**BASIC, "max_cycles": 2})
    await current(stack, uid)
    await skipped(stack, uid)
    await stack.advance(uid, days=61)
    assert (await stack.subscription(uid))["status"] == "active"
    assert (await stack.order(uid, "skip", expect=409))["code"] == "term_ends"
    await stack.advance(uid, days=30)
    assert (await stack.subscription(uid))["status"] == "expired"
    assert await stack.agree(uid) == 2


async def test_a_charge_that_ran_first_is_not_skipped_and_the_answer_says_so(stack):
    uid = await stack.start(plan=BASIC)
    await execute_at_portone(stack, uid, seconds=1)
    refused = await stack.order(uid, "skip", expect=409)
    assert refused["code"] == "charge_paid"
    shown = await stack.subscription(uid)
    assert shown["skip"] is None
    assert await paid(stack, uid) == [9000, 9000]


async def test_a_cancel_goes_before_a_skip_and_taken_back_leaves_it(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    _, after = await skipped(stack, uid)
    await stack.order(uid, "cancel")
    assert await standing_at_portone(stack, uid) == []
    assert (await stack.order(uid, "skip", expect=409))["code"] == "cancel_is_set"
    answer = await stack.order(uid, "undo-cancel")
    assert (instant(answer["cycle"]["next_charge_at"]), answer["skip"]["periods"]) == (after, 1)
    await stack.order(uid, "cancel")
    await stack.advance(uid, days=31)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert SKIPPED not in await stack.events(uid)
    assert await stack.agree(uid) == 1


async def test_a_pause_takes_a_skip_back_and_resuming_begins_a_period(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await skipped(stack, uid, periods=2)
    await stack.advance(uid, days=35)
    answer = await stack.order(uid, "pause", at="now")
    assert (answer["status"], answer["skip"]) == ("paused", None)
    assert (await stack.order(uid, "skip", expect=409))["code"] == "already_paused"
    resumed = await stack.order(uid, "resume")
    assert instant(resumed["current_period_start"]) - await now_of(stack, uid) < timedelta(minutes=1)
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 3


async def test_a_change_at_once_has_nothing_to_prorate_in_a_skipped_period_and_comes_with_the_next(stack):
    uid = await stack.start(plan=BASIC)
    await current(stack, uid)
    await skipped(stack, uid)
    await stack.advance(uid, days=31)
    refused = await stack.order(uid, "change-plan", expect=409, quantity=2, at="now")
    assert refused["code"] == "period_skipped"
    await stack.order(uid, "change-plan", quantity=2)
    await stack.advance(uid, days=30)
    assert await paid(stack, uid) == [9000, 18_000]


def fields(refused):
    return [error["field"] for error in refused["errors"]]


async def test_a_number_of_periods_that_nobody_can_skip_is_refused_with_its_field(stack):
    uid = await stack.start(plan=BASIC)
    for periods in (0, -1, 121, 10**9, "two", 1.5, True):
        assert fields(await stack.order(uid, "skip", expect=422, periods=periods)) == ["periods"]
    assert (await stack.subscription(uid))["skip"] is None


async def test_more_periods_than_may_lie_ahead_are_refused(stack):
    uid = await stack.start(plan={**MONTHLY, "interval": "year"})
    refused = await stack.order(uid, "skip", expect=422, periods=5)
    assert (refused["code"], fields(refused)) == ("too_many_skipped", ["periods"])


async def test_a_trial_and_an_unpaid_period_cannot_be_skipped(stack):
    trial = await stack.start(plan={**BASIC, "trial_days": 14})
    assert (await stack.order(trial, "skip", expect=409))["code"] == "not_skippable"
