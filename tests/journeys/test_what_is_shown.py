"""After everything has settled, what is shown of a subscription is what PortOne has: days, states, and what is over."""

from datetime import datetime, timedelta

import pytest

from tests.journeys.cards import GOOD, HARD, SOFT, change
from tests.journeys.owing import SOFT_TWICE
from tests.soaking import soaking
from tests.stack import now

OVER = {"canceled", "expired", "incomplete_expired"}


def at(text):
    return datetime.fromisoformat(text) if text else None


def seconds(instant):
    """As PortOne has it: whole Unix seconds."""
    return int(instant.timestamp())


def row_of(stack, number):
    return stack.account().world.store["schedules"].get(number)


def ran_by_itself(row, charge):
    """Whether PortOne ran the schedule on its day, and the charge is what came of it."""
    if row["schedule_status"] != "executed" or row["imp_uid"] != charge["imp_uid"]:
        return False
    return abs(at(charge["settled_at"]).timestamp() - row["schedule_at"]) < timedelta(hours=1).total_seconds()


async def is_shown_truly(stack, uid):
    """What is shown, after it was held against PortOne's schedule rows."""
    await stack.settled(uid)
    shown, rows = await stack.subscription(uid), await stack.charges(uid)
    for charge in rows:
        row, due_at = row_of(stack, charge["merchant_uid"]), at(charge["due_at"])
        if row is not None and (row["schedule_status"] == "scheduled" or ran_by_itself(row, charge)):
            assert seconds(due_at) == row["schedule_at"], charge
        elif charge["state"] == "paid":
            assert timedelta(0) <= at(charge["settled_at"]) - due_at < timedelta(minutes=5), charge
    cycle = shown["cycle"]
    if shown["status"] in OVER:
        assert shown["dunning"] in ("clear", "ended")
        assert (cycle["next_charge_at"], shown["next_amount"], shown["grace_ends_at"]) == (None, None, None)
    else:
        row = row_of(stack, cycle["merchant_uid"])
        stands = row is not None and row["schedule_status"] == "scheduled"
        assert (cycle["state"] == "registered") is stands
        assert not stands or seconds(at(cycle["next_charge_at"])) == row["schedule_at"]
    return shown


async def renewed(stack, uid):
    await stack.advance(uid, days=40)


async def resumed_by_itself(stack, uid):
    await stack.order(uid, "pause", at="period_end", resumes_at=(now() + timedelta(days=45)).isoformat())
    await is_shown_truly(stack, uid)
    await stack.advance(uid, days=50)


async def another_card(stack, uid):
    await stack.advance(uid, days=3)
    await change(stack, uid, GOOD)
    await is_shown_truly(stack, uid)
    await stack.advance(uid, days=35)


async def another_card_for_what_is_owed(stack, uid):
    await change(stack, uid, SOFT)
    await stack.advance(uid, days=33)
    assert (await is_shown_truly(stack, uid))["dunning"] == "retrying"
    await change(stack, uid, GOOD)


async def retried_by_hand(stack, uid):
    await change(stack, uid, SOFT_TWICE)
    await stack.advance(uid, days=33)
    await is_shown_truly(stack, uid)
    await stack.order(uid, "retry")


async def canceled_while_it_is_tried_again(stack, uid):
    await change(stack, uid, SOFT)
    await stack.advance(uid, days=33)
    assert (await is_shown_truly(stack, uid))["dunning"] == "retrying"
    await stack.order(uid, "cancel", at="now")


async def canceled_while_it_waits_for_another_card(stack, uid):
    await change(stack, uid, HARD)
    await stack.advance(uid, days=32)
    assert (await is_shown_truly(stack, uid))["dunning"] == "grace"
    await stack.order(uid, "cancel", at="now")


async def a_cancel_taken_back(stack, uid):
    await stack.order(uid, "cancel")
    await is_shown_truly(stack, uid)
    await stack.order(uid, "undo-cancel")


JOURNEYS = {
    renewed: ("active", 2),
    resumed_by_itself: ("active", 2),
    another_card: ("active", 2),
    another_card_for_what_is_owed: ("active", 2),
    retried_by_hand: ("active", 2),
    canceled_while_it_is_tried_again: ("canceled", 1),
    canceled_while_it_waits_for_another_card: ("canceled", 1),
    a_cancel_taken_back: ("active", 1),
}


@pytest.mark.parametrize(
    "journey",
    soaking(JOURNEYS, beside=(another_card_for_what_is_owed,)),
    ids=lambda journey: journey.__name__,
)
async def test_what_is_shown_agrees_with_portone_s_rows_wherever_a_life_has_come_to_rest(stack, journey):
    uid = await stack.start()
    assert (await is_shown_truly(stack, uid))["cycle"]["state"] == "registered"
    await journey(stack, uid)
    status, paid = JOURNEYS[journey]
    assert (await is_shown_truly(stack, uid))["status"] == status
    assert await stack.agree(uid) == paid
