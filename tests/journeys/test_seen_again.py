"""What was booked once is booked once, however often somebody looks at it."""

from tests.facts import TRIAL, look_again
from tests.journeys.cards import change, number


async def test_a_decline_that_is_looked_at_again_is_no_second_decline(stack):
    uid = await stack.start(card=number("0004"), plan=TRIAL)
    await stack.advance(uid, days=1, hours=12)
    for _ in range(2):
        await look_again(stack, uid)
    shown = await stack.subscription(uid)
    assert (shown["status"], shown["cycle"]["failed_attempts"]) == ("past_due", 1)
    assert (await stack.events(uid)).count("charge.declined") == 1
    await stack.advance(uid, days=6)
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1


async def test_a_revoke_that_portone_answered_counts_although_its_row_lags_behind(stack):
    uid = await stack.start()
    await stack.advance(uid, days=1)
    await stack.fault(path="schedule_get", kind="stale", seconds=120, count=5)
    answer = await change(stack, uid)
    assert answer["order"]["charge"] == "revoked"
    await stack.advance(uid, days=31)
    assert "charge.revoked_elsewhere" not in await stack.events(uid)
    assert await stack.agree(uid) == 2
