"""A card that its company calls lost is not tried again, whatever the policy says of retries."""

from tests.facts import TRIAL
from tests.journeys.cards import HARD, number


async def test_a_lost_card_is_tried_once_and_never_again(stack):
    uid = await stack.start(card=number(HARD), plan=TRIAL)
    order = (await stack.snapshot(uid))["merchant_uid"]
    await stack.advance(uid, days=14)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["next_charge_at"]) == ("past_due", None)
    await stack.advance(uid, days=10)
    assert (await stack.subscription(uid))["status"] == "canceled"
    assert [row.status for row in await stack.portone.find_all_payments(order)] == ["failed"]
    assert await stack.agree(uid) == 0
