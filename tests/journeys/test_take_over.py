"""Taking over a billing key that something else charges: nothing is charged twice, and nothing is left unsaid."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.facts import console, current, parked
from tests.journeys.cards import open_schedules
from tests.journeys.foreign_keys import issued, paid_on, row_of, scheduled, start
from tests.soaking import soaking
from tests.stack import now

# ---------------------------------------------------------------- a start on a key with schedules


async def test_a_start_on_a_key_with_an_old_loop_s_schedule_is_refused_and_says_what_stands_there(stack):
    uid = await issued(stack)
    at = await scheduled(stack, uid, "old-1", days=9)
    far = await scheduled(stack, uid, "old-far", days=400, amount=99_000)
    problem = await start(stack, uid, expect=409)
    assert (problem["code"], problem["errors"][0]["field"]) == ("key_scheduled_elsewhere", "customer_uid")
    told = [(each["merchant_uid"], each["state"], each["amount"], each["at"]) for each in problem["standing"]]
    instants = [when.isoformat().replace("+00:00", "Z") for when in (at, far)]
    assert told == [("old-1", "scheduled", 9900, instants[0]), ("old-far", "scheduled", 99_000, instants[1])]
    assert "old-1" in problem["detail"]
    assert await paid_on(stack, uid) == []
    assert set(open_schedules(stack)) == {"old-1", "old-far"}
    assert await parked(stack, uid) == []


async def test_what_an_old_loop_left_is_taken_back_one_by_one_when_the_caller_says_so(stack):
    stack.answer_within(120.0)
    uid = await issued(stack)
    for number in range(21):
        await scheduled(stack, uid, f"old-{number}", days=3 + number)
    await start(stack, uid, take_over="revoke")
    assert {row_of(stack, f"old-{number}")["schedule_status"] for number in range(21)} == {"revoked"}
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_the_earliest_schedule_that_fits_is_adopted_as_the_first_charge_and_the_others_are_taken_back(stack):
    uid = await issued(stack)
    await scheduled(stack, uid, "old-other", days=2, amount=500)
    at = await scheduled(stack, uid, "old-1", days=9)
    await scheduled(stack, uid, "old-2", days=40)
    begun = await start(stack, uid, take_over="adopt")
    assert (begun["status"], begun["trial_end"]) == ("active", None)
    assert (begun["cycle"]["merchant_uid"], begun["cycle"]["next_charge_at"]) == ("old-1", f"{at:%Y-%m-%dT%H:%M:%SZ}")
    assert set(open_schedules(stack)) == {"old-1"}
    assert await paid_on(stack, uid) == []
    await stack.advance(uid, days=45)
    numbers = await paid_on(stack, uid)
    assert (numbers[0], len(numbers)) == ("old-1", 2)
    assert await stack.agree(uid) == 2
    paid = [row for row in await stack.charges(uid) if row["state"] == "paid"]
    assert [row["cycle"] for row in paid] == [1, 2]
    assert "subscription.trialing" not in await stack.events(uid)


async def test_an_adopted_charge_is_canceled_by_its_own_order_number(stack):
    uid = await issued(stack)
    await scheduled(stack, uid, "old-1", days=9)
    await start(stack, uid, take_over="adopt")
    answer = await stack.order(uid, "cancel", at="now")
    assert (answer["charge"], answer["merchant_uid"], answer["standing"]) == ("revoked", "old-1", [])
    assert row_of(stack, "old-1")["schedule_status"] == "revoked"


@pytest.mark.soak
async def test_an_adopted_charge_that_is_declined_is_dunned_under_its_own_order_number(stack):
    uid = await issued(stack, card_number="4518-4212-3456-0004")
    await scheduled(stack, uid, "old-1", days=3)
    await start(stack, uid, take_over="adopt")
    await stack.advance(uid, days=12)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 2)
    assert await paid_on(stack, uid) == ["old-1"]
    assert await stack.agree(uid) == 1


async def test_nothing_that_fits_is_not_adopted_and_left_as_it_is(stack):
    uid = await issued(stack)
    await scheduled(stack, uid, "old-1", days=9, amount=500)
    problem = await start(stack, uid, expect=409, take_over="adopt")
    assert problem["code"] == "nothing_to_adopt"
    assert set(open_schedules(stack)) == {"old-1"}


@pytest.mark.parametrize(("amount", "expect"), [(9900, 201), (500, 409)])
async def test_a_schedule_that_runs_while_it_is_taken_back_is_found_and_never_charged_beside(stack, amount, expect):
    uid = await issued(stack)
    await scheduled(stack, uid, "old-1", days=9, amount=amount)
    unschedule = stack.portone.unschedule

    async def late(customer_uid, numbers):
        if numbers == ["old-1"]:
            await console(stack, "execute", merchant_uid="old-1")
        return await unschedule(customer_uid, numbers)

    stack.portone.unschedule = late
    answer = await start(stack, uid, expect=expect, take_over="revoke")
    assert await paid_on(stack, uid) == ["old-1"]
    if expect == 201:
        assert answer["status"] == "active"
        assert await stack.agree(uid) == 1
    else:
        assert answer["code"] == "charged_meanwhile"
        assert [(each["merchant_uid"], each["state"], each["amount"]) for each in answer["standing"]] == [
            ("old-1", "paid", 500)
        ]


async def test_a_worker_that_dies_while_it_takes_back_is_carried_on_from_there(stack):
    stack.answer_within(120.0)
    await stack.stop_worker()
    await stack.start_worker(max_cached_workflows=0)
    uid = await issued(stack)
    await scheduled(stack, uid, "old-1", days=9)
    await scheduled(stack, uid, "old-2", days=40)
    unschedule, died = stack.portone.unschedule, []

    async def dying(customer_uid, numbers):
        answer = await unschedule(customer_uid, numbers)
        if not died:
            died.append(numbers)
            raise RuntimeError("killed after the call")
        return answer

    stack.portone.unschedule = dying
    begun = await start(stack, uid, take_over="adopt")
    assert (died, begun["cycle"]["merchant_uid"]) == ([["old-2"]], "old-1")
    await stack.advance(uid, days=10)
    assert await stack.agree(uid) == 1


async def test_what_cannot_be_proven_taken_back_refuses_the_start(stack):
    uid = await issued(stack)
    await scheduled(stack, uid, "old-1", days=9)

    async def deaf(*_order):
        return []

    stack.portone.unschedule = deaf
    refused = await start(stack, uid, expect=409, take_over="revoke")
    assert refused["code"] == "schedule_not_revoked"
    result = await stack.handle(uid).result()
    assert (result["status"], result["last_failure_code"]) == ("incomplete_expired", "schedule_not_revoked")
    assert [each["merchant_uid"] for each in result["standing"]] == ["old-1"]
    assert await paid_on(stack, uid) == []


# ---------------------------------------------------------------- a start on a key that was charged


@pytest.mark.soak
async def test_a_key_that_somebody_else_charged_within_the_period_is_not_charged_again_unasked(stack):
    uid = await issued(stack)
    await console(stack, "pay", customer_uid=uid, merchant_uid="old-1", amount=9900)
    for how in ("refuse", "revoke"):
        problem = await start(stack, uid, expect=409, take_over=how)
        assert problem["code"] == "key_charged_elsewhere"
        assert [(each["merchant_uid"], each["state"], each["amount"]) for each in problem["standing"]] == [
            ("old-1", "paid", 9900)
        ]
    assert await paid_on(stack, uid) == ["old-1"]


async def test_what_somebody_else_was_paid_is_adopted_as_the_first_period_and_renewed_on_its_day(stack):
    uid = await issued(stack)
    payment = await console(stack, "pay", customer_uid=uid, merchant_uid="old-1", amount=9900)
    await scheduled(stack, uid, "old-2", days=30)
    begun = await start(stack, uid, take_over="adopt")
    assert begun["status"] == "active"
    assert begun["current_period_start"] == f"{datetime.fromtimestamp(payment['paid_at'], UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert "old-2" not in open_schedules(stack)
    assert await stack.agree(uid) == 1
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
    refunded = await stack.api.post("/v1/payments/old-1/refunds", json={"amount": 900})
    assert refunded.status_code == 201, refunded.text


@pytest.mark.soak
async def test_other_business_with_the_same_card_does_not_keep_a_start_that_was_told_so(stack):
    uid = await issued(stack)
    await console(stack, "pay", customer_uid=uid, merchant_uid="groceries", amount=35_000)
    assert (await start(stack, uid, expect=409))["code"] == "key_charged_elsewhere"
    await start(stack, uid, take_over="revoke")
    assert len(await paid_on(stack, uid)) == 2


@pytest.mark.soak
async def test_what_was_ours_is_nobody_else_s(stack):
    uid = await stack.start()
    await stack.order(uid, "cancel", at="now")
    await start(stack, uid)
    assert await stack.agree(uid) >= 1


@pytest.mark.soak
async def test_what_a_terminated_run_of_ours_left_scheduled_is_taken_back_before_the_next_life_is_charged(stack):
    uid = await stack.start()
    number = await current(stack, uid)
    await stack.handle(uid).terminate("by mistake")
    await start(stack, uid)
    assert row_of(stack, number)["schedule_status"] == "revoked"
    await stack.advance(uid, days=32)
    assert len(await paid_on(stack, uid)) == 3
    assert await stack.agree(uid) == 3


@pytest.mark.parametrize("pg", soaking(["kakaopay", "danal", "paymentwall"], beside=["kakaopay"]))
async def test_what_a_pg_charged_when_it_issued_the_key_is_the_first_period(stack, pg):
    uid = await issued(stack, pg=pg, amount=9900, merchant_uid=f"at-issue-{pg}", buyer_email="gildong@example.com")
    begun = await start(stack, uid, pg=pg)
    assert (begun["status"], begun["cycle"]["number"]) == ("active", 2)
    assert await paid_on(stack, uid) == [f"at-issue-{pg}"]
    assert await stack.agree(uid) == 1
    (first,) = [row for row in await stack.charges(uid) if row["cycle"] == 1 and row["state"] == "paid"]
    assert first["merchant_uid"] == f"at-issue-{pg}"
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


@pytest.mark.parametrize("how", ["refuse", "revoke", "adopt"])
async def test_another_amount_charged_at_issue_refuses_the_start_and_says_what_was_charged(stack, how):
    uid = await issued(stack, pg="kakaopay", amount=100, merchant_uid=f"at-issue-{how}")
    problem = await start(stack, uid, expect=409, pg="kakaopay", take_over=how)
    assert problem["code"] == "charged_at_issue"
    assert [(each["merchant_uid"], each["amount"]) for each in problem["standing"]] == [(f"at-issue-{how}", 100)]
    assert await paid_on(stack, uid) == [f"at-issue-{how}"]


@pytest.mark.soak
async def test_a_charge_at_issue_that_went_back_is_no_first_period(stack):
    uid = await issued(stack, pg="kakaopay", amount=9900, merchant_uid="at-issue-gone")
    await console(stack, "cancel", merchant_uid="at-issue-gone")
    await start(stack, uid, pg="kakaopay")
    assert await stack.agree(uid) == 1
    other = await issued(stack, pg="kakaopay", amount=9900, merchant_uid="at-issue-part")
    await console(stack, "cancel", merchant_uid="at-issue-part", amount=900)
    assert (await start(stack, other, expect=409, pg="kakaopay"))["code"] == "charged_at_issue"


async def test_a_plan_that_the_pg_cannot_bill_is_refused_with_what_was_charged_at_issue(stack):
    uid = await issued(stack, pg="danal", amount=9900, merchant_uid="at-issue-1")
    plan = {"name": "연간권", "amount": 9900, "interval": "year"}
    problem = await start(stack, uid, expect=422, plan=plan)
    assert problem["code"] == "pg_phone_billing"
    assert "at-issue-1" in problem["detail"]


# ---------------------------------------------------------------- an imported payer


@pytest.mark.soak
async def test_an_imported_payer_is_active_and_charged_first_when_what_was_paid_is_over(stack):
    uid = await issued(stack)
    paid_until = (now() + timedelta(days=12)).replace(microsecond=0)
    plan = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 14}
    begun = await start(stack, uid, paid_until=paid_until.isoformat(), plan=plan)
    assert (begun["status"], begun["trial_end"], begun["access"]) == ("active", None, True)
    instant = f"{paid_until:%Y-%m-%dT%H:%M:%SZ}"
    assert (begun["current_period_end"], begun["cycle"]["next_charge_at"]) == (instant, instant)
    await stack.advance(uid, days=11)
    assert await paid_on(stack, uid) == []
    await stack.advance(uid, days=2)
    assert await stack.agree(uid) == 1
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    told = await stack.events(uid)
    assert [each for each in told if "trial" in each] == []
    assert told[:2] == ["subscription.created", "subscription.active"]


async def test_a_change_in_an_imported_period_costs_its_days_of_a_whole_period(stack):
    uid = await issued(stack)
    until_then = (now() + timedelta(days=10)).isoformat()
    await start(stack, uid, paid_until=until_then)
    dearer = {"plan": {"name": "더 큰 이용권", "amount": 39_900, "interval": "month"}, "at": "now"}
    preview = await stack.order(uid, "change-plan/preview", **dearer)
    assert 9_000 <= preview["due_now"]["amount"] <= 11_000
    nothing = await stack.order(uid, "cancel", at="now", refund="full")
    assert nothing["refunded_amount"] is None


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("paid_until", {"paid_until": "2020-01-01T00:00:00Z"}),
        ("paid_until", {"paid_until": "9999-12-31T23:59:59Z"}),
        ("paid_until", {"paid_until": "{soon}", "trial_end": "{soon}"}),
        ("payment_method", {"paid_until": "{soon}", "payment_method": None}),
        ("take_over", {"take_over": "steal"}),
        ("take_over", {"take_over": "adopt", "paid_until": "{soon}"}),
        ("take_over", {"take_over": "adopt", "trial_end": "{soon}"}),
        ("take_over", {"take_over": "revoke", "payment_method": "card"}),
    ],
)
async def test_what_contradicts_itself_is_refused_by_its_field_before_anything_begins(stack, field, body):
    soon = (now() + timedelta(days=5)).isoformat()
    asked = {name: value.format(soon=soon) if isinstance(value, str) else value for name, value in body.items()}
    method = asked.pop("payment_method", "key")
    if method != "card":
        asked["payment_method"] = {"billing_key": True} if method == "key" else None
    await stack.start(expect=422, **asked)
    assert stack.last["errors"][0]["field"].endswith(field)
