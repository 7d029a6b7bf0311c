"""What somebody else left on the key of a subscription that ends: asked for, said, parked or taken back."""

import asyncio

import pytest

from billing.portone import PortOneUnavailableError
from tests.facts import console, current, decide, parked, until, with_settings
from tests.journeys.foreign_keys import deaf_to, issued, row_of, scheduled, stand_as, start
from tests.journeys.parked import decided_during_a_look, decisions_of, went_by


async def left_behind(stack, **more):
    """A subscription on whose key somebody registers a charge of their own; answers its customer_uid."""
    uid = await stack.start(**more)
    await stack.settled(uid)
    await scheduled(stack, uid, f"old-{uid}", days=20, amount=700)
    return uid


async def test_a_cancel_says_what_somebody_else_has_scheduled_on_the_key_and_a_person_takes_it_back(stack):
    uid = await left_behind(stack)
    answer = await stack.order(uid, "cancel", at="now")
    assert answer["charge"] == "revoked"
    assert [(each["merchant_uid"], each["state"], each["amount"]) for each in answer["standing"]] == [
        (f"old-{uid}", "scheduled", 700)
    ]
    (row,) = await parked(stack, uid)
    assert (row["kind"], row["merchant_uid"], set(row["decisions"])) == (
        "schedule_left", f"old-{uid}", {"revoke", "keep"},
    )  # fmt: skip
    told = await stack.events(uid)
    assert {"payment_method.scheduled_elsewhere", "subscription.parked"} <= set(told)
    body = {"decision": "revoke", "by": "park@example.com", "reason": "옛 시스템"}
    decided = await stack.api.post(f"/v1/parked/{uid}", json=body)
    assert (decided.status_code, decided.json()["state"]) == (200, "revoked")
    assert row_of(stack, f"old-{uid}")["schedule_status"] == "revoked"
    assert await parked(stack, uid) == []
    again = await stack.api.post(f"/v1/parked/{uid}", json=body)
    assert again.status_code == 409


@pytest.mark.soak
async def test_what_an_old_loop_registers_anew_after_a_start_is_said_at_the_end_too(stack):
    uid = await issued(stack)
    await scheduled(stack, uid, "old-1", days=9)
    await start(stack, uid, take_over="revoke")
    await scheduled(stack, uid, "old-again", days=20)
    answer = await stack.order(uid, "cancel", at="now")
    assert [each["merchant_uid"] for each in answer["standing"]] == ["old-again"]
    assert [row["merchant_uid"] for row in await parked(stack, uid)] == ["old-again"]


@pytest.mark.soak
async def test_a_replaced_key_with_somebody_else_s_charge_is_asked_about_at_the_end_as_well(stack):
    uid = await left_behind(stack)
    other = await issued(stack)
    await scheduled(stack, other, "old-on-other", days=5)
    new = {"payment_method": {"billing_key": True}, "customer_uid": other}
    problem = await stack.order(uid, "payment-method", expect=409, **new)
    assert (problem["code"], "old-on-other" in problem["detail"]) == ("key_scheduled_elsewhere", True)
    await console(stack, "revoke", merchant_uid="old-on-other")
    await stack.order(uid, "payment-method", **new)
    answer = await stack.order(uid, "cancel", at="now")
    assert [each["merchant_uid"] for each in answer["standing"]] == [f"old-{uid}"]


async def test_a_cancel_at_period_end_says_so_at_once_and_parks_it_when_it_ends(stack):
    uid = await left_behind(stack)
    await scheduled(stack, uid, f"later-{uid}", days=60, amount=800)
    answer = await stack.order(uid, "cancel", at="period_end")
    assert {each["merchant_uid"] for each in answer["standing"]} == {f"old-{uid}", f"later-{uid}"}
    assert await parked(stack, uid) == []
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert [row["merchant_uid"] for row in await parked(stack, uid)] == [f"later-{uid}"]


