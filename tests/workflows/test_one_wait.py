"""The one wait of a subscription: nothing that comes is missed, and every command is heard while something is open."""

import asyncio

from tests.facts import until
from tests.patience import PATIENCE_SECONDS


async def pending(stack, uid):
    """A first charge whose answer is lost, and that PortOne does not show: its outcome is open."""
    stack.quick()
    await stack.fault(path="again", kind="500_before", count=1)
    await stack.start(uid, expect=202)

    async def is_sent():
        return (await stack.subscription(uid))["cycle"]["state"] == "verifying" or bool(
            [each for each in await stack.story(uid) if each.startswith("look up s")]
        )

    await until(is_sent)
    stack.answer_within(PATIENCE_SECONDS)


async def turned_away(stack, uid):
    """A first charge that PortOne turns away, and that waits to be sent again; answers its order number."""
    stack.quick()
    await stack.fault(path="again", kind="429_bare", count=4)
    await stack.start(uid, expect=202)
    number = (await stack.snapshot(uid))["merchant_uid"]

    async def waits_to_send_again():
        return f"look up {number}" in await stack.story(uid) and (await stack.snapshot(uid))["wakes_at"] is not None

    await until(waits_to_send_again)
    return number


async def test_a_first_charge_that_never_ran_is_not_planned_any_more_once_its_start_is_canceled(stack):
    uid = "turned_away"
    number = await turned_away(stack, uid)
    stack.answer_within(PATIENCE_SECONDS)
    answer = await stack.order(uid, "cancel", at="now")
    assert (answer["status"], answer["charge"]) == ("incomplete_expired", "none_planned")
    (charge,) = await stack.charges(uid)
    assert (charge["merchant_uid"], charge["state"]) == (number, "not_executed")


async def test_a_command_that_comes_while_an_answer_is_written_is_heard_before_the_wait(stack):
    uid = "turned_away"
    number = await turned_away(stack, uid)
    began, go_on, record = asyncio.Event(), asyncio.Event(), stack.ledger.record

    async def slow(entry):
        if entry.webhooks and not began.is_set():
            began.set()
            await go_on.wait()
        return await record(entry)

    stack.ledger.record = slow
    # What is reported of a charge that is proven not to have run changes nothing, and is only written down.
    bell = {"imp_uid": "imp_000000000001", "merchant_uid": number, "status": "failed", "cancellation_id": ""}
    await stack.handle(uid).signal("payment_reported", bell)
    await began.wait()
    stack.answer_within(PATIENCE_SECONDS)
    canceling = asyncio.create_task(stack.order(uid, "cancel", at="now"))

    async def is_taken():
        events = (await stack.handle(uid).fetch_history()).events
        taken = [each for each in events if each.HasField("workflow_execution_update_accepted_event_attributes")]
        return len(taken) > 1

    await until(is_taken)
    go_on.set()
    answer = await canceling
    assert (answer["status"], answer["charge"]) == ("incomplete_expired", "none_planned")
    # Slept through, it would have been sent once more before the command was heard.
    assert [each for each in await stack.story(uid) if each.startswith("charge ")] == ["charge 9,900 KRW, period 1"]
    assert (await stack.books(uid))["charges"] == []


async def test_a_cancel_is_heard_while_the_outcome_of_the_first_charge_is_open(stack):
    await pending(stack, "open_first")
    answer = await stack.order("open_first", "cancel", at="now")
    assert (answer["status"], answer["charge"]) == ("incomplete_expired", "unknown")
    await stack.advance("open_first", minutes=15)
    assert await stack.handle("open_first").result()
    assert (await stack.books("open_first"))["charges"] == []
    assert [row["state"] for row in await stack.charges("open_first")] == ["not_executed"]


async def test_nothing_but_a_cancel_acts_beside_an_open_outcome(stack):
    await pending(stack, "open_other")
    refused = await stack.order("open_other", "pause", expect=409)
    assert refused["code"] == "not_begun"
    await stack.advance("open_other", minutes=15)
    assert (await stack.subscription("open_other"))["status"] == "active"
    assert await stack.agree("open_other") == 1


async def test_a_cancel_is_heard_while_portone_is_away(stack):
    uid = await stack.start()
    await stack.settled(uid)
    await stack.fault(path="*", kind="500_before", count=1000)
    answer = await stack.order(uid, "cancel", at="now")
    assert (answer["status"], answer["charge"]) == ("canceled", "unknown")
    refused = await stack.order(uid, "pause", expect=409)
    assert refused["code"] == "subscription_ended"
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, minutes=30)
    assert (await stack.handle(uid).result())["status"] == "canceled"
    rows = (await stack.emulator.get("/emulator/schedules", params={"customer_uid": uid})).json()
    assert [row["schedule_status"] for row in rows] == ["revoked"]


async def test_a_pause_while_portone_is_away_changes_nothing_and_the_charge_stands(stack):
    uid = await stack.start()
    await stack.settled(uid)
    await stack.fault(path="*", kind="500_before", count=6)
    refused = await stack.order(uid, "pause", expect=409)
    assert refused["code"] == "charge_unknown"
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, days=32)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"]) == ("active", 3)
    assert await stack.agree(uid) == 2
