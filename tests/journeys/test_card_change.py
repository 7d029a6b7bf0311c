"""Another card: at no moment chargeable on two keys, the old key gone in the end, whatever fails in between."""

import asyncio

import pytest

from tests.api.requests import cards_in_vault
from tests.facts import current
from tests.journeys.cards import (
    AMOUNT,
    GOOD,
    HARD,
    MONTHLY,
    OTHER,
    REFUSED,
    SHOWN_TO_HUMANS,
    SOFT,
    begun,
    change,
    change_to_key,
    execute_at_portone,
    keys,
    method,
    number,
    open_schedules,
    window,
)
from tests.journeys.foreign_keys import deaf_to, paid_on, stand_as
from tests.journeys.watching import watch


async def test_the_open_charge_moves_to_the_new_card_and_the_old_key_is_deleted(stack):
    uid = await stack.start()
    old_number = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=1)
    seen = watch(stack)
    answer = await change(stack, uid)
    new_key = answer["payment_method"]["customer_uid"]
    assert (answer["status"], answer["payment_method"]["card"][-4:], answer["order"]["charge"]) == (
        "active", GOOD, "revoked",
    )  # fmt: skip
    assert new_key.startswith(f"{uid}.")
    assert keys(stack) == {new_key}
    assert open_schedules(stack) == {answer["cycle"]["merchant_uid"]: new_key}
    assert [path for path, _ in seen.calls] == ["customers", "unschedule", "schedule", "customers_delete"]
    await stack.advance(uid, days=62)
    assert await stack.agree(uid) == 3
    seen.assert_one_key()
    rows = {row["merchant_uid"]: (row["customer_uid"], row["state"]) for row in await stack.charges(uid)}
    assert rows[old_number] == (uid, "skipped")
    assert [on for on, state in rows.values() if state == "paid"] == [uid, new_key, new_key]
    assert "payment_method.changed" in await stack.events(uid)
    assert SHOWN_TO_HUMANS in await stack.story(uid)


