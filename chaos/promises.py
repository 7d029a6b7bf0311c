"""What many stories ask at their end, and what they begin with."""

import asyncio
from typing import Any

from chaos.journal import Call
from chaos.telling import require
from chaos.world import World

QUIET_MINUTES = 10
"""So long a call that was not answered may still be carried out; what is longer is found by reconciliation."""
EVENTS_A_DAY = 60
"""More history than this on a day on which nothing happens is a loop: a look an hour is 24 by some events."""
EVENTS_TO_BEGIN = 400
"""What a start, its faults and a few commands may take together."""
_GROWTH_SECONDS = 5.0
_GROWTH_EVENTS = 40


async def begun(world: World, uid: str, expect: int = 201, **more: Any) -> Call:
    """A subscription that is started, and answered so."""
    call = await world.start(uid, **more)
    require(call.status == expect, f"the start was answered {call.status}, not {expect}: {call.answer}")
    return call


async def in_trial(world: World, uid: str, last_four: str, **more: Any) -> Call:
    """A subscription whose first charge comes after a day of trial, on a card of that kind."""
    plan = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
    return await begun(world, uid, last_four=last_four, plan=plan, **more)


async def order_number(world: World, uid: str) -> str:
    """The order number that stands scheduled at PortOne for the next period."""

    async def stands() -> bool:
        return bool(await world.standing(uid))

    require(await world.until(stands), "nothing is scheduled for the next period")
    return (await world.standing(uid))[0]


async def is_listed(world: World, uid: str, number: str) -> bool:
    """Whether a list that a person reads names the order: what is parked, or what a reconciliation found."""
    if any(row["merchant_uid"] == number for row in await world.parked(uid)):
        return True
    await world.reconcile()
    return any(row.get("merchant_uid") == number for row in await world.differences())


async def require_given_back(world: World, uid: str, number: str, why: str, seconds: float = 15.0) -> None:
    """Money of an order that must not be kept is given back, or a list names it; never silently held.

    Raises:
        BrokenPromiseError: it is held, and no list says so.
    """

    async def nothing_held() -> bool:
        return not await world.held(uid, number)

    if await world.until(nothing_held, seconds):
        return
    held = await world.held(uid, number)
    require(await is_listed(world, uid, number), f"{held} won are held of {number}, named by no list: {why}")


async def require_nothing_stands(world: World, uid: str, why: str) -> None:
    """PortOne would charge nothing more by itself.

    Raises:
        BrokenPromiseError: a schedule stands.
    """
    standing = await world.standing(uid)
    require(not standing, f"{', '.join(standing)} stands scheduled at PortOne: {why}")


async def require_answered(call: Call, why: str) -> None:
    """A command is heard at every moment: any answer but silence and a failure of ours will do.

    Raises:
        BrokenPromiseError: nobody answered, or only "not now".
    """
    heard = call.status is not None and call.status < 500
    require(heard, f"{call.does} was not answered ({call.status} {call.answer}): {why}")


async def require_done(call: Call, why: str) -> None:
    """A command is answered for good: done or refused, not "still being done".

    Raises:
        BrokenPromiseError: it is still open.
    """
    await require_answered(call, why)
    require(call.status != 202, f"{call.does} is still open (202): {why}")


async def require_alive(world: World, uid: str) -> None:
    """The run can go on: no workflow task of it fails for ever, and two runs do not write to each other for ever.

    Raises:
        BrokenPromiseError: it is a brick, or grows without an end.
    """
    workflow_id = f"subscription/{uid}"
    require(not await world.is_brick(uid), "the run is a brick: its workflow task fails again and again")
    before = await world.run_seen(workflow_id)
    await asyncio.sleep(_GROWTH_SECONDS)
    after = await world.run_seen(workflow_id)
    if before is not None and after is not None:
        grown = after.events - before.events
        require(
            grown < _GROWTH_EVENTS,
            f"the history grew from {before.events} to {after.events} events within {_GROWTH_SECONDS:.0f} s in "
            "which nothing was asked",
        )


async def require_bounded(world: World, uid: str, days: float) -> None:
    """The history is no longer than what has happened in so many days of its own time.

    Raises:
        BrokenPromiseError: it is.
    """
    seen = await world.run_seen(f"subscription/{uid}")
    if seen is None:
        return
    bound = EVENTS_TO_BEGIN + EVENTS_A_DAY * days
    require(seen.events <= bound, f"{seen.events} events of history after {days:.0f} days, at most {bound:.0f}")


async def fate(world: World, uid: str) -> str:
    """Where a subscription stands, in one line."""
    shown = await world.subscription(uid)
    if not shown:
        return "no such subscription"
    cycle = shown["cycle"]
    return f"{shown['status']}, period {cycle['number']} {cycle['state']}, parked {shown['parked_reason']}"
