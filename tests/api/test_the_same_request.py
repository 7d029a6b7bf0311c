"""What counts as the same request, for commands too; how long it is remembered, and what of it."""

import asyncio
import base64
import dataclasses
import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from tests.api.requests import assert_problem, hold, key_body, new_uid, payment_body, won
from tests.api.test_idempotency import REPLAYED, all_books, send

# ---------------------------------------------------------------- what is the same request


async def test_the_same_json_written_down_otherwise_is_the_same_body(stack):
    body = payment_body()
    first = await send(stack, "/v1/payments", body)
    turned = {name: body[name] for name in reversed(body)}
    turned["card"] = dict(reversed(body["card"].items()))
    for text in (json.dumps(turned), json.dumps(body, indent=2, ensure_ascii=False)):
        headers = {"Idempotency-Key": "order-1", "Content-Type": "application/json"}
        again = await stack.api.post("/v1/payments", content=text.encode(), headers=headers)
        assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")
    assert won((await all_books(stack))["totals"])["charges"] == 1


async def test_another_order_in_a_list_or_another_query_is_another_request(stack):
    uid = new_uid()
    assert (await send(stack, "/v1/billing-keys", key_body(uid))).status_code == 201
    path, key = f"/v1/billing-keys/{uid}", {"Idempotency-Key": "delete-1"}
    assert (await stack.api.delete(path, params={"reason": "하나"}, headers=key)).status_code == 200
    again = await stack.api.delete(path, params={"reason": "둘"}, headers=key)
    assert_problem(again, status=422, code="idempotency_key_reused")
    again = await stack.api.delete(path, params={"reason": "하나"}, headers=key)
    assert (again.status_code, again.headers[REPLAYED]) == (200, "true")


async def test_a_key_counts_for_its_own_route_however_long_the_path(stack):
    uid = await stack.start("u" * 80)
    path = f"/v1/subscriptions/{uid}"
    paused = await stack.api.post(f"{path}/pause", json={"at": "now"})
    assert paused.status_code == 200
    resumed = await send(stack, f"{path}/resume", {})
    assert (resumed.status_code, resumed.json()["status"]) == (200, "active")
    # Nothing is owed: a retry that was answered with the resume would say 200.
    retried = await send(stack, f"{path}/retry", {})
    assert (retried.status_code, retried.headers.get(REPLAYED)) == (409, None)


async def test_a_key_made_under_a_vault_key_that_is_gone_still_stands_for_its_request(stack):
    body = payment_body()
    first = await send(stack, "/v1/payments", body)
    rotated = stack.settings.model_copy(update={"vault_key": (SecretStr(base64.b64encode(b"n" * 32).decode()),)})
    stack.app.state.desk = dataclasses.replace(stack.app.state.desk, settings=rotated)
    again = await send(stack, "/v1/payments", body)
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")


# ---------------------------------------------------------------- commands


async def test_a_second_cancel_under_one_key_tells_the_refunded_amount_again(stack):
    uid = await stack.start()
    path, body = f"/v1/subscriptions/{uid}/cancel", {"at": "now", "refund": "full"}
    first, again = [await send(stack, path, body) for _ in range(2)]
    assert (first.status_code, first.json()["refunded_amount"]) == (200, 9900)
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (200, first.json(), "true")
    assert (await stack.api.post(path, json=body)).status_code == 409


@pytest.mark.parametrize(
    "key", [pytest.param("order-1", id="with_a_key", marks=pytest.mark.soak), pytest.param(None, id="by_its_body")]
)
async def test_a_cancel_asked_again_after_a_202_is_told_what_came_of_it(stack, key):
    """The update is known by its id, also once the run has ended."""
    uid = await stack.start()
    path, body = f"/v1/subscriptions/{uid}/cancel", {"at": "now", "refund": "full"}
    headers = {"Idempotency-Key": key} if key else {}
    came, go_on = hold(stack, "cancel")
    stack.answer_within(3.0)
    first = await stack.api.post(path, json=body, headers=headers)
    assert (first.status_code, first.json()["customer_uid"]) == (202, uid)
    await came.wait()
    go_on.set()
    await stack.handle(uid).result()
    stack.answer_within(20.0)
    again = await stack.api.post(path, json=body, headers=headers)
    assert (again.status_code, again.json().get("refunded_amount")) == (200, 9900), again.text
    assert won((await all_books(stack))["totals"])["refunded"] == 9900


async def test_the_secret_of_an_endpoint_is_shown_again_and_never_kept(stack):
    body = {"url": "http://127.0.0.1:9/hooks"}
    first, again = [await send(stack, "/v1/event-endpoints", body) for _ in range(2)]
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    path = f"/v1/event-endpoints/{first.json()['endpoint_id']}/rotate-secret"
    rotated, same = [await send(stack, path, {}) for _ in range(2)]
    assert (rotated.status_code, same.json()) == (200, rotated.json())
    secrets = {first.json()["secret"], rotated.json()["secret"]}
    assert len(secrets) == 2
    async with stack.ledger._engine.connect() as connection:
        rows = repr((await connection.exec_driver_sql("SELECT * FROM idempotency_keys")).all())
    assert [secret for secret in secrets if secret in rows] == []


# ---------------------------------------------------------------- how long


async def test_keys_are_forgotten_after_thirty_days_by_the_api_itself(stack, monkeypatch):
    monkeypatch.setattr("api.idempotency.PURGE_SECONDS", 0.01)
    desk = stack.app.state.desk
    for days in (29, 31):
        await stack.ledger.claim_idempotency_key("s", f"{days} days", "f", "r", desk.now() - timedelta(days=days))
    async with stack.app.router.lifespan_context(stack.app):
        while "31 days" in (left := await kept_keys(stack)):
            await asyncio.sleep(0.01)
    assert left == ["29 days"]


async def kept_keys(stack):
    async with stack.ledger._engine.connect() as connection:
        return [row.key for row in (await connection.exec_driver_sql("SELECT key FROM idempotency_keys")).all()]
