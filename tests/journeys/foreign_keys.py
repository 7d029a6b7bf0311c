"""What the journeys of keys that something else charges share."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from tests.facts import console
from tests.journeys.cards import window
from tests.stack import now


async def issued(stack, **more):
    """A key from the payment window; answers its customer_uid."""
    uid = f"buyer_{uuid.uuid4().hex[:10]}"
    await window(stack, uid, **more)
    return uid


async def scheduled(stack, uid, number, *, days, amount=9900):
    """What an old loop has registered on the key."""
    at = int((now() + timedelta(days=days)).timestamp())
    await console(stack, "register", customer_uid=uid, merchant_uid=number, amount=amount, schedule_at=at)
    return datetime.fromtimestamp(at, UTC)


async def start(stack, uid, *, expect=201, **more):
    await stack.start(uid, payment_method={"billing_key": True}, expect=expect, **more)
    return stack.last


async def paid_on(stack, uid):
    """The order numbers that PortOne charged the key with and holds, in their order."""
    return [row["merchant_uid"] for row in (await stack.books(uid))["charges"] if row["status"] == "paid"]


def row_of(stack, number):
    return stack.account().world.store["schedules"][number]


def stand_as(stack, number, status):
    """Let PortOne show a schedule otherwise than it was left."""
    stack.account().world.store.put("schedules", number, {**row_of(stack, number), "schedule_status": status})


def deaf_to(stack, number):
    """PortOne takes every call to revoke this order number, and neither revokes nor runs it; until `hears` is called.

    Answers the event of the first such call, and `hears`.
    """
    unschedule, asked = stack.portone.unschedule, asyncio.Event()

    async def deaf(customer_uid, numbers):
        if number not in numbers:
            return await unschedule(customer_uid, numbers)
        asked.set()
        return []

    def hears():
        stack.portone.unschedule = unschedule

    stack.portone.unschedule = deaf
    return asked, hears
