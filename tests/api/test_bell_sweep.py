"""The sweep rings what could not be rung, and one bell that Temporal refuses holds up none of those behind it."""

import dataclasses
import socket
from datetime import timedelta

from sqlalchemy import insert

from api.bell import GRACE_SECONDS, Rung, ring, sweep
from billing.ledger import ReceivedWebhook
from billing.ledger.engine import writing
from billing.ledger.tables import webhook_inbox
from billing.temporal import connect
from tests.api.requests import subscription_body
from tests.facts import current, until
from tests.stack import now

NOBODY = "subscription/nobody"


async def waiting(stack, imp_uid, workflow_id=NOBODY, merchant_uid="order-of-nobody"):
    """A webhook that was stored and not rung, older than the grace."""
    hook = ReceivedWebhook(imp_uid, merchant_uid, "paid", "token", workflow_id=workflow_id)
    receipt = await stack.ledger.receive_webhook(hook, now() - timedelta(seconds=GRACE_SECONDS + 1))
    return receipt.inbox_id


async def refused_for_ever(stack, count):
    """Webhooks of a workflow id that no Temporal takes, more of them than a page of the sweep."""
    old = now() - timedelta(seconds=GRACE_SECONDS + 1)
    rows = [
        {
            "imp_uid": f"imp_refused_{n}",
            "merchant_uid": "order-of-nobody",
            "status": "paid",
            "cancellation_id": "",
            "route": "token",
            "workflow_id": "",
            "count": 1,
            "first_at": old,
            "last_at": old,
        }
        for n in range(count)
    ]
    async with writing(stack.ledger.engine) as connection:
        await connection.execute(insert(webhook_inbox), rows)


async def test_bells_behind_those_that_temporal_refuses_are_rung(stack):
    desk = stack.app.state.desk
    await refused_for_ever(stack, 120)
    uid = await stack.start()
    number = await current(stack, uid)
    behind = await waiting(stack, "imp_behind", f"subscription/{uid}", number)
    await sweep(desk)
    rows = {row.inbox_id: row for row in await stack.ledger.list_webhooks()}
    assert rows[behind].rung_at is not None
    assert sum(row.rung_at is None for row in rows.values()) == 120

    async def answered():
        (row,) = [row for row in await stack.ledger.list_webhooks(number) if row.imp_uid == "imp_behind"]
        return row.disposition

    assert await until(answered) == "mismatch"


async def test_a_bell_says_whether_temporal_was_away_or_refused_it(stack):
    desk = stack.app.state.desk
    hook = ReceivedWebhook("imp_1", "order-1", "paid", "token")
    inbox_id = await waiting(stack, "imp_1")
    assert await ring(desk, inbox_id, "", hook) is Rung.REFUSED
    assert await ring(desk, inbox_id, NOBODY, hook) is Rung.DONE
    settled = await stack.temporal.get_workflow_handle("fact/imp_1").result()
    assert settled["state"] == "unknown_payment"


async def test_a_temporal_that_was_never_there_is_away_and_nothing_of_what_was_asked_is_half_done(stack):
    nowhere = await connect(f"127.0.0.1:{_closed_port()}", lazy=True)
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, temporal=nowhere)
    hook = ReceivedWebhook("imp_2", "order-2", "paid", "token")
    assert await ring(stack.app.state.desk, await waiting(stack, "imp_2"), NOBODY, hook) is Rung.AWAY
    refused = await stack.api.post("/v1/subscriptions", json=subscription_body("nobody_there"))
    assert (refused.status_code, refused.json()["code"]) == (503, "temporal_unavailable")
    stack.app.state.desk = desk
    assert stack.account().world.store["keys"].get("nobody_there") is None


def _closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
