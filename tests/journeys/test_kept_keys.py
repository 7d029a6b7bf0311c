"""A key on which somebody else has a charge stands until it is over: deleted before, that charge would fail."""

from datetime import datetime, timedelta

from tests.journeys.cards import begun, change, keys


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
