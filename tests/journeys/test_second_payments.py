"""A second payment of an order goes back, unless it may be the only one."""

import pytest

from tests.facts import console, current, decide, fact, kept, order_of, parked, stands
from tests.journeys.parked import went_by
from tests.reconciled import reconcile


@pytest.mark.parametrize("decided", [False, True], ids=["shown again", "decided"])
async def test_a_second_payment_is_not_given_back_unasked_while_portone_shows_no_first_one(stack, decided):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await current(stack, uid)
    first = (await stack.ledger.get_charge(number)).imp_uid
    found = stack.portone.find_payment

    async def all_but_the_first(imp_uid):
        return None if imp_uid == first else await found(imp_uid)

    stack.portone.find_payment = all_but_the_first
    second = await console(stack, "pay", customer_uid=uid, merchant_uid=number, amount=9900)
    row = await stands(stack, uid, "second_payment")
    assert row["imp_uid"] == second["imp_uid"]
    assert await went_by(stack, f"fact/{second['imp_uid']}", days=2) is None
    assert await kept(stack, number) == 19800
    if decided:
        assert (await decide(stack, uid, "paid", parked_id=row["parked_id"]))["state"] == "kept"
    stack.portone.find_payment = found
    if decided:
        await reconcile(stack)
        assert await kept(stack, number) == 19800
        assert await parked(stack) == []
        return
    assert await went_by(stack, f"fact/{second['imp_uid']}", days=1, hours=1)
    assert (await fact(stack, second["imp_uid"]))["state"] == "refunded"
    assert await kept(stack, number) == 9900
    assert await parked(stack) == []
