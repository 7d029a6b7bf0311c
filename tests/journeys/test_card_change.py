"""Another card: at no moment chargeable on two keys, the old key gone in the end, whatever fails in between."""

import asyncio
import random
from datetime import datetime, timedelta

import pytest

from tests.api.requests import cards_in_vault
from tests.journeys.watching import watch

HARD, SOFT, REFUSED, GOOD, OTHER = "0003", "0002", "0001", "1111", "2222"
AMOUNT = 9900
MONTHLY = {"name": "월간 이용권", "amount": AMOUNT, "interval": "month"}
SHOWN_TO_HUMANS = "period 2 is charged by the new card"


def number(last_four):
    return f"4518-4212-3456-{last_four}"


def method(last_four):
    return {"card": {"card_number": number(last_four), "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}}


async def change(stack, uid, last_four=GOOD, *, expect=200, **more):
    return await stack.order(uid, "payment-method", expect=expect, payment_method=method(last_four), **more)


async def change_to_key(stack, uid, key, *, expect=200):
    """After the payment window: a key that is there already."""
    return await stack.order(
        uid, "payment-method", expect=expect, payment_method={"billing_key": True}, customer_uid=key
    )


async def window(stack, key, last_four=GOOD, **more):
    body = {"customer_uid": key, "card_number": number(last_four), **more}
    assert (await stack.emulator.post("/emulator/window/billing-key", json=body)).status_code == 201


def keys(stack):
    """The keys that PortOne has."""
    return set(stack.account().world.store["keys"])


def open_schedules(stack):
    """The charges that PortOne will make by itself, by order number: on which key."""
    rows = stack.account().world.store["schedules"].values()
    return {row["merchant_uid"]: row["customer_uid"] for row in rows if row["schedule_status"] == "scheduled"}


async def execute_at_portone(stack, uid, **beyond):
    """PortOne runs what is due, and nobody hears of it."""
    await stack.fault(path="webhook", kind="drop_webhook")
    due = datetime.fromisoformat((await stack.subscription(uid))["cycle"]["next_charge_at"])
    to = (due + timedelta(**beyond)).isoformat()
    answer = await stack.emulator.post("/emulator/clock", json={"to": to, "customer_uid": uid})
    assert answer.json()["executed"]
    await stack.emulator.delete("/emulator/faults")


async def begun(stack, **more):
    """Started, its next charge at PortOne, and watched from then on."""
    uid = await stack.start(**more)
    await stack.settled(uid)
    return uid, watch(stack)


# ---------------------------------------------------------------- while active


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


async def test_the_key_that_is_charged_already_is_refused(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    assert (await change_to_key(stack, uid, uid, expect=409))["code"] == "same_billing_key"
    assert (await change(stack, uid, customer_uid=uid, expect=409))["code"] == "same_billing_key"
    await change(stack, uid, customer_uid="another")
    assert (await change_to_key(stack, uid, "another", expect=409))["code"] == "same_billing_key"
    assert seen.paths() == ["customers", "unschedule", "schedule", "customers_delete"]
    assert await cards_in_vault(stack) == 0


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


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("customers", "drop_after"),
        ("customers", "500_before"),
        ("unschedule", "drop_after"),
        ("unschedule", "500_before"),
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
    await stack.advance(uid, days=62)
    paid = [(row["cycle"], row["customer_uid"]) for row in await stack.charges(uid) if row["state"] == "paid"]
    assert paid == [(1, uid), (2, uid), (3, "new")]
    assert await stack.agree(uid) == 3
    seen.assert_one_key()


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
    await stack.advance(uid, days=62)
    assert await stack.agree(uid) == 3
    seen.assert_one_key()


async def test_a_card_that_comes_with_the_last_decline_is_tried_before_anything_ends(stack):
    plan = {**MONTHLY, "trial_days": 1}
    uid = await stack.start(card=number(SOFT), plan=plan, dunning={"after_days": [], "grace_days": 0})
    await execute_at_portone(stack, uid, minutes=1)
    answer = await change(stack, uid, customer_uid="new")
    assert (answer["status"], answer["order"]["charge"]) == ("active", "paid")
    assert await stack.agree(uid) == 1
    assert "subscription.canceled" not in await stack.events(uid)


# ---------------------------------------------------------------- in other states


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


async def test_what_stands_parked_keeps_its_card_until_it_is_decided(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    number_ = (await stack.snapshot(uid))["merchant_uid"]
    await stack.emulator.post("/emulator/console", json={"act": "revoke", "merchant_uid": number_})
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["parked_reason"] is not None
    assert (await change(stack, uid, expect=409))["code"] == "parked"
    assert keys(stack) == {uid}


# ---------------------------------------------------------------- the old key


async def test_a_foreign_charge_on_the_old_key_keeps_it_until_it_is_over(stack):
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    now = datetime.fromisoformat(
        (await stack.emulator.get("/emulator/clock", params={"customer_uid": uid})).json()["now"]
    )
    foreign = {
        "act": "register", "customer_uid": uid, "merchant_uid": "somebodys-own", "amount": 500,
        "schedule_at": int((now + timedelta(days=20)).timestamp()),
    }  # fmt: skip
    assert (await stack.emulator.post("/emulator/console", json=foreign)).status_code == 200
    await change(stack, uid, customer_uid="new")
    assert keys(stack) == {uid, "new"}
    refused = await stack.api.delete(f"/v1/billing-keys/{uid}")
    assert (refused.status_code, refused.json()["code"]) == (409, "billing_key_in_use")
    await stack.advance(uid, days=19)
    assert keys(stack) == {uid, "new"}
    await stack.advance(uid, days=12)
    assert stack.account().world.payments_of("somebodys-own")[0]["status"] == "paid"
    assert keys(stack) == {"new"}
    seen.assert_one_key()
    paid = [row for row in await stack.charges(uid) if row["state"] == "paid"]
    assert len(paid) == 2


async def test_an_old_key_that_cannot_be_deleted_holds_nothing_up_and_goes_later(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    await stack.fault(path="customers_delete", kind="500_before")
    answer = await change(stack, uid, customer_uid="new")
    assert answer["payment_method"]["customer_uid"] == "new"
    assert keys(stack) == {uid, "new"}
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, days=31)
    assert keys(stack) == {"new"}
    assert await stack.agree(uid) == 2


async def test_a_subscription_that_ends_takes_its_left_keys_with_it(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    await stack.fault(path="customers_delete", kind="500_before")
    await change(stack, uid, customer_uid="new")
    await stack.emulator.delete("/emulator/faults")
    await stack.order(uid, "cancel", at="now")
    await stack.handle(uid).result()
    assert keys(stack) == {"new"}


# ---------------------------------------------------------------- dying in the middle


BOTH, AFTER = (True, False), (False,)
STEPS = [
    ("portone", "find_billing_key", 1, AFTER),
    ("ledger", "subscription_on_key", 1, AFTER),
    ("portone", "issue_billing_key", 1, BOTH),
    ("portone", "unschedule", 1, BOTH),
    ("portone", "find_schedule", 1, AFTER),
    ("ledger", "record", 1, BOTH),
    ("ledger", "record", 2, AFTER),
    ("portone", "schedule", 1, BOTH),
    ("ledger", "record", 3, AFTER),
    ("portone", "list_billing_key_schedules", 1, AFTER),
    ("portone", "delete_billing_key", 1, BOTH),
    ("ledger", "record", 4, AFTER),
]
"""Every call of a card change, in its order: which, the how manieth of its kind, and whether death comes before it."""


def dying(stack, deaths):
    """Die at these calls, once each: (uid, subscription_id) -> (part, method, the how manieth, before it is made)."""
    died = []
    for part, name in {(part, name) for part, name, _, _ in deaths.values()}:
        owner = getattr(stack, part)
        made, counts = getattr(owner, name), {}

        async def call(*args, part=part, name=name, made=made, counts=counts, **options):
            text = repr(args)
            whose = next((each for each in deaths if any(mark in text for mark in each)), None)
            counts[whose] = counts.get(whose, 0) + 1
            now = whose is not None and deaths[whose][:3] == (part, name, counts[whose])
            if now and deaths[whose][3]:
                died.append(whose)
                raise RuntimeError("killed before the call")
            answer = await made(*args, **options)
            if now:
                died.append(whose)
                raise RuntimeError("killed after the call")
            return answer

        setattr(owner, name, call)
    return died


async def test_a_worker_that_dies_at_any_step_of_a_card_change_is_carried_on_from_there(stack):
    stack.answer_within(120.0)
    points = [(*step, before) for *step, when in STEPS for before in when]
    deaths = {}
    for n, point in enumerate(points):
        uid = await stack.start(f"dying_{n:02}_")
        deaths[uid, stack.last["subscription_id"]] = point
        stack.started.clear()
    seen = watch(stack)
    died = dying(stack, deaths)
    answers = await asyncio.gather(*(change(stack, uid) for uid, _ in deaths))
    assert len(died) == len(points)
    new_keys = {answer["payment_method"]["customer_uid"] for answer in answers}
    assert keys(stack) == new_keys
    assert sorted(open_schedules(stack).values()) == sorted(new_keys)
    seen.assert_one_key()
    assert seen.paths().count("customers") == len(points)
    for uid, _ in deaths:
        assert (await stack.events(uid)).count("payment_method.changed") == 1
        assert await stack.agree(uid) == 1


async def test_workers_that_come_and_go_replay_a_card_change_from_its_beginning(stack):
    await stack.stop_worker()
    await stack.start_worker(max_cached_workflows=0)
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await stack.fault(path="unschedule", kind="delay_after", seconds=1.0)
    changing = asyncio.create_task(change(stack, uid, customer_uid="new"))
    while "unschedule" not in seen.paths():
        await asyncio.sleep(0.01)
    await stack.restart_worker()
    assert (await changing)["payment_method"]["customer_uid"] == "new"
    assert seen.paths() == ["customers", "unschedule", "schedule", "customers_delete"]
    await stack.restart_worker()
    await stack.advance(uid, days=31)
    assert await stack.agree(uid) == 2
    seen.assert_one_key()


async def test_the_new_card_is_carried_through_continuing_as_new(stack):
    stack.roll_after(25)
    uid, seen = await begun(stack)
    await stack.advance(uid, days=1)
    await stack.fault(path="customers_delete", kind="500_before")
    await change(stack, uid, customer_uid="first")
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, days=32)
    await change(stack, uid, customer_uid="second")
    await stack.advance(uid, days=62)
    assert keys(stack) == {"second"}
    paid = [row["customer_uid"] for row in await stack.charges(uid) if row["state"] == "paid"]
    assert paid == [uid, "first", "second", "second"]
    assert await stack.agree(uid) == 4
    seen.assert_one_key()


async def test_whatever_cards_come_and_go_there_is_one_key_and_every_period_is_paid_once(stack):
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret
    dunning = {"after_days": [1, 2], "grace_days": 2, "end_action": "unpaid"}
    plan = {**MONTHLY, "interval": "week"}
    uid, seen = await begun(stack, plan=plan, dunning=dunning)
    await stack.fault(path="*", kind="drop_after", count=3)
    for _ in range(6):
        await stack.advance(uid, days=chance.randint(1, 6), hours=chance.randint(0, 23))
        last_four = chance.choice([GOOD, OTHER, SOFT, HARD, "0004", REFUSED])
        answer = await stack.api.post(
            f"/v1/subscriptions/{uid}/payment-method", json={"payment_method": method(last_four)}
        )
        assert answer.status_code in (200, 402), answer.text
    await change(stack, uid, GOOD)
    await stack.advance(uid, days=8)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["parked_reason"]) == ("active", None)
    assert keys(stack) == {shown["payment_method"]["customer_uid"]}
    paid = [row["cycle"] for row in await stack.charges(uid) if row["state"] == "paid"]
    assert paid == list(range(1, shown["cycle"]["number"]))
    assert await stack.agree(uid) == len(paid)
    seen.assert_one_key()