@pytest.mark.parametrize("end", ["expired", "dunned"])
async def test_every_end_asks_once_more_what_stands_on_the_key(stack, end):
    plan = {"name": "주간 이용권", "amount": 9900, "interval": "week", "max_cycles": 1}
    if end == "dunned":
        plan = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
    uid = await stack.start(plan=plan, card="4518-4212-3456-0003" if end == "dunned" else "4518-4212-3456-7890")
    await stack.settled(uid)
    await scheduled(stack, uid, f"old-{uid}", days=80, amount=700)
    await stack.advance(uid, days=40)
    assert (await stack.subscription(uid))["status"] in ("expired", "canceled")
    assert [row["merchant_uid"] for row in await parked(stack, uid)] == [f"old-{uid}"]


@pytest.mark.soak
async def test_what_stands_on_the_key_is_taken_back_at_the_end_where_the_settings_say_so(stack):
    with_settings(stack, foreign_schedules_at_end="revoke")
    uid = await left_behind(stack)
    answer = await stack.order(uid, "cancel", at="now")
    assert [(each["merchant_uid"], each["state"]) for each in answer["standing"]] == [(f"old-{uid}", "revoked")]
    assert row_of(stack, f"old-{uid}")["schedule_status"] == "revoked"
    assert await parked(stack, uid) == []
    assert "payment_method.scheduled_elsewhere" in await stack.events(uid)


@pytest.mark.soak
async def test_where_portone_cannot_be_asked_at_the_end_it_is_asked_until_it_answers(stack):
    uid = await left_behind(stack)
    listed, down = stack.portone.list_customer_schedules, [True]

    async def away(*args, **options):
        if down[0]:
            raise PortOneUnavailableError("GET schedules", message="away")
        return await listed(*args, **options)

    stack.portone.list_customer_schedules = away
    answer = await stack.order(uid, "cancel", at="now")
    assert (answer["status"], answer["standing"]) == ("canceled", None)
    down[0] = False
    (row,) = await until(lambda: parked(stack, uid))
    assert row["merchant_uid"] == f"old-{uid}"


@pytest.mark.soak
async def test_a_left_charge_that_runs_is_announced_and_stands_no_longer(stack):
    uid = await left_behind(stack)
    await stack.order(uid, "cancel", at="now")
    await console(stack, "execute", merchant_uid=f"old-{uid}")
    watcher = stack.temporal.get_workflow_handle(f"left-schedule/old-{uid}")
    body = {"decision": "revoke", "by": "park@example.com", "reason": "옛 시스템"}
    decided = await stack.api.post(f"/v1/parked/{uid}", json=body)
    assert (decided.status_code, decided.json()["code"]) == (409, "charged_meanwhile")
    assert f"old-{uid}: 700 KRW paid" in decided.json()["detail"]
    assert await watcher.result() == "noted"
    assert await parked(stack, uid) == []

    async def told():
        return "charge.mismatch" in await stack.events(uid)

    await until(told)


@pytest.mark.soak
async def test_what_a_person_keeps_is_left_to_run_and_who_said_so_is_written_down(stack):
    uid = await left_behind(stack)
    await stack.order(uid, "cancel", at="now")
    body = {"decision": "keep", "by": "park@example.com", "reason": "다른 서비스"}
    assert (await stack.api.post(f"/v1/parked/{uid}", json=body)).json()["state"] == "kept"
    assert row_of(stack, f"old-{uid}")["schedule_status"] == "scheduled"
    assert await parked(stack, uid) == []
    (decision,) = (await stack.api.get(f"/v1/parked/{uid}/decisions")).json()["decisions"]
    assert (decision["decision"], decision["by"]) == ("keep", "park@example.com")


async def test_what_a_new_life_takes_over_stands_parked_no_longer(stack):
    uid = await stack.start()
    await stack.settled(uid)
    await scheduled(stack, uid, f"old-{uid}", days=20)
    await stack.order(uid, "cancel", at="now")
    assert len(await parked(stack, uid)) == 1
    await start(stack, uid, take_over="adopt", plan={"name": "월간 이용권", "amount": 9900, "interval": "month"})
    assert await went_by(stack, f"left-schedule/old-{uid}", days=2) == "nothing_new"
    assert await parked(stack, uid) == []


