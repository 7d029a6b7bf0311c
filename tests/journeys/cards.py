"""What the journeys of another card share."""

from datetime import datetime, timedelta

from tests.journeys.watching import watch

HARD, SOFT, REFUSED, GOOD, OTHER = "0003", "0002", "0001", "1111", "2222"
AMOUNT = 9900
MONTHLY = {"name": "월간 이용권", "amount": AMOUNT, "interval": "month"}
SHOWN_TO_HUMANS = "period 2 is charged by the new card"


def number(last_four):
    return f"4518-4212-3456-{last_four}"


def method(last_four):
    return {"card": {"card_number": number(last_four), "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}}


async def change(stack, uid, last_four=GOOD, *, expect=200, **more):
    return await stack.order(uid, "payment-method", expect=expect, payment_method=method(last_four), **more)


async def change_to_key(stack, uid, key, *, expect=200):
    """After the payment window: a key that is there already."""
    return await stack.order(
        uid, "payment-method", expect=expect, payment_method={"billing_key": True}, customer_uid=key
    )


async def window(stack, key, last_four=GOOD, **more):
    body = {"customer_uid": key, "card_number": number(last_four), **more}
    assert (await stack.emulator.post("/emulator/window/billing-key", json=body)).status_code == 201


def keys(stack):
    """The keys that PortOne has."""
    return set(stack.account().world.store["keys"])


def open_schedules(stack):
    """The charges that PortOne will make by itself, by order number: on which key."""
    rows = stack.account().world.store["schedules"].values()
    return {row["merchant_uid"]: row["customer_uid"] for row in rows if row["schedule_status"] == "scheduled"}


async def execute_at_portone(stack, uid, **beyond):
    """The due instant comes, PortOne runs what is due, and nobody hears of it."""
    due = datetime.fromisoformat((await stack.subscription(uid))["cycle"]["next_charge_at"])
    clock = (await stack.emulator.get("/emulator/clock", params={"customer_uid": uid})).json()
    until_due = due - datetime.fromisoformat(clock["now"])
    await stack.advance(uid, seconds=until_due.total_seconds() - 10)
    await stack.fault(path="webhook", kind="drop_webhook")
    to = (due + timedelta(**beyond)).isoformat()
    answer = await stack.emulator.post("/emulator/clock", json={"to": to, "customer_uid": uid})
    assert answer.json()["executed"]
    await stack.emulator.delete("/emulator/faults")


async def begun(stack, **more):
    """Started, its next charge at PortOne, and watched from then on."""
    uid = await stack.start(**more)
    await stack.settled(uid)
    return uid, watch(stack)
