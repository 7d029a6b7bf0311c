"""The consent gate: nothing is registered at PortOne before the buyer has agreed, and silence is no consent."""

import random
from datetime import datetime, timedelta

import pytest

from tests.facts import current
from tests.journeys.plans import BASIC, NOON, PREMIUM, coupon, paid, thirty_days

ASKED = "consent.requested"
ANSWER = {
    "shown": "무료 체험이 끝나면 매달 9,000원이 결제됩니다.",
    "by": "buyer",
    "ip": "192.0.2.7",
    "user_agent": "Safari",
}


def asking(amount=9000, name="베이직", **more):
    """A plan whose trial, or whose higher price, needs the buyer's consent."""
    return thirty_days(amount, name, consent_required=True, **more)


def on_trial(days=40, **more):
    return asking(trial_days=days, **more)


async def registered(stack, uid):
    """How many schedules of a subscription PortOne has ever been given."""
    rows = stack.account().world.store["schedules"].values()
    return sum(row["customer_uid"] == uid for row in rows)


async def consents(stack, uid):
    answer = await stack.api.get(f"/v1/subscriptions/{uid}/consents")
    assert answer.status_code == 200, answer.text
    return answer.json()["consents"]


async def answered(stack, uid, decision="granted", **more):
    return await stack.order(uid, "consent", decision=decision, **{**ANSWER, **more})


# ---------------------------------------------------------------- a trial becomes paid


async def test_silence_ends_the_trial_and_nothing_was_ever_registered(stack, received):
    uid = await stack.start(plan=on_trial())
    await stack.advance(uid, days=41)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["end_reason"], shown["consent"]) == (
        "canceled", "no consent came in time", "lapsed",
    )  # fmt: skip
    assert await registered(stack, uid) == 0
    # At its end it is asked what still stands on the key, which registers nothing.
    asked = [path for path, _ in received if path != "schedule_customers"]
    assert [path for path in asked if "schedule" in path or "again" in path] == []
    assert await stack.agree(uid) == 0
    assert [row["state"] for row in await consents(stack, uid)] == ["asked", "lapsed"]
    assert (await stack.events(uid))[-4:] == [
        ASKED, "subscription.trial_will_end", "consent.lapsed", "subscription.canceled",
    ]  # fmt: skip


async def test_a_trial_becomes_paid_after_an_explicit_answer_that_is_kept_with_what_was_shown(stack):
    uid = await stack.start(plan=on_trial())
    await stack.advance(uid, days=9)
    assert ASKED not in await stack.events(uid)
    early = await stack.order(uid, "consent", expect=409, decision="granted", **ANSWER)
    assert early["code"] in ("consent_not_asked", "not_asked")
    await stack.advance(uid, days=2)
    assert (await stack.subscription(uid))["consent"] == "asked"
    assert await registered(stack, uid) == 0
    assert (await answered(stack, uid))["consent"] == "granted"
    await current(stack, uid)
    assert await registered(stack, uid) == 1
    await stack.advance(uid, days=30)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await paid(stack, uid) == [9000]
    assert await stack.agree(uid) == 1
    asked, granted = await consents(stack, uid)
    assert (asked["subject"], asked["amount_before"], asked["amount_after"], asked["evidence"]) == (
        "trial_end", 0, 9000, None,
    )  # fmt: skip
    kept = {name: granted["evidence"][name] for name in (*ANSWER, "decision", "locale")}
    assert kept == {**ANSWER, "decision": "granted", "locale": "ko-KR"}
    opens, effective = (datetime.fromisoformat(asked[name]) for name in ("opens_at", "effective_at"))
    assert effective - opens <= timedelta(days=30)
    events = await stack.events(uid)
    assert events.index(ASKED) < events.index("consent.granted") < events.index("charge.paid")
    story = await stack.story(uid)
    assert "the buyer consented" in story
    assert any(line.startswith("until the buyer may be asked") for line in story)