# ---------------------------------------------------------------- what a life of ours left


async def left_by_an_earlier_life(stack):
    """The end of a life on whose key an earlier one, terminated, left its charge, which PortOne does not take back.

    Answers the customer_uid, the order number, the earlier life, the answer of the end, and what lets PortOne hear.
    """
    uid = await stack.start()
    number, earlier = await current(stack, uid), stack.last["subscription_id"]
    await stack.handle(uid).terminate("by mistake")
    stand_as(stack, number, "revoked")
    await start(stack, uid)
    await stack.settled(uid)
    stand_as(stack, number, "scheduled")
    asked, hears = deaf_to(stack, number)
    ending = asyncio.create_task(stack.order(uid, "cancel", at="now"))
    await asked.wait()
    await stack.advance(uid, minutes=2)
    return uid, number, earlier, await ending, hears


async def test_a_charge_of_an_earlier_life_that_could_not_be_taken_back_is_told_and_parked_as_ours(stack):
    uid, number, earlier, answer, _ = await left_by_an_earlier_life(stack)
    assert [(each["merchant_uid"], each["state"]) for each in answer["standing"]] == [(number, "scheduled")]
    (row,) = await parked(stack, uid)
    assert (row["kind"], row["merchant_uid"]) == ("schedule_left", number)
    assert f"a charge of subscription {earlier}, which is over, could not be taken back" in row["reason"]
    told = await stack.events(uid)
    assert "subscription.parked" in told
    assert "payment_method.scheduled_elsewhere" not in told


async def test_a_charge_of_an_earlier_life_stands_parked_until_it_is_over(stack):
    uid, number, _, _, hears = await left_by_an_earlier_life(stack)
    assert await went_by(stack, f"left-schedule/{number}", days=3) is None
    assert [row["merchant_uid"] for row in await parked(stack, uid)] == [number]
    hears()
    assert (await decide(stack, uid, "revoke"))["state"] == "revoked"
    assert row_of(stack, number)["schedule_status"] == "revoked"
    assert await parked(stack, uid) == []


# ---------------------------------------------------------------- two decisions


async def revoking_in_vain(stack):
    """A person's `revoke` under way that will come to nothing; answers the customer_uid, its task, and `hears`."""
    uid = await left_behind(stack)
    await stack.order(uid, "cancel", at="now")
    asked, hears = deaf_to(stack, f"old-{uid}")
    first = asyncio.create_task(decide(stack, uid, "revoke", expect=409))
    await asked.wait()
    return uid, first, hears


async def test_a_second_decision_is_refused_while_the_first_is_carried_out_and_is_not_carried_out_itself(stack):
    uid, first, _ = await revoking_in_vain(stack)
    second = await decide(stack, uid, "keep", expect=409, by="kim@example.com")
    assert second["code"] == "already_decided"
    await went_by(stack, f"left-schedule/old-{uid}", minutes=2)
    assert (await first)["code"] == "schedule_not_revoked"
    assert [row["merchant_uid"] for row in await parked(stack, uid)] == [f"old-{uid}"]
    assert await decisions_of(stack, uid) == []


async def test_a_decision_that_comes_while_it_is_found_out_is_told_so_and_the_run_ends(stack):
    uid = await left_behind(stack)
    await stack.order(uid, "cancel", at="now")
    await console(stack, "revoke", merchant_uid=f"old-{uid}")
    told = await decided_during_a_look(stack, uid, f"left-schedule/old-{uid}", "schedule_get", days=1, minutes=1)
    assert told == ("already_decided", "revoked")
    assert await parked(stack, uid) == []
    assert await decisions_of(stack, uid) == []


async def test_after_a_decision_that_came_to_nothing_the_next_one_is_taken(stack):
    uid, first, hears = await revoking_in_vain(stack)
    await went_by(stack, f"left-schedule/old-{uid}", minutes=2)
    await first
    hears()
    assert (await decide(stack, uid, "revoke"))["state"] == "revoked"
    assert [each[1] for each in await decisions_of(stack, uid)] == ["revoke"]
