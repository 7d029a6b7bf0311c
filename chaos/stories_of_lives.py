"""Stories of bounds and ends: a run can always go on, and tells before it tidies."""

from datetime import UTC, datetime, timedelta

from chaos.promises import begun, fate, require_alive, require_answered
from chaos.telling import Story, require
from chaos.world import ANSWER_SECONDS, GOOD, SOFT, World, card

WON = 9900
_MOST_RETRIES = 30
_FARTHEST_DAYS = 1_090


async def twenty_seven_numbers(world: World) -> None:
    """A Naver Pay key needs a new order number with every try; a period is retried by hand until none is left."""
    uid = "many_numbers"
    await world.put_card(uid, GOOD, pg="naverpay")
    plan = {"name": "월간 이용권", "amount": WON, "interval": "month", "trial_days": 1}
    dunning = {"after_days": [1], "grace_days": 0, "end_action": "leave"}
    await begun(world, uid, payment_method={"billing_key": True}, plan=plan, dunning=dunning)
    await world.put_card(uid, SOFT, pg="naverpay")
    await world.advance(uid, days=4)
    for _ in range(_MOST_RETRIES):
        tried = await world.command(uid, "retry")
        await require_answered(tried, f"{await fate(world, uid)}, brick: {await world.is_brick(uid)}")
        if tried.is_done or not isinstance(tried.answer, dict) or tried.answer.get("code") == "no_more_retries":
            break
        if tried.answer.get("code") == "card_tried_too_often":
            await world.advance(uid, days=31)
    await require_alive(world, uid)
    await world.put_card("another_card", GOOD, pg="naverpay")
    change = await world.command(
        uid, "payment-method", payment_method={"billing_key": True}, customer_uid="another_card"
    )
    await require_answered(change, "after many tries by hand")
    await world.advance(uid, hours=1)
    held = await world.held("another_card")
    require(
        held == WON, f"another card does not pay the period: {change.status} {change.answer}; {await fate(world, uid)}"
    )
    await require_alive(world, uid)


async def undeletable_key(world: World) -> None:
    """The first charge is declined, and PortOne will not delete the key."""
    uid = "undeletable"
    await world.fault("500_before", path="customers_delete", customer_uid=uid)
    refused = await world.start(uid, last_four=SOFT)
    await require_answered(refused, "while the key cannot be deleted")
    for hours in (1, 30 * 24):
        await world.advance(uid, hours=hours)
        shown = await world.subscription(uid)
        require(
            refused.status == 402 or shown.get("status") == "incomplete_expired",
            f"{hours} h later the declined start has not ended: told {refused.status}, {await fate(world, uid)}",
        )
    states = [row["state"] for row in await world.charges(uid)]
    require("declined" in states, f"the decline is not in the ledger: {states}")
    again = await world.start(uid, last_four=GOOD)
    require(again.status in (201, 409), f"started again with a good card: {again.status} {again.answer}")
    if again.status == 409:
        code = again.answer["code"]
        require(code != "subscription_running", "the customer_uid cannot be started again: it is said to be running")


async def paused_until_the_year_9999(world: World) -> None:
    """A pause is to end at the last instant there is."""
    uid = "year_9999"
    await begun(world, uid)
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).isoformat()
    pause = await world.command(uid, "pause", at="now", resumes_at=last)
    await require_answered(pause, "a pause until the year 9999")
    await require_alive(world, uid)
    await world.advance(uid, days=2)
    resume = await world.command(uid, "resume")
    await require_answered(resume, f"within {ANSWER_SECONDS:.0f} s; {await fate(world, uid)}")
    await world.advance(uid, days=40)
    held = await world.held(uid)
    require(held >= 2 * WON, f"{held} won after two periods: a period is silently unpaid; {await fate(world, uid)}")
    await require_alive(world, uid)


async def resumed_at_the_end_of_time(world: World) -> None:
    """The same instant for a pause with the period's end; then the farthest one that is taken."""
    uid = "end_of_time"
    await begun(world, uid)
    last = datetime(9999, 12, 31, 14, 59, 59, tzinfo=UTC)
    farthest = await world.now(uid) + timedelta(days=_FARTHEST_DAYS)
    for at, until in (("period_end", last), ("period_end", farthest), ("now", farthest)):
        pause = await world.command(uid, "pause", at=at, resumes_at=until.isoformat(), resume_anchor="old")
        await require_answered(pause, f"a pause until {until:%Y-%m-%d}")
        await require_alive(world, uid)
        await world.command(uid, "resume")
    await world.advance(uid, days=33)
    await require_alive(world, uid)
    change = await world.command(uid, "payment-method", payment_method={"card": card(GOOD)})
    await require_answered(change, await fate(world, uid))


STORIES = (
    Story(
        "twenty-seven-numbers",
        9,
        "However often a period is tried, the run goes on, and another card can pay it.",
        twenty_seven_numbers,
    ),
    Story(
        "undeletable-key",
        10,
        "A declined start ends at once and is in the ledger, whether or not its key can be deleted.",
        undeletable_key,
    ),
    Story(
        "paused-until-9999",
        11,
        "An instant that nothing can count with is refused at the door; no run becomes a brick, no period is lost.",
        paused_until_the_year_9999,
    ),
    Story(
        "paused-to-the-end-of-time",
        11,
        "The same with a pause at the period's end.",
        resumed_at_the_end_of_time,
    ),
)
