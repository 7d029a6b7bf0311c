"""Billing keys outside a subscription: issued once, shown masked, never deleted from under a subscription."""

import asyncio
import dataclasses

from tests.api.requests import CARD, assert_problem, cards_in_vault, key_body, new_uid, payment_body
from workflows.contracts import billing_key_workflow_id

MASKED = {"customer_uid", "pg_provider", "card_name", "card_number", "issued_at"}


async def issue(stack, uid, last_four="7890"):
    card = {**CARD, "card_number": f"4518-4212-3456-{last_four}"}
    return await stack.api.post("/v1/billing-keys", json=key_body(uid, card=card))


async def test_an_issued_key_is_shown_masked_to_its_last_four_digits(stack):
    uid = new_uid()
    answer = await issue(stack, uid)
    assert answer.status_code == 201
    shown = answer.json()
    assert (set(shown), shown["customer_uid"]) == (MASKED, uid)
    digits = [sign for sign in shown["card_number"] if sign.isdigit()]
    assert (len(digits), shown["card_number"][-4:]) == (4, "7890")
    assert (await stack.api.get(f"/v1/billing-keys/{uid}")).json() == shown
    assert (await stack.emulator.get("/emulator/books")).json()["charges"] == []
    assert await cards_in_vault(stack) == 0


async def test_a_customer_uid_that_has_a_key_is_not_given_another(stack):
    uid = new_uid()
    first = (await issue(stack, uid)).json()
    assert_problem(await issue(stack, uid, "1111"), status=409, code="billing_key_exists")
    assert (await stack.api.get(f"/v1/billing-keys/{uid}")).json() == first
    assert await cards_in_vault(stack) == 0


async def test_two_issues_at_once_make_one_key(stack):
    uid = new_uid()
    answers = await asyncio.gather(*(issue(stack, uid) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await cards_in_vault(stack) == 0


async def test_a_refused_card_leaves_no_key(stack):
    uid = new_uid()
    assert_problem(await issue(stack, uid, "0001"), status=402, code="billing_key_refused")
    assert_problem(await stack.api.get(f"/v1/billing-keys/{uid}"), status=404, code="billing_key_not_found")
    assert await stack.portone.find_billing_key(uid) is None
    assert await cards_in_vault(stack) == 0


async def test_a_key_whose_answer_is_lost_is_found(stack):
    uid = new_uid()
    await stack.fault(path="customers", kind="drop_after", count=1)
    assert (await issue(stack, uid)).status_code == 201
    assert await cards_in_vault(stack) == 0


async def test_an_issued_key_starts_a_subscription(stack):
    uid = new_uid()
    await issue(stack, uid)
    await stack.start(uid, payment_method={"billing_key": True})
    assert await stack.agree(uid) == 1


async def test_a_start_on_a_key_that_is_not_there_is_refused(stack):
    uid = new_uid()
    await stack.start(uid, payment_method={"billing_key": True}, expect=409)
    assert stack.last["code"] == "billing_key_not_found"
    assert (await stack.books(uid))["charges"] == []


async def test_a_start_by_card_under_a_customer_uid_that_has_a_key_is_refused(stack):
    uid = new_uid()
    await issue(stack, uid)
    await stack.start(uid, expect=409)
    assert stack.last["code"] == "billing_key_exists"
    assert (await stack.books(uid))["charges"] == []
    assert await cards_in_vault(stack) == 0


async def test_a_deleted_key_is_gone_here_and_at_portone(stack):
    uid = new_uid()
    await issue(stack, uid)
    answer = await stack.api.delete(f"/v1/billing-keys/{uid}", params={"reason": "탈퇴"})
    assert (answer.status_code, answer.json()["customer_uid"]) == (200, uid)
    assert_problem(await stack.api.get(f"/v1/billing-keys/{uid}"), status=404, code="billing_key_not_found")
    assert await stack.portone.find_billing_key(uid) is None
    assert_problem(await stack.api.delete(f"/v1/billing-keys/{uid}"), status=404, code="billing_key_not_found")
    # And the customer_uid may be used again.
    assert (await issue(stack, uid)).status_code == 201


async def delete_and_lose_the_answer(stack, uid, **changed):
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, settings=stack.settings.model_copy(update=changed))
    await stack.fault(path="customers_delete", kind="drop_after", count=1)
    return await stack.api.delete(f"/v1/billing-keys/{uid}")


async def test_a_deletion_whose_answer_is_lost_holds_the_name_until_it_cannot_be_done_any_more(stack):
    uid = new_uid()
    await issue(stack, uid)
    answer = await delete_and_lose_the_answer(stack, uid, first_answer_seconds=3)
    assert answer.status_code == 202
    # Carried out late, it would take the key from whoever has the name by then.
    assert_problem(await issue(stack, uid), status=409, code="billing_key_busy")
    await stack.start(uid, expect=409)
    assert stack.last["code"] == "billing_key_busy"
    other, body = await stack.start(new_uid()), {"customer_uid": uid, "payment_method": {"card": CARD}}
    changed = await stack.api.post(f"/v1/subscriptions/{other}/payment-method", json=body)
    assert_problem(changed, status=409, code="billing_key_busy")
    paid = await stack.api.post("/v1/payments", json=payment_body(customer_uid=uid))
    assert_problem(paid, status=409, code="billing_key_busy")
    assert await cards_in_vault(stack) == 0
    await stack.temporal.get_workflow_handle(billing_key_workflow_id(uid)).terminate()
    await stack.start(uid)


async def test_a_deletion_whose_answer_was_lost_is_told_as_done_once_that_is_certain(stack):
    uid = new_uid()
    await issue(stack, uid)
    answer = await delete_and_lose_the_answer(stack, uid, quiet_minutes=0)
    assert (answer.status_code, answer.json()["customer_uid"]) == (200, uid)
    assert_problem(await stack.api.get(f"/v1/billing-keys/{uid}"), status=404, code="billing_key_not_found")
    assert (await issue(stack, uid)).status_code == 201


async def test_a_key_is_not_deleted_from_under_a_subscription(stack):
    uid = await stack.start(new_uid())
    assert_problem(await stack.api.delete(f"/v1/billing-keys/{uid}"), status=409, code="billing_key_in_use")
    assert await stack.portone.find_billing_key(uid) is not None
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2


async def test_a_key_is_not_deleted_while_a_paid_period_still_runs_out(stack):
    uid = await stack.start(new_uid())
    assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={})).status_code == 200
    assert_problem(await stack.api.delete(f"/v1/billing-keys/{uid}"), status=409, code="billing_key_in_use")


async def test_a_key_is_deleted_once_its_subscription_has_ended(stack):
    uid = await stack.start(new_uid())
    assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    assert (await stack.api.delete(f"/v1/billing-keys/{uid}")).status_code == 200
    assert await stack.portone.find_billing_key(uid) is None
