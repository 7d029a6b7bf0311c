"""PortOne stops answering half way through something: what was begun is finished later, or was never begun."""

import pytest

from tests.facts import console, until
from tests.journeys.cards import GOOD, OTHER, keys, method, open_schedules, window
from tests.patience import PATIENCE_SECONDS

BIGGER = {"name": "더 큰 것", "amount": 19900, "interval": "month"}


async def away(stack, path, count=1000, kind="500_before"):
    await stack.fault(path=path, kind=kind, count=count)


async def back(stack):
    await stack.emulator.delete("/emulator/faults")


# ---------------------------------------------------------------- a start


async def test_a_start_that_is_canceled_before_it_looked_for_its_key_deletes_none_that_was_there(stack):
    await window(stack, "had_a_key", OTHER)
    stack.quick()
    await away(stack, "customers_get")
    await stack.start("had_a_key", expect=202)
    stack.answer_within(PATIENCE_SECONDS)
    answer = await stack.order("had_a_key", "cancel", at="now")
    assert (answer["status"], answer["charge"]) == ("incomplete_expired", "none_planned")
    await back(stack)
    await stack.handle("had_a_key").result()
    assert keys(stack) == {"had_a_key"}
    assert (await stack.books("had_a_key"))["charges"] == []


# ---------------------------------------------------------------- a look


@pytest.mark.parametrize("told_by", ["a webhook", "the reconciliation"])
async def test_a_look_that_portone_fails_in_its_middle_is_made_again(stack, told_by):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = (await stack.snapshot(uid))["merchant_uid"]
    if told_by != "a webhook":
        await stack.fault(path="webhook", kind="drop_webhook")
    # The payment itself is shown when it is asked for by its id, and then PortOne is gone for a moment.
    await away(stack, "findAll", count=3)
    await console(stack, "execute", merchant_uid=number)
    if told_by != "a webhook":
        await stack.handle(uid).signal("look_again", {"merchant_uid": "", "reason": "test"})

    async def is_asked_in_vain():
        events = (await stack.handle(uid).fetch_history()).events
        return any(event.HasField("activity_task_failed_event_attributes") for event in events)

    await until(is_asked_in_vain)
    await stack.settled(uid)
    await stack.advance(uid, minutes=10)
    # Long before the day on which it would have been looked at in any case.
    assert (await stack.ledger.get_charge(number)).state == "paid"
    assert (await stack.subscription(uid))["cycle"]["number"] == 3
    assert await stack.agree(uid) == 2


# ---------------------------------------------------------------- a cancel


async def test_a_cancel_with_a_refund_that_meets_an_outage_voids_nothing(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    await stack.order(uid, "change-plan", at="period_end", plan=BIGGER)
    await away(stack, "*")
    refused = await stack.order(uid, "cancel", expect=503, at="now", refund="prorated")
    assert (refused["code"], "nothing was changed" in refused["detail"]) == ("portone_unavailable", True)
    await back(stack)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cancel_at_period_end"], shown["ended_at"]) == ("active", False, None)
    assert shown["pending_change"]["plan"]["amount"] == 19900
    await stack.advance(uid, days=31)
    assert [row["amount"] for row in await stack.charges(uid) if row["state"] == "paid"] == [9900, 19900]
    assert (await stack.subscription(uid))["plan"]["amount"] == 19900
    assert await stack.agree(uid) == 2


async def test_a_cancel_that_is_repeated_never_says_paid_of_what_was_not(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = (await stack.snapshot(uid))["merchant_uid"]
    # Somebody pays it in the console, and its PG has not decided; the answer to the revoke is lost once.
    await stack.fault(path="console", kind="undecided")
    paying = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    await away(stack, "unschedule", kind="500_after", count=1)
    told = await stack.order(uid, "cancel", at="now")
    assert (told["status"], told["charge"]) == ("canceled", "unknown")
    world = stack.account().world
    payment = world.store["payments"][paying["imp_uid"]]
    world.keep_payment({**payment, "status": "failed", "fail_reason": "한도초과", "failed_at": payment["started_at"]})
    await stack.advance(uid, minutes=5)
    told = await stack.order(uid, "cancel", at="now")
    assert told["charge"] in ("unknown", "declined", "revoked")
    assert told["charged_amount"] is None
    await stack.advance(uid, minutes=30)
    assert (await stack.handle(uid).result())["status"] == "canceled"
    assert await stack.agree(uid) == 1


async def test_a_schedule_that_stands_again_after_the_end_is_read_and_taken_back(stack):
    uid = await stack.start()
    await stack.advance(uid, days=3)
    number = (await stack.snapshot(uid))["merchant_uid"]
    # The answer to the revoke is lost once: until its window is over nobody knows what else PortOne does about it.
    await away(stack, "unschedule", kind="500_after", count=1)
    await stack.order(uid, "change-plan", at="period_end", plan=BIGGER)
    assert (await stack.snapshot(uid))["merchant_uid"] != number
    await stack.order(uid, "cancel", at="now")
    schedules = stack.account().world.store["schedules"]
    schedules[number]["schedule_status"] = "scheduled"
    assert set(open_schedules(stack)) == {number}
    # And the first try to take it back is not answered either.
    await away(stack, "unschedule", count=3)
    await stack.advance(uid, minutes=45)
    assert open_schedules(stack) == {}
    assert (await stack.handle(uid).result())["status"] == "canceled"
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 60 * 86400, "customer_uid": uid})
    assert await stack.agree(uid) == 1


# ---------------------------------------------------------------- another card


@pytest.mark.parametrize("issue", [pytest.param(None, id="issued"), pytest.param("500_after", id="issued unanswered")])
async def test_a_card_change_that_portone_leaves_half_way_leaves_no_key_behind(strict_stack, issue):
    stack = strict_stack
    trial = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
    uid = await stack.start(card="4518-4212-3456-0002", plan=trial)
    await stack.advance(uid, days=12)
    assert (await stack.subscription(uid))["status"] == "unpaid"
    if issue:
        await away(stack, "customers", kind=issue, count=1)
    await away(stack, "findAll")
    refused = await stack.order(uid, "payment-method", expect=503, payment_method=method(GOOD))
    assert refused["code"] == "portone_unavailable"
    await back(stack)
    await stack.advance(uid, minutes=30)
    assert keys(stack) == {uid}
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["payment_method"]["customer_uid"]) == ("unpaid", uid)
    assert await stack.agree(uid) == 0
