"""Somebody looks at a sleeping subscription while no worker is up: its page in the Temporal UI, or a preview."""

import asyncio
from datetime import datetime, timedelta

from api.clock import SubscriptionClock
from tests.deploy.fleet import until
from tests.replay.replaying import replayed, why


async def test_a_question_in_an_outage_never_makes_a_run_wait_for_its_charge_twice(deaf):
    uid = await deaf.start()
    # Past the reminder a week before the charge: what it wakes for next is the look at the charge.
    await deaf.advance(uid, days=25)
    wakes_at = datetime.fromisoformat((await deaf.snapshot(uid))["wakes_at"])
    await deaf.settled(uid)
    await deaf.stop_worker()
    asking = [asyncio.create_task(deaf.handle(uid).query("snapshot")) for _ in range(3)]
    # Longer than they take to the server, which tells nobody that a question waits there.
    await asyncio.wait(asking, timeout=0.2)

    await both_clocks_reach(deaf, uid, wakes_at + timedelta(milliseconds=1))
    await deaf.start_worker()
    await until(lambda: is_paid(deaf, uid, 2))
    for question in asking:
        question.cancel()

    await deaf.advance(uid, days=31)
    assert await deaf.agree(uid) == 3
    for result in await replayed([await deaf.handle(uid).fetch_history()]):
        assert result.failure is None, why(result)


async def both_clocks_reach(stack, uid, instant):
    clock = SubscriptionClock(stack.temporal, str(stack.emulator.base_url), uid)
    await clock._fast_forward(instant - await clock._skipper.get_current_time(clock._handle))
    await stack.emulator.post("/emulator/clock", json={"to": instant.isoformat(), "customer_uid": uid})


async def is_paid(stack, uid, periods):
    return [charge["state"] for charge in await stack.charges(uid)].count("paid") == periods
