"""What was booked once is booked once, however often somebody looks at it."""

from tests.facts import TRIAL, look_again
from tests.journeys.cards import number


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
