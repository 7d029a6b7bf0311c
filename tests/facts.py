"""What the tests of late and foreign facts share: acts in PortOne's console, and waiting for what follows from them."""

import asyncio
import dataclasses

from tests.patience import PATIENCE_SECONDS
from tests.reconciled import console, current, order_of
from tests.stack import now

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
DECLINED = "4518-4212-3456-0002"

__all__ = ["DECLINED", "TRIAL", "console", "current", "order_of"]


async def until(asked, timeout_seconds=PATIENCE_SECONDS):
    """The first answer of `asked` that is true: what follows from a webhook comes when it comes."""
    limit = now().timestamp() + timeout_seconds
    while not (answer := await asked()):
        assert now().timestamp() < limit, "it did not come"
        await asyncio.sleep(0.02)
    return answer


async def told(stack, uid, event):
    """Once this event was told of; answers all of them by name, in their order."""

    async def events():
        names = await stack.events(uid)
        return names if event in names else None

    return await until(events)


async def heard_out(stack, uid):
    """Once every webhook has its answer, and the subscription has nothing more under way."""

    async def quiet():
        hooks = await stack.ledger.list_webhooks()
        description = (await stack.handle(uid).describe()).raw_description
        busy = description.pending_activities or description.HasField("pending_workflow_task")
        return not busy and all(row.disposition is not None for row in hooks)

    await until(quiet)


async def fact(stack, imp_uid):
    """What the workflow of a late fact came to."""
    handle = stack.temporal.get_workflow_handle(f"fact/{imp_uid}")

    async def begun():
        try:
            return await handle.describe()
        except Exception:  # noqa: BLE001 - not begun yet
            return None

    await until(begun)
    return await handle.result()


async def kept(stack, merchant_uid):
    """What PortOne holds of an order number, in won, over all of its payments."""
    books = (await stack.emulator.get("/emulator/books", params={"merchant_uid": merchant_uid})).json()
    return sum(row["amount"] - row["cancelled_amount"] for row in books["charges"])


async def state_of(stack, merchant_uid):
    """The state of a charge in the ledger."""
    return (await stack.ledger.get_charge(merchant_uid)).state.value


async def results_of(stack, merchant_uid):
    """Every state that was booked of a charge, in order."""
    return [row.state.value for row in await stack.ledger.list_results(merchant_uid)]


async def refunds_add_up(stack, merchant_uid):
    """The refunds that are written down are soon those that PortOne has, to the won; answers their sum."""

    async def both():
        books = (await stack.emulator.get("/emulator/books", params={"merchant_uid": merchant_uid})).json()
        there = sum(row["cancelled_amount"] for row in books["charges"])
        refunds = await stack.ledger.list_refunds(merchant_uid)
        here = sum(row.amount.amount for row in refunds if row.state.value == "refunded")
        return (here,) if here == there else None

    (here,) = await until(both)
    return here


async def parked(stack, uid=None):
    """What stands parked, as GET /v1/parked lists it."""
    answer = await stack.api.get("/v1/parked", params={"customer_uid": uid} if uid else {})
    assert answer.status_code == 200, answer.text
    return answer.json()["parked"]


async def stands(stack, uid, kind):
    """Once something of this kind stands parked; answers it."""

    async def standing():
        return next((row for row in await parked(stack, uid) if row["kind"] == kind), None)

    return await until(standing)


async def decide(stack, uid, decision, *, expect=200, by="park@example.com", reason="고객과 통화함", **more):
    """A person's decision; answers its document."""
    body = {"decision": decision, "by": by, "reason": reason, **more}
    answer = await stack.api.post(f"/v1/parked/{uid}", json=body)
    assert answer.status_code == expect, answer.text
    return answer.json()


async def look_again(stack, uid, merchant_uid="", reason="test"):
    """What the reconciliation does where no webhook came; returns when the workflow has looked."""
    await stack.handle(uid).signal("look_again", {"merchant_uid": merchant_uid, "reason": reason})

    async def looked():
        description = (await stack.handle(uid).describe()).raw_description
        return not description.pending_activities and not description.HasField("pending_workflow_task")

    await until(looked)


def with_settings(stack, **changes):
    """Other settings for subscriptions that are started from now on."""
    settings = stack.settings.model_copy(update=changes)
    stack.app.state.desk = dataclasses.replace(stack.app.state.desk, settings=settings)


async def gone_back(stack, merchant_uid):
    """Whether PortOne holds nothing of an order that was paid."""
    rows = list(stack.account().world.payments_of(merchant_uid))
    return bool(rows) and all(row["cancel_amount"] == row["amount"] for row in rows)
