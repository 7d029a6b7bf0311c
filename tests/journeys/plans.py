"""Plans whose days are counted where it is noon now, so that no midnight falls into a test."""

import asyncio
from datetime import UTC, datetime

_HOURS_TO_NOON = 12 - datetime.now(UTC).hour
NOON = f"Etc/GMT{-_HOURS_TO_NOON:+d}"
"""The sign of these zones is the other way round: Etc/GMT-9 is nine hours ahead."""


def thirty_days(amount=9000, name="베이직", **more):
    """A plan of 30 days, so that a day of 9,000 won costs 300 whatever the month."""
    plan = {"name": name, "amount": amount, "interval": "day", "interval_count": 30, "time_zone": NOON}
    return {**plan, **more}


BASIC = thirty_days(9000)
PREMIUM = thirty_days(30000, "프리미엄")
INSUFFICIENT_FUNDS, APPROVED_LATE, GOOD = "0002", "0006", "7890"


def year(amount=90_000, **more):
    return {**thirty_days(amount, "연간"), "interval": "year", "interval_count": 1, **more}


def coupon(name="쿠폰", **more):
    return {"name": name, "percent_off": 50, "duration": "once", **more}


async def change(stack, uid, expect=200, **order):
    """Preview an order, place it, and prove that what was charged at once is what the preview said."""
    told = await stack.order(uid, "change-plan/preview", **order)
    before = len(await paid(stack, uid))
    answer = await stack.order(uid, "change-plan", expect=expect, **order)
    charged = (await paid(stack, uid))[before:]
    due_now = told["due_now"]["amount"] if told["due_now"] else 0
    assert charged == ([due_now] if due_now else [])
    assert (answer["next_amount"], answer["balance"]) == (told["next_charge"]["amount"], balance_before(told))
    assert answer["order"]["charged_amount"] == (due_now or None)
    return answer


def balance_before(told):
    """What is carried into the next bill, of which the preview tells what it carries on."""
    lines = told["next_charge"]["lines"]
    carried_in = [line["amount"] for line in lines if line["text"] in ("credit from before", "owed from before")]
    return sum(carried_in)


async def paid(stack, uid):
    """What was really charged, in the order in which it was due."""
    return [charge["amount"] for charge in await stack.charges(uid) if charge["state"] == "paid"]


async def standing(stack, uid):
    """The amounts of the charges that stand at PortOne for the subscription."""
    number = (await stack.snapshot(uid))["merchant_uid"]
    while (row := await stack.portone.find_schedule(number)) is None:
        await asyncio.sleep(0.02)
    return row.schedule_status, int(row.amount), number


def from_now_on(stack, uid, card):
    """The card behind the key does from now on what the test card of these digits does."""
    store = stack.account().world.store
    store.put("keys", uid, {**store["keys"][uid], "last_four": card})
