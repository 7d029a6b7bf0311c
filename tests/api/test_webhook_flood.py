"""One valid webhook URL and hundreds of invented ids: PortOne is not asked for each, and nothing true is lost."""

import pytest
import pytest_asyncio

from api.bell import look_at_crowded_orders
from billing.domain.webhook_bounds import AT_ONCE, MANY
from billing.observability import WEBHOOKS
from tests.api.test_webhooks import hook, started, token
from tests.facts import console, until
from tests.patience import patient_client
from tests.stack import running_stack

INVENTED = 6 * AT_ONCE


class Counting:
    """An ASGI application that notes which payments PortOne was asked for."""

    def __init__(self, app):
        self.app, self.state, self.asked = app, app.state, []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith("/payments"):
            self.asked.append(scope["path"] + "?" + scope["query_string"].decode())
        await self.app(scope, receive, send)


@pytest_asyncio.fixture
async def flooded(dev_server, tmp_path):
    counting = []

    def around(app):
        counting.append(Counting(app))
        return counting[0]

    async with running_stack(dev_server.client, tmp_path, around=around) as stack:
        yield stack, counting[0]


async def flood(stack, uid, number, count=INVENTED):
    """So many webhooks with invented ids to the genuine URL of one order."""
    path = f"/webhooks/portone/{token(stack, uid, number)}"
    async with patient_client(stack.api.base_url) as stranger:
        for n in range(count):
            body = {"imp_uid": f"imp_flood{n}", "merchant_uid": number, "status": "paid"}
            assert (await stranger.post(path, json=body)).status_code == 200


async def answered(stack, number):
    """Once every webhook that was kept apart has its answer."""

    async def all_closed():
        rows = await stack.ledger.list_webhooks(number)
        return all(row.disposition is not None for row in rows)

    await until(all_closed)


async def test_invented_ids_cost_a_bounded_number_of_look_ups_and_the_true_charge_is_settled(flooded):
    stack, portone = flooded
    uid, number = await started(stack)
    before, counted = len(portone.asked), WEBHOOKS.labels("coalesced")._value.get()
    await flood(stack, uid, number)
    await look_at_crowded_orders(stack.app.state.desk)
    await answered(stack, number)
    await stack.settled(uid)
    asked = portone.asked[before:]
    assert len(asked) <= 3 * AT_ONCE, len(asked)
    rows = {row.imp_uid: row for row in await stack.ledger.list_webhooks(number)}
    assert len(rows) == AT_ONCE + 1
    assert sum(row.count for row in rows.values()) == INVENTED, "every webhook is accounted for"
    assert (rows[MANY].disposition, rows[MANY].rung_at is None) == ("coalesced", False)
    assert WEBHOOKS.labels("coalesced")._value.get() - counted == INVENTED - AT_ONCE
    # No webhook comes any more: the deadline timers settle the charge on its day.
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_true_webhook_behind_the_flood_is_answered_by_the_look_at_its_order(flooded):
    stack, _ = flooded
    uid, number = await started(stack)
    await flood(stack, uid, number, AT_ONCE)
    await answered(stack, number)
    # A person has the schedule executed before its day: its webhook is one too many.
    await console(stack, "execute", merchant_uid=number)
    [payment] = [each for each in stack.account().world.store["payments"].values() if each["merchant_uid"] == number]
    body = {"imp_uid": payment["imp_uid"], "merchant_uid": number, "status": "paid"}
    assert (await hook(stack, f"/webhooks/portone/{token(stack, uid, number)}", body)).status_code == 200
    [many] = [row for row in await stack.ledger.list_webhooks(number) if row.imp_uid == MANY]
    assert many.count == 1
    await look_at_crowded_orders(stack.app.state.desk)

    async def paid():
        charge = await stack.ledger.get_charge(number)
        return charge.imp_uid == payment["imp_uid"] and charge.state == "paid"

    await until(paid)
    assert await stack.agree(uid) == 2


@pytest.mark.soak
async def test_a_flood_for_an_ended_subscription_starts_no_more_workflows_than_the_bound(flooded):
    stack, portone = flooded
    uid, number = await started(stack)
    assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    await stack.handle(uid).result()
    before = len(portone.asked)
    await flood(stack, uid, number)
    await look_at_crowded_orders(stack.app.state.desk)
    await answered(stack, number)
    facts = [run.id async for run in stack.temporal.list_workflows(f'TaskQueue = "{stack.task_queue}"')]
    assert len([each for each in facts if each.startswith("fact/imp_flood")]) <= AT_ONCE
    assert len(portone.asked) - before <= 2 * AT_ONCE


async def test_as_many_webhooks_as_a_life_has_are_each_rung_for_at_once(flooded):
    stack, _ = flooded
    uid, _ = await started(stack)
    [first] = [charge for charge in await stack.charges(uid) if charge["state"] == "paid"]
    path = f"/webhooks/portone/{token(stack, uid, first['merchant_uid'])}"
    said = [{"status": "ready"}, {"status": "paid"}] + [
        {"status": "cancelled", "cancellation_id": f"c{n}"} for n in range(12)
    ]
    async with patient_client(stack.api.base_url) as portone:
        for each in said:
            body = {"imp_uid": first["imp_uid"], "merchant_uid": first["merchant_uid"], **each}
            assert (await portone.post(path, json=body)).status_code == 200
    rows = await stack.ledger.list_webhooks(first["merchant_uid"])
    assert len(rows) == len(said)
    assert all(row.rung_at is not None and row.disposition != "coalesced" for row in rows)
