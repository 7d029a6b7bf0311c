"""Webhooks that lie or come too early: only what PortOne shows when it is asked is ever booked."""

import pytest

from billing.observability import WEBHOOKS
from tests.facts import heard_out, parked
from tests.patience import patient_client

SAID = [pytest.param("paid"), pytest.param("failed", marks=pytest.mark.soak), pytest.param("cancelled")]


def counted(disposition):
    return WEBHOOKS.labels(disposition)._value.get()


@pytest.mark.parametrize("status", SAID)
async def test_a_forged_twin_of_every_webhook_books_nothing_and_is_told_apart(stack, status):
    await stack.fault(path="webhook", kind="forge_webhook", status=status)
    uid = await stack.start()
    await stack.advance(uid, days=62)
    await heard_out(stack, uid)
    hooks = (await stack.emulator.get("/emulator/webhooks")).json()
    forged = {hook["body"]["imp_uid"] for hook in hooks if hook.get("forged")}
    assert len(forged) == 3
    rows = await stack.ledger.list_webhooks()
    assert {row.disposition.value for row in rows if row.imp_uid in forged} == {"mismatch"}
    assert {row.imp_uid for row in rows} >= forged
    assert not forged & {row["imp_uid"] for row in await stack.charges(uid)}
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["number"], shown["parked_reason"]) == ("active", 4, None)
    assert await parked(stack) == []
    assert await stack.agree(uid) == 3


async def test_a_forged_webhook_before_its_day_pays_nothing_and_the_day_is_charged(stack):
    uid = await stack.start()
    await stack.settled(uid)
    number = (await stack.snapshot(uid))["merchant_uid"]
    said = {"imp_uid": "imp_000000000001", "merchant_uid": number, "status": "paid"}
    before = counted("forged")
    async with patient_client(stack.api.base_url) as anybody:
        # To the URL of a charge, which nobody can guess: counted, and not even stored.
        assert (await anybody.post("/webhooks/portone/k1.made.up", json=said)).status_code == 404
        assert counted("forged") == before + 1
        assert await stack.ledger.list_webhooks(number) == []
        # From an address of PortOne's, where it may come from anybody who shares it: stored, looked up, and not found.
        assert (await anybody.post("/webhooks/portone", json=said)).status_code == 200
    await heard_out(stack, uid)
    (row,) = await stack.ledger.list_webhooks(number)
    assert row.disposition == "mismatch"
    assert (await stack.subscription(uid))["cycle"]["state"] == "registered"
    assert await stack.agree(uid) == 1
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_a_webhook_that_comes_before_the_answer_to_its_charge_settles_it_once(stack):
    await stack.fault(path="webhook", kind="early_webhook")
    uid = await stack.start()
    first = await stack.snapshot(uid)
    await stack.advance(uid, days=62)
    await heard_out(stack, uid)
    assert (await stack.subscription(uid))["cycle"]["number"] == first["cycle"] + 2
    rows = await stack.ledger.list_webhooks()
    assert len(rows) == 3
    assert {row.disposition.value for row in rows} <= {"applied", "stale"}
    assert {charge.sends for charge in await stack.ledger.list_charges(customer_uid=uid)} == {1, 0}
    assert await stack.agree(uid) == 3


async def test_a_webhook_that_comes_before_the_payment_is_shown_is_settled_when_it_is(stack):
    uid = await stack.start()
    await stack.settled(uid)
    number = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=28)
    # What PortOne shows when it is asked is of this moment: the payment of which it tells is not there yet.
    for path in ("findAll", "payments", "payments_get", "schedule_get"):
        await stack.fault(path=path, kind="frozen")
    await stack.advance(uid, days=3)
    hooks = await stack.ledger.list_webhooks(number)
    assert [row.status for row in hooks] == ["paid"]
    assert (await stack.ledger.get_charge(number)).state != "paid"
    await stack.emulator.delete("/emulator/faults")
    await stack.advance(uid, days=1)
    await heard_out(stack, uid)
    assert (await stack.ledger.get_charge(number)).state == "paid"
    assert (await stack.subscription(uid))["cycle"]["number"] == 3
    assert await parked(stack) == []
    assert await stack.agree(uid) == 2
