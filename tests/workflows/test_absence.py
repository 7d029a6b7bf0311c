"""That nothing ran is proven by two looks behind the quiet window: what is carried out late is never charged beside."""

import pytest

from tests.patience import PATIENCE_SECONDS


async def sendings(stack, uid):
    return [charge.sends for charge in await stack.ledger.list_charges(customer_uid=uid)]


@pytest.mark.parametrize(
    "late_seconds",
    [
        pytest.param(9 * 60 + 30, id="before the window ends"),
        pytest.param(10 * 60 + 30, id="between the two looks behind it"),
    ],
)
async def test_a_charge_that_is_carried_out_late_is_never_sent_a_second_time(stack, late_seconds):
    stack.quick()
    # No webhook: what is reported would be looked up at once, whatever a look of our own proves.
    await stack.fault(path="webhook", kind="drop_webhook")
    await stack.fault(path="again", kind="execute_late", seconds=late_seconds, count=1)
    uid = await stack.start(expect=202)
    await stack.advance(uid, minutes=20)
    assert await sendings(stack, uid) == [1, 0]
    assert [row["amount"] for row in (await stack.books(uid))["charges"]] == [9900]
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


async def test_a_change_that_is_carried_out_late_is_charged_once_and_applied(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    stack.quick()
    await stack.fault(path="webhook", kind="drop_webhook")
    await stack.fault(path="again", kind="execute_late", seconds=10 * 60 + 30, count=1)
    await stack.order(
        uid, "change-plan", expect=202, at="now", plan={"name": "더 큰 것", "amount": 19900, "interval": "month"}
    )
    await stack.advance(uid, minutes=20)
    stack.answer_within(PATIENCE_SECONDS)
    shown = await stack.subscription(uid)
    assert shown["plan"]["amount"] == 19900
    assert len((await stack.books(uid))["charges"]) == 2
    assert await stack.agree(uid) == 2