@pytest.mark.soak
async def test_a_refusal_ends_the_subscription_with_its_trial_and_may_be_thought_better_of(stack):
    uid = await stack.start(plan=on_trial(20))
    await stack.settled(uid)
    refused = await answered(stack, uid, "refused")
    assert (refused["status"], refused["cancel_at_period_end"]) == ("trialing", True)
    granted = await answered(stack, uid, shown="다시 생각했습니다")
    assert (granted["consent"], granted["cancel_at_period_end"]) == ("granted", False)
    await stack.advance(uid, days=21)
    assert await stack.agree(uid) == 1
    assert [row["state"] for row in await consents(stack, uid)] == ["asked", "refused", "granted"]
    events = await stack.events(uid)
    assert events.index("consent.refused") < events.index("subscription.cancel_scheduled")
    assert events.index("subscription.cancel_scheduled") < events.index("subscription.cancel_undone")


async def test_a_refusal_that_stays_ends_it_and_charges_nothing(stack):
    uid = await stack.start(plan=on_trial(20))
    await stack.settled(uid)
    await answered(stack, uid, "refused")
    await stack.advance(uid, days=21)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["end_reason"]) == ("canceled", "the buyer refused")
    assert (await registered(stack, uid), await stack.agree(uid)) == (0, 0)


async def test_a_trial_ended_early_is_charged_at_once_only_with_consent(stack):
    uid = await stack.start(plan=on_trial())
    assert (await stack.order(uid, "trial", expect=409, end_now=True))["code"] == "consent_needed"
    answer = await stack.order(uid, "trial", end_now=True, consent=ANSWER)
    assert (answer["status"], answer["order"]["charged_amount"]) == ("active", 9000)
    (granted,) = [row for row in await consents(stack, uid) if row["evidence"]]
    assert granted["evidence"]["shown"] == ANSWER["shown"]
    assert await stack.agree(uid) == 1


# ---------------------------------------------------------------- a price rises


@pytest.mark.soak
async def test_a_higher_price_waits_for_consent_and_holds_the_old_one_where_the_plan_says_so(stack):
    uid = await stack.start(plan=asking())
    await current(stack, uid)
    await stack.order(uid, "change-plan", plan=asking(30000, "프리미엄", on_no_consent="hold_price"))
    shown = await stack.subscription(uid)
    assert shown["pending_change"]["plan"]["name"] == "프리미엄"
    await stack.advance(uid, days=31)
    shown = await stack.subscription(uid)
    # The plan that is held decides, and it ends without consent.
    assert (shown["status"], await paid(stack, uid)) == ("canceled", [9000])
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_without_an_answer_the_old_price_is_held_by_policy(stack):
    uid = await stack.start(plan=asking(on_no_consent="hold_price"))
    await current(stack, uid)
    await stack.order(uid, "change-plan", plan=asking(30000, "프리미엄", on_no_consent="hold_price"))
    await stack.advance(uid, days=31)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["plan"]["name"], shown["pending_change"]) == ("active", "베이직", None)
    assert await paid(stack, uid) == [9000, 9000]
    assert await stack.agree(uid) == 2
    events = await stack.events(uid)
    assert events.index("consent.lapsed") < len(events) - events[::-1].index("charge.paid")
    assert any(line.startswith("the price stays") for line in await stack.story(uid))


async def test_a_higher_price_that_was_agreed_to_is_charged_from_the_next_period(stack):
    uid = await stack.start(plan=asking())
    await current(stack, uid)
    await stack.order(uid, "change-plan", plan=asking(30000, "프리미엄"))
    await stack.settled(uid)
    await answered(stack, uid, shown="다음 달부터 30,000원")
    await stack.advance(uid, days=62)
    assert await paid(stack, uid) == [9000, 30000, 30000]
    assert await stack.agree(uid) == 3
    assert (await stack.events(uid)).count(ASKED) == 1


@pytest.mark.soak
async def test_another_change_is_another_question(stack):
    uid = await stack.start(plan=asking())
    await current(stack, uid)
    await stack.order(uid, "change-plan", plan=asking(20000, "스탠다드"))
    await stack.settled(uid)
    await answered(stack, uid, shown="20,000원")
    await stack.order(uid, "change-plan", plan=asking(30000, "프리미엄"))
    await stack.settled(uid)
    assert (await stack.subscription(uid))["consent"] == "asked"
    await stack.advance(uid, days=31)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await paid(stack, uid) == [9000]
    assert [row["amount_after"] for row in await consents(stack, uid)] == [20000, 20000, 30000, 30000]


