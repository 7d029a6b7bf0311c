"""The stories, row by row: two faults at once, against what was promised. Written to HTTP, never to inner names."""

from chaos import stories_of_lives, stories_of_waiting
from chaos.promises import (
    begun,
    fate,
    in_trial,
    order_number,
    require_alive,
    require_answered,
    require_given_back,
    require_nothing_stands,
)
from chaos.telling import Story, require
from chaos.world import GOOD, SOFT, World

WON = 9900


# ------------------------------------------------------------------ row 1: no owner


async def terminated_and_started_again(world: World) -> None:
    """An operator ends the run, the customer starts again under the same key, the old life's schedule runs.

    Where the second start has taken the schedule back, somebody retries it in PortOne's console.
    """
    uid = "started_again"
    await begun(world, uid)
    number = await order_number(world, uid)
    await world.terminate(uid)
    again = await world.start(uid, payment_method={"billing_key": True})
    await require_answered(again, "started again after the run was terminated")
    ran = await world.console(uid, "execute", merchant_uid=number)
    if not ran.is_done:
        await world.console(uid, "retry", merchant_uid=number)
    await require_alive(world, uid)
    if again.is_done:
        await world.advance(uid, days=2)
    await require_given_back(world, uid, number, "the life that ordered it has no run any more")


async def refunded_and_paid_once_more(world: World) -> None:
    """A period is parked as paid wrongly, a person decides `refund`, and the same number is paid once more."""
    uid = "paid_once_more"
    await begun(world, uid)
    number = await order_number(world, uid)
    await world.console(uid, "pay", customer_uid=uid, merchant_uid=number, amount=100)

    async def parked() -> bool:
        return bool(await world.parked(uid))

    require(await world.until(parked), "a payment of another amount is not parked")
    by = {"decision": "refund", "by": "park@example.com", "reason": "고객과 통화함"}
    decided = await world.call(uid, "POST", f"/v1/parked/{uid}", by)
    require(decided.status == 200, f"the decision was answered {decided.status}: {decided.answer}")
    await world.console(uid, "pay", customer_uid=uid, merchant_uid=number, amount=WON)
    await require_alive(world, uid)
    await world.advance(uid, days=3)
    paid = [row for row in await world.charges(uid) if row["merchant_uid"] == number and row["state"] == "paid"]
    if not paid:
        await require_given_back(world, uid, number, "it was given back by decision, and paid once more")


# ------------------------------------------------------------------ rows 2 and 3: calls that are still on their way


async def _late_reschedule(world: World, uid: str, *, deaf: bool) -> None:
    await in_trial(world, uid, SOFT)
    await world.fault("execute_late", path="reschedule", seconds=300, count=1, customer_uid=uid)
    await world.advance(uid, days=1, minutes=1)
    await world.put_card(uid, GOOD)
    if deaf:
        await world.fault("drop_webhook")
    cancel = await world.command(uid, "cancel", at="now")
    await require_answered(cancel, "while a reschedule may still be on its way")
    await world.advance(uid, hours=3)
    await require_nothing_stands(world, uid, f"three hours after the cancel, which was told {_charge(cancel)}")
    await world.advance(uid, days=4)
    held = await world.held(uid)
    require(not held, f"{held} won are held after a cancel that was told {_charge(cancel)}")


async def late_reschedule(world: World) -> None:
    """A retry is booked five minutes late, after it was booked a second time, and a cancel came in between."""
    await _late_reschedule(world, "late_reschedule", deaf=False)


async def late_reschedule_deaf(world: World) -> None:
    """The same, and every webhook is lost."""
    await _late_reschedule(world, "late_reschedule_deaf", deaf=True)


async def late_unschedule(world: World) -> None:
    """A cancel at period end takes the schedule back two minutes late; it is undone in between."""
    uid = "late_unschedule"
    await begun(world, uid)
    await world.fault("execute_late", path="unschedule", seconds=120, count=1, customer_uid=uid)
    cancel = await world.command(uid, "cancel", at="period_end")
    await require_answered(cancel, "while the revoke may still be on its way")
    undo = await world.command(uid, "undo-cancel")
    await require_answered(undo, "while the revoke may still be on its way")
    await world.advance(uid, hours=3)
    if undo.is_done:
        require(bool(await world.standing(uid)), f"nothing stands scheduled after the undo; {await fate(world, uid)}")
    await world.advance(uid, days=33)
    paid = await world.held(uid)
    require(paid == 2 * WON, f"{paid} won for two periods; {await fate(world, uid)}")


