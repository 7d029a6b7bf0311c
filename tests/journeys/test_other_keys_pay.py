"""A period is paid by the key that it was ordered on: the right sum from another card is looked at by a person."""

import pytest

from tests.facts import console, look_again, parked
from tests.journeys.cards import OTHER, window


@pytest.mark.parametrize("day", [pytest.param(3, id="before its day"), pytest.param(27, id="on the eve of it")])
async def test_the_right_amount_paid_by_another_key_is_not_booked_as_paid(stack, day):
    uid = await stack.start()
    await stack.advance(uid, days=day)
    number = (await stack.snapshot(uid))["merchant_uid"]
    await window(stack, "somebody_else", OTHER)
    paid = await console(stack, "pay", customer_uid="somebody_else", merchant_uid=number, amount=9900)
    await look_again(stack, uid)
    assert (await stack.ledger.get_charge(number)).state == "mismatch"
    shown = await stack.subscription(uid)
    assert "customer_uid" in shown["parked_reason"]
    (row,) = await parked(stack, uid)
    assert (row["kind"], paid["imp_uid"] in repr(row)) == ("charge_mismatch", True)
    await stack.advance(uid, days=40)
    assert [row["state"] for row in await stack.charges(uid) if row["cycle"] == 2] == ["mismatch"]