@pytest.mark.soak
async def test_the_end_of_a_coupon_is_a_rise_and_a_lower_price_is_none(stack):
    half = {**coupon(), "percent_off": 50, "duration": "once"}
    uid = await stack.start(plan=asking(), coupon=half)
    await stack.settled(uid)
    asked = (await consents(stack, uid))[-1]
    assert (asked["subject"], asked["amount_before"], asked["amount_after"]) == ("price_rise", 4500, 9000)
    cheaper = await stack.start(plan=asking(30000))
    await current(stack, cheaper)
    await stack.order(cheaper, "change-plan", plan=asking(9000))
    await stack.advance(cheaper, days=31)
    assert await paid(stack, cheaper) == [30000, 9000]
    assert await consents(stack, cheaper) == []


@pytest.mark.soak
async def test_plans_that_do_not_need_it_are_never_asked(stack):
    uid = await stack.start(plan={**BASIC, "trial_days": 20})
    await current(stack, uid)
    await stack.order(uid, "change-plan", plan=PREMIUM)
    await stack.advance(uid, days=51)
    assert await paid(stack, uid) == [30000, 30000]
    assert await consents(stack, uid) == []
    assert (await stack.subscription(uid))["consent"] == "not_needed"


async def test_an_answer_that_nobody_asked_for_is_refused(stack):
    uid = await stack.start(plan=asking(time_zone=NOON))
    refused = await stack.order(uid, "consent", expect=409, decision="granted", **ANSWER)
    assert "consent" in refused["code"]
    assert await consents(stack, uid) == []


# ---------------------------------------------------------------- whatever is ordered


def amounts_of(calls):
    """What PortOne was asked to charge, now or later."""
    for path, body in calls:
        if path == "schedule":
            yield from (int(item["amount"]) for item in body["schedules"])
        elif path == "again":
            yield int(body["amount"])


@pytest.mark.soak
async def test_whatever_is_ordered_and_answered_nothing_higher_is_registered_without_consent(stack, received):
    chance = random.Random(3)  # noqa: S311 - a seed, not a secret
    weekly = {"interval": "week", "interval_count": 1, "on_no_consent": "hold_price"}
    uid = await stack.start(plan=asking(9000, **weekly))
    answers, seen = [], len(received)
    for _ in range(9):
        before = (await paid(stack, uid))[-1]
        if chance.random() < 0.7:
            await stack.order(uid, "change-plan", plan=asking(chance.choice([5000, 12_000, 30_000]), **weekly))
        else:
            await stack.order(uid, "change-plan", coupon=coupon())
        await stack.settled(uid)
        if (await stack.subscription(uid))["consent"] == "asked" and chance.random() < 0.7:
            answers.append(chance.choice(["granted", "granted", "refused"]))
            await answered(stack, uid, answers[-1])
        await stack.advance(uid, days=chance.randint(1, 5))
        last = max(before, (await paid(stack, uid))[-1])
        agreed = {row["amount_after"] for row in await consents(stack, uid) if row["state"] == "granted"}
        assert [amount for amount in amounts_of(received[seen:]) if amount > last and amount not in agreed] == []
        seen = len(received)
    assert "granted" in answers
    assert await stack.agree(uid) == len(await paid(stack, uid)) >= 3


# ---------------------------------------------------------------- a pause


@pytest.mark.soak
async def test_a_resume_that_costs_more_needs_the_act_of_the_buyer(stack):
    uid = await stack.start(plan=asking(), coupon={**coupon(), "percent_off": 50})
    await stack.order(uid, "pause", at="period_end")
    await stack.advance(uid, days=40)
    assert (await stack.order(uid, "resume", expect=409))["code"] == "consent_needed"
    assert (await stack.subscription(uid))["status"] == "paused"
    resumed = await stack.order(uid, "resume", consent=ANSWER)
    assert (resumed["status"], resumed["order"]["charged_amount"]) == ("active", 9000)
    assert await paid(stack, uid) == [4500, 9000]
    assert await stack.agree(uid) == 2
