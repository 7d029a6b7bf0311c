"""A buyer comes back under the customer_uid of an ended subscription, with another card."""

from datetime import datetime

import pytest

from tests.api.requests import cards_in_vault
from tests.journeys.cards import GOOD, HARD, OTHER, REFUSED, keys, number, open_schedules, window
from tests.journeys.foreign_keys import scheduled
from tests.journeys.watching import watch


async def ended(stack, **more):
    uid = await stack.start(**more)
    await stack.order(uid, "cancel", at="now")
    await stack.handle(uid).result()
    return uid


@pytest.mark.parametrize(
    "more", [pytest.param({}, id="charged now"), pytest.param({"trial_days": 14}, id="a trial", marks=pytest.mark.soak)]
)
async def test_one_call_begins_again_with_a_new_card_and_no_key_is_left_behind(stack, more):
    uid = await ended(stack)
    seen = watch(stack)
    plan = {"name": "월간 이용권", "amount": 9900, "interval": "month", **more}
    await stack.start(uid, card=number(GOOD), plan=plan)
    shown = await stack.subscription(uid)
    assert shown["status"] == ("trialing" if more else "active")
    assert shown["payment_method"]["card"][-4:] == GOOD
    assert shown["refused_start"] is None
    await stack.settled(uid)
    # The old key is gone before the new card is sent: PortOne would only have moved the name.
    assert seen.paths("customers", "customers_delete", "schedule")[:2] == [
        "customers_delete", "schedule" if more else "customers",
    ]  # fmt: skip
    assert keys(stack) == {uid}
    assert (await stack.api.get(f"/v1/billing-keys/{uid}")).json()["card_number"][-4:] == GOOD
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 3 - bool(more)
    seen.assert_one_key()


async def test_lives_that_follow_each_other_within_a_second_are_shown_in_their_order(stack):
    uid = None
    for _ in range(3):
        uid = await ended(stack, customer_uid=uid)
        shown = await stack.subscription(uid)
        assert shown["subscription_id"] == stack.last["subscription_id"]
        row, _refused = await stack.ledger.shown_subscription(uid)
        # Cut to the second it would lie before the run that it belongs to, and equal that of the life before.
        assert row.started_at >= (await stack.handle(uid).describe()).start_time
        assert datetime.fromisoformat(shown["started_at"]) == row.started_at.replace(microsecond=0)


@pytest.mark.soak
async def test_a_refused_card_leaves_what_is_shown_of_the_ended_subscription(stack):
    uid = await ended(stack)
    before = await stack.subscription(uid)
    for card in (REFUSED, HARD):
        await stack.start(uid, card=number(card), expect=402)
        shown = await stack.subscription(uid)
        refused = shown.pop("refused_start")
        assert shown == {name: value for name, value in before.items() if name != "refused_start"}
        assert refused["subscription_id"] != shown["subscription_id"]
        assert refused["reason"]
    assert [row["state"] for row in await stack.charges(uid)].count("paid") == 1
    assert await cards_in_vault(stack) == 0
    # And once one is accepted, nothing is told of those before it.
    await stack.start(uid, card=number(GOOD))
    assert (await stack.subscription(uid))["refused_start"] is None


async def test_a_start_that_never_began_is_shown_where_nothing_else_is(stack):
    await stack.refused_start(card=number(REFUSED))
    shown = await stack.subscription(stack.started[-1])
    assert (shown["status"], shown["refused_start"]) == ("incomplete_expired", None)


@pytest.mark.soak
async def test_a_key_on_which_something_is_scheduled_is_not_deleted(stack):
    uid = await ended(stack)
    before = dict(stack.account().world.store["keys"])
    await scheduled(stack, uid, "old-1", days=9)
    await stack.start(uid, card=number(GOOD), expect=409)
    assert stack.last["code"] == "key_scheduled_elsewhere"
    assert [each["merchant_uid"] for each in stack.last["standing"]] == ["old-1"]
    assert f"DELETE /v1/billing-keys/{uid}" in stack.last["detail"]
    assert dict(stack.account().world.store["keys"]) == before
    assert set(open_schedules(stack)) == {"old-1"}
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert await cards_in_vault(stack) == 0


@pytest.mark.soak
async def test_a_key_that_was_issued_anew_since_is_not_deleted_and_the_answer_says_what_helps(stack):
    uid = await ended(stack)
    await window(stack, uid, OTHER)
    await stack.start(uid, card=number(GOOD), expect=409)
    assert stack.last["code"] == "billing_key_exists"
    for way in (f"DELETE /v1/billing-keys/{uid}", '"billing_key": true', "another customer_uid"):
        assert way in stack.last["detail"]
    assert keys(stack) == {uid}
    assert (await stack.subscription(uid))["status"] == "canceled"
    # The way that was named leads there.
    assert (await stack.api.delete(f"/v1/billing-keys/{uid}")).status_code == 200
    await stack.start(uid, card=number(GOOD))
    assert await stack.agree(uid) == 2


async def test_a_worker_that_dies_between_the_old_key_and_the_new_leaves_no_start_undone(stack):
    uid = await ended(stack)
    stack.quick()
    async with stack.holding("customers_delete", after=True) as came:
        await stack.start(uid, card=number(GOOD), expect=202)
        await came.wait()
    await stack.restart_worker()
    await stack.advance(uid, days=32)
    assert (await stack.subscription(uid))["status"] == "active"
    assert keys(stack) == {uid}
    assert await stack.agree(uid) == 3
