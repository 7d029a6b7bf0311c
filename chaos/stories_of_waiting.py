"""Stories of waits: a command is heard at every moment, and every open thing has an end."""

from chaos.promises import (
    begun,
    fate,
    order_number,
    require_alive,
    require_answered,
    require_bounded,
    require_done,
    require_nothing_stands,
)
from chaos.telling import Story, require
from chaos.world import World

WON = 9900


async def never_registered(world: World) -> None:
    """PortOne answers 500 to every `schedule`, for good."""
    uid = "never_registered"
    await world.fault("500_before", path="schedule", customer_uid=uid)
    await begun(world, uid)
    await world.advance(uid, days=3)
    await require_bounded(world, uid, 3)
    await world.advance(uid, days=31)
    held, listed = await world.held(uid), await world.parked(uid)
    shown = await world.subscription(uid)
    named = bool(listed) or shown["status"] in ("past_due", "unpaid", "canceled") or bool(shown["parked_reason"])
    require(
        held == 2 * WON or named, f"the second period is due for days, unpaid and on no list: {await fate(world, uid)}"
    )
    cancel = await world.command(uid, "cancel", at="now")
    await require_done(cancel, "while the schedule cannot be registered")
    await require_bounded(world, uid, 34)
    await require_alive(world, uid)


async def ready_for_ever(world: World) -> None:
    """The first charge stays `ready` at PortOne, and nobody ever decides it; the customer cancels on the first day."""
    uid = "ready_for_ever"
    await world.fault("undecided", path="again", count=1, customer_uid=uid)
    await begun(world, uid, expect=202)
    await world.advance(uid, hours=2)
    first = await world.command(uid, "cancel", at="now")
    await require_answered(first, "while the first charge is open")
    await world.advance(uid, days=10)
    shown = await world.subscription(uid)
    named = bool(await world.parked(uid)) or bool(shown.get("parked_reason"))
    ended = bool(shown.get("ended_at"))
    require(ended or named, f"ten days after the cancel neither ended nor on a list: {await fate(world, uid)}")
    if not ended:
        last = await world.command(uid, "cancel", at="now")
        await require_done(last, "ten days later, while the charge is still open")
    await require_bounded(world, uid, 10)


async def never_revoked(world: World) -> None:
    """PortOne answers 500 to every `unschedule` while a subscription is canceled now, and for three hours after it."""
    uid = "never_revoked"
    await begun(world, uid)
    number = await order_number(world, uid)
    await world.fault("500_before", path="unschedule", customer_uid=f"{uid}*")
    cancel = await world.command(uid, "cancel", at="now")
    await require_answered(cancel, "while no schedule can be revoked")
    hours = []
    for _ in range(3):
        before = len(_sent(world, number))
        await world.advance(uid, hours=1)
        hours.append(len(_sent(world, number)) - before)
    require(
        hours[2] <= hours[0], f"PortOne was asked ever more often to revoke the same schedule: {hours} times an hour"
    )
    await world.no_more_faults()
    await world.advance(uid, hours=1)
    await require_nothing_stands(world, uid, "an hour after PortOne revokes again")


def _sent(world: World, number: str) -> list[str]:
    calls = world.stack.recorder.of(set(), {number})
    return [call.does for call in calls if call.does.endswith("/unschedule")]


async def canceled_while_resent(world: World) -> None:
    """The first charge meets 429 four times: it is proven not executed; the customer cancels before the next try."""
    uid = "canceled_while_resent"
    await world.fault("429_bare", path="again", count=4, customer_uid=uid)
    await begun(world, uid, expect=202)
    cancel = await world.command(uid, "cancel", at="now")
    await require_answered(cancel, "while a charge that was not executed waits to be sent again")
    await world.advance(uid, hours=3)
    charged = await world.books(uid)
    held = await world.held(uid)
    require(
        not held,
        f"{held} won were charged at {charged[0]['paid_at'] if charged else None} and kept, after the cancel at "
        f"{cancel.at.timestamp():.0f}, answered {cancel.status}; {await fate(world, uid)}",
    )
    require(not charged, "the card was charged after the cancel, and the money had to be given back")


STORIES = (
    Story(
        "never-registered",
        6,
        "A period whose schedule is never registered is paid or listed soon after it is due; a cancel is answered.",
        never_registered,
    ),
    Story(
        "ready-for-ever",
        7,
        "A payment that stays `ready` ends in a list, a cancel is heard meanwhile, and the history stays short.",
        ready_for_ever,
    ),
    Story(
        "never-revoked",
        6,
        "While a schedule cannot be revoked, PortOne is not asked ever more often; when it can be, nothing stands.",
        never_revoked,
    ),
    Story(
        "canceled-while-resent",
        8,
        "A charge that was proven not executed is not sent again after a cancel.",
        canceled_while_resent,
    ),
)