@pytest.mark.soak
async def test_everything_is_still_found_after_the_change(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    old_number = (await stack.snapshot(uid))["merchant_uid"]
    new_key = (await change(stack, uid))["payment_method"]["customer_uid"]

    async def found_by(key):
        answer = await stack.api.get("/v1/subscriptions", params={"billing_key": key})
        return [each["customer_uid"] for each in answer.json()["subscriptions"]]

    assert (await found_by(new_key), await found_by(uid)) == ([uid], [])
    assert len(await stack.ledger.list_charges(customer_uid=new_key)) == 1
    shown = (await stack.api.get(f"/v1/billing-keys/{new_key}")).json()
    assert shown["card_number"] == f"****-****-****-{GOOD}"
    assert (await stack.api.get(f"/v1/billing-keys/{uid}")).status_code == 404
    refused = await stack.api.delete(f"/v1/billing-keys/{new_key}")
    assert (refused.status_code, refused.json()["code"]) == (409, "billing_key_in_use")
    assert (await stack.api.delete(f"/v1/billing-keys/{uid}")).status_code == 404
    assert keys(stack) == {new_key}
    # Webhooks that name the old numbers still find the subscription, and have no effect.
    first = (await stack.charges(uid))[0]
    for bell in (
        {"imp_uid": first["imp_uid"], "merchant_uid": first["merchant_uid"], "status": "failed"},
        {"imp_uid": "imp_000000000000", "merchant_uid": old_number, "status": "paid"},
    ):
        assert (await stack.api.post("/webhooks/portone", json=bell)).status_code == 200
    await stack.advance(uid, days=31)
    for merchant_uid in (first["merchant_uid"], old_number):
        hooks = await stack.ledger.list_webhooks(merchant_uid)
        assert [hook for hook in hooks if hook.disposition is None] == []
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_key_from_the_payment_window_takes_the_place_of_a_card(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await window(stack, "from_the_window")
    answer = await change_to_key(stack, uid, "from_the_window")
    assert answer["payment_method"]["customer_uid"] == "from_the_window"
    assert keys(stack) == {"from_the_window"}
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


@pytest.mark.soak
async def test_two_changes_in_a_row_leave_one_key_and_one_charge(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    both = await asyncio.gather(
        change(stack, uid, customer_uid="first"), change(stack, uid, OTHER, customer_uid="second")
    )
    last = (await stack.subscription(uid))["payment_method"]["customer_uid"]
    assert last in {answer["payment_method"]["customer_uid"] for answer in both}
    assert keys(stack) == {last}
    # And back to the first name: a deleted key is no key.
    await change(stack, uid, customer_uid=uid)
    assert keys(stack) == {uid}
    assert list(open_schedules(stack).values()) == [uid]
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


@pytest.mark.soak
async def test_the_key_that_is_charged_already_is_refused(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    assert (await change_to_key(stack, uid, uid, expect=409))["code"] == "same_billing_key"
    assert (await change(stack, uid, customer_uid=uid, expect=409))["code"] == "same_billing_key"
    await change(stack, uid, customer_uid="another")
    assert (await change_to_key(stack, uid, "another", expect=409))["code"] == "same_billing_key"
    assert seen.paths() == ["customers", "unschedule", "schedule", "customers_delete"]
    assert await cards_in_vault(stack) == 0


@pytest.mark.soak
async def test_a_key_that_another_subscription_is_charged_by_is_refused_everywhere(stack):
    one, other = await stack.start(), await stack.start()
    await stack.advance(one, days=1)
    await change(stack, one, customer_uid="taken")
    before = (dict(stack.account().world.store["keys"]), open_schedules(stack))
    for key in ("taken", other):
        target = other if key == "taken" else one
        assert (await change_to_key(stack, target, key, expect=409))["code"] == "billing_key_in_use"
        assert (await change(stack, target, customer_uid=key, expect=409))["code"] == "billing_key_in_use"
    assert stack.last["customer_uid"] == other
    await stack.start("taken", payment_method={"billing_key": True}, expect=409)
    assert stack.last["code"] == "billing_key_in_use"
    paid = {"amount": 100, "name": "일회성", "card": method(GOOD)["card"], "customer_uid": "taken"}
    answer = await stack.api.post("/v1/payments", json=paid)
    assert (answer.status_code, answer.json()["code"]) == (409, "billing_key_in_use")
    assert (dict(stack.account().world.store["keys"]), open_schedules(stack)) == before
    assert (await stack.events(other))[-1] == "payment_method.refused"


async def left_on_a_key(stack):
    """A key of an ended subscription on which its charge still stands; answers both."""
    key = await stack.start()
    left = await current(stack, key)
    await stack.order(key, "cancel", at="now")
    await stack.handle(key).result()
    stand_as(stack, left, "scheduled")
    return key, left


async def test_what_an_ended_subscription_left_on_a_key_is_taken_back_before_the_key_is_charged(stack):
    key, left = await left_on_a_key(stack)
    uid, seen = await begun(stack)
    answer = await change_to_key(stack, uid, key)
    assert answer["payment_method"]["customer_uid"] == key
    assert left not in open_schedules(stack)
    assert list(open_schedules(stack).values()) == [key]
    # It is gone before the new charge is registered: at no moment do both stand there.
    assert seen.paths("unschedule", "schedule") == ["unschedule", "unschedule", "schedule"]
    await stack.advance(uid, days=31)
    assert len(await paid_on(stack, key)) == 2


async def test_a_key_on_which_the_charge_of_an_ended_subscription_cannot_be_taken_back_is_refused(stack):
    key, left = await left_on_a_key(stack)
    uid, _ = await begun(stack)
    before = open_schedules(stack)
    asked, _ = deaf_to(stack, left)
    changing = asyncio.create_task(change_to_key(stack, uid, key, expect=409))
    await asyncio.wait({changing, asyncio.create_task(asked.wait())}, return_when=asyncio.FIRST_COMPLETED)
    await stack.advance(uid, minutes=2)
    problem = await changing
    assert problem["code"] == "schedule_not_revoked"
    assert "an ended subscription left" in problem["detail"]
    assert left in problem["detail"]
    assert open_schedules(stack) == before
    assert (await stack.subscription(uid))["payment_method"]["customer_uid"] == uid
    assert (await stack.events(uid))[-1] == "payment_method.refused"


async def test_a_refused_card_changes_nothing(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    before = (keys(stack), open_schedules(stack))
    assert (await change(stack, uid, REFUSED, expect=402))["code"] == "card_declined"
    assert (await change_to_key(stack, uid, "nowhere", expect=409))["code"] == "billing_key_not_found"
    await window(stack, "is_there")
    assert (await change(stack, uid, customer_uid="is_there", expect=409))["code"] == "billing_key_exists"
    assert (keys(stack) - {"is_there"}, open_schedules(stack)) == before
    assert seen.paths() == ["customers"]
    assert await cards_in_vault(stack) == 0
    assert (await stack.events(uid))[-3:] == ["payment_method.refused"] * 3
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
@pytest.mark.parametrize("by_window", [False, True], ids=["by_card", "after_the_window"])
async def test_where_portone_will_not_schedule_the_new_card_the_old_one_is_charged_again(stack, by_window):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    old_number = (await stack.snapshot(uid))["merchant_uid"]
    schedules = stack.account().world.store["schedules"]
    # Somebody has used the number that the new card's charge would get: PortOne refuses it.
    taken = {**schedules[old_number], "merchant_uid": f"{old_number[:-1]}b", "schedule_status": "revoked"}
    stack.account().world.store.put("schedules", taken["merchant_uid"], taken)
    if by_window:
        await window(stack, "from_the_window")
        refused = await change_to_key(stack, uid, "from_the_window", expect=402)
    else:
        refused = await change(stack, uid, customer_uid="by_card", expect=402)
    assert refused["reason_code"] == "schedule_refused"
    # A key that was issued here is taken back with the rest; one from the window was there before.
    assert keys(stack) == ({uid, "from_the_window"} if by_window else {uid})
    shown = await stack.subscription(uid)
    assert (shown["payment_method"]["customer_uid"], shown["payment_method"]["card"][-4:]) == (uid, "7890")
    assert open_schedules(stack) == {f"{old_number[:-1]}c": uid}
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()
    assert "payment_method.changed" not in await stack.events(uid)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("customers", "drop_after"),
        ("unschedule", "500_before"),
        ("unschedule", "drop_after"),
        ("schedule", "drop_after"),
        ("customers_delete", "500_after"),
    ],
)
async def test_an_answer_that_is_lost_on_the_way_changes_the_card_once(stack, path, kind):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await stack.fault(path=path, kind=kind, count=1)
    new_key = (await change(stack, uid))["payment_method"]["customer_uid"]
    assert keys(stack) == {new_key}
    assert list(open_schedules(stack).values()) == [new_key]
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


# ---------------------------------------------------------------- at the boundary


async def test_a_charge_that_ran_first_on_the_old_card_is_booked_and_the_next_one_is_on_the_new(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    second = (await stack.snapshot(uid))["merchant_uid"]
    await execute_at_portone(stack, uid, minutes=1)
    answer = await change(stack, uid, customer_uid="new")
    assert answer["order"] == {
        "charge": "paid", "merchant_uid": second, "charged_amount": AMOUNT, "refunded_amount": None,
    }  # fmt: skip
    assert keys(stack) == {"new"}
    await stack.advance(uid, days=32)
    paid = [(row["cycle"], row["customer_uid"]) for row in await stack.charges(uid) if row["state"] == "paid"]
    assert paid == [(1, uid), (2, uid), (3, "new")]
    assert await stack.agree(uid) == 3
    seen.assert_one_key()


@pytest.mark.soak
async def test_a_charge_that_was_declined_first_on_the_old_card_is_made_at_once_on_the_new(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    stack.account().world.store["keys"][uid]["last_four"] = SOFT
    await execute_at_portone(stack, uid, minutes=1)
    answer = await change(stack, uid, customer_uid="new")
    assert (answer["status"], answer["order"]["charge"]) == ("active", "paid")
    assert keys(stack) == {"new"}
    assert (await stack.events(uid))[-5:] == [
        "subscription.past_due", "charge.declined", "payment_method.changed", "charge.paid", "subscription.active",
    ]  # fmt: skip
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 3
    seen.assert_one_key()


@pytest.mark.soak
async def test_a_card_that_comes_with_the_last_decline_is_tried_before_anything_ends(stack):
    plan = {**MONTHLY, "trial_days": 1}
    uid = await stack.start(card=number(SOFT), plan=plan, dunning={"after_days": [], "grace_days": 0})
    await execute_at_portone(stack, uid, minutes=1)
    answer = await change(stack, uid, customer_uid="new")
    assert (answer["status"], answer["order"]["charge"]) == ("active", "paid")
    assert await stack.agree(uid) == 1
    assert "subscription.canceled" not in await stack.events(uid)


# ---------------------------------------------------------------- in other states


@pytest.mark.soak
async def test_a_trial_goes_over_to_the_new_card(stack):
    uid, seen = await begun(stack, plan={**MONTHLY, "trial_days": 7})
    await stack.advance(uid, days=1)
    answer = await change(stack, uid, customer_uid="new")
    assert (answer["status"], answer["order"]["charge"]) == ("trialing", "revoked")
    assert open_schedules(stack) == {answer["cycle"]["merchant_uid"]: "new"}
    await stack.advance(uid, days=7)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1
    seen.assert_one_key()


@pytest.mark.soak
@pytest.mark.parametrize("under_its_own_name", [True, False])
async def test_a_trial_without_a_card_is_given_one(stack, under_its_own_name):
    uid = await stack.start(plan={**MONTHLY, "trial_days": 7}, payment_method=None)
    key = uid if under_its_own_name else "another"
    answer = await change(stack, uid, customer_uid=key)
    assert (answer["status"], answer["payment_method"]["customer_uid"]) == ("trialing", key)
    await stack.advance(uid, days=8)
    assert (await stack.subscription(uid))["status"] == "active"
    assert keys(stack) == {key}
    assert await stack.agree(uid) == 1


@pytest.mark.soak
async def test_a_paused_subscription_goes_on_with_the_new_card(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=3)
    await stack.order(uid, "pause", at="now")
    answer = await change(stack, uid, customer_uid="new")
    assert (answer["status"], open_schedules(stack)) == ("paused", {})
    assert keys(stack) == {"new"}
    await stack.advance(uid, days=60)
    await stack.order(uid, "resume")
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


@pytest.mark.soak
async def test_a_cancel_that_is_taken_back_goes_on_with_the_new_card(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await stack.order(uid, "cancel")
    await change(stack, uid, customer_uid="new")
    assert (keys(stack), open_schedules(stack)) == ({"new"}, {})
    await stack.order(uid, "undo-cancel")
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


@pytest.mark.soak
async def test_an_unpaid_period_is_tried_at_once_with_the_new_card(stack):
    plan = {**MONTHLY, "trial_days": 1}
    uid, seen = await begun(stack, card=number(HARD), plan=plan)
    await stack.advance(uid, days=3)
    answer = await change(stack, uid, customer_uid="new")
    assert (answer["status"], answer["order"]["charge"], answer["order"]["charged_amount"]) == (
        "active",
        "paid",
        AMOUNT,
    )
    assert keys(stack) == {"new"}
    assert (await stack.events(uid))[-3:] == ["payment_method.changed", "charge.paid", "subscription.active"]
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


@pytest.mark.soak
async def test_what_stands_parked_keeps_its_card_until_it_is_decided(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    number_ = (await stack.snapshot(uid))["merchant_uid"]
    await stack.emulator.post("/emulator/console", json={"act": "revoke", "merchant_uid": number_})
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["parked_reason"] is not None
    assert (await change(stack, uid, expect=409))["code"] == "parked"
    assert keys(stack) == {uid}