async def late_key_deletion(world: World) -> None:
    """The key of a declined start is deleted a minute late; meanwhile the customer starts again with a good card."""
    uid = "late_deletion"
    await world.fault("execute_late", path="customers_delete", seconds=60, count=1, customer_uid=uid)
    refused = await world.start(uid, last_four=SOFT)
    await require_answered(refused, "while the deletion may still be on its way")
    again = await world.start(uid, last_four=GOOD)
    await require_answered(again, "while the deletion may still be on its way")
    await world.advance(uid, minutes=20)
    shown = await world.subscription(uid)
    if shown.get("status") == "active":
        key = await world.has_key(shown["payment_method"]["customer_uid"])
        require(key, f"active, and PortOne has no key for it; the start was told {again.status}")
    await world.advance(uid, days=33)
    if shown.get("status") == "active":
        held = await world.held(uid)
        require(held == 2 * WON, f"{held} won for two periods; {await fate(world, uid)}")


# ------------------------------------------------------------------ row 5: refused after it was done


async def _registered_unseen(world: World, uid: str, *, deaf: bool) -> None:
    if deaf:
        await world.fault("drop_webhook")
    await world.fault("500_after", path="schedule", count=1, customer_uid=uid)
    await world.fault("frozen", path="schedule_get", count=2)
    await begun(world, uid)
    await world.advance(uid, minutes=2)
    cancel = await world.command(uid, "cancel")
    await require_answered(cancel, "after a schedule that was registered without an answer")
    await world.advance(uid, hours=1)
    await require_nothing_stands(world, uid, f"an hour after a cancel that was told {_charge(cancel)}")
    await world.portone_moves(uid, days=33)
    await world.advance(uid, minutes=5)
    held = await world.held(uid)
    require(held == WON, f"{held} won are held for one period after a cancel that was told {_charge(cancel)}")


async def registered_unseen(world: World) -> None:
    """A schedule is registered, its answer is a 500, two look-ups lag, the second sending is "already registered"."""
    await _registered_unseen(world, "registered_unseen", deaf=False)


async def registered_unseen_deaf(world: World) -> None:
    """The same, and every webhook is lost."""
    await _registered_unseen(world, "registered_unseen_deaf", deaf=True)


def _charge(call: object) -> str:
    answer = getattr(call, "answer", None)
    return str(answer.get("charge", answer)) if isinstance(answer, dict) else f"{answer}"


STORIES = (
    Story(
        "terminated-and-started-again",
        1,
        "A payment whose life has no run is given back or listed, and no two runs hand it to each other for ever.",
        terminated_and_started_again,
    ),
    Story(
        "refunded-and-paid-once-more",
        1,
        "A number that was refunded by decision and is paid once more is booked, given back or listed, once.",
        refunded_and_paid_once_more,
    ),
    Story(
        "late-reschedule",
        2,
        "After a cancel that won nothing stands at PortOne and nothing is kept, also when a retry is booked late.",
        late_reschedule,
    ),
    Story(
        "late-reschedule-deaf",
        2,
        "The same with every webhook lost.",
        late_reschedule_deaf,
    ),
    Story(
        "late-unschedule",
        3,
        "An undone cancel leaves the next charge standing, also when the revoke is carried out late.",
        late_unschedule,
    ),
    Story(
        "late-key-deletion",
        4,
        "Nobody is told `active` whose key a late deletion takes away.",
        late_key_deletion,
    ),
    Story(
        "registered-unseen",
        5,
        "A refusal after an unknown sending is no proof: after the cancel nothing stands and nothing is kept.",
        registered_unseen,
    ),
    Story(
        "registered-unseen-deaf",
        5,
        "The same with every webhook lost.",
        registered_unseen_deaf,
    ),
    *stories_of_waiting.STORIES,
    *stories_of_lives.STORIES,
)
"""Every story; together they are what the subscription's core has to live through."""
