"""A request with an Idempotency-Key does its work once, however often and however fast it is sent."""

import asyncio
import dataclasses
import uuid

import pytest

from tests.api.requests import (
    CARD,
    assert_problem,
    cards_in_vault,
    changed,
    key_body,
    new_uid,
    payment_body,
    subscription_body,
    won,
)
from tests.patience import PATIENCE_SECONDS

REPLAYED = "idempotent-replayed"


async def send(stack, path, body, key="order-1", **more):
    return await stack.api.post(path, json=body, headers={"Idempotency-Key": key}, **more)


async def paid(stack, **more):
    """A key-in payment that went through; answers its order number."""
    answer = await stack.api.post("/v1/payments", json=payment_body(**more))
    assert answer.status_code == 201, answer.text
    return answer.json()["merchant_uid"]


async def all_books(stack):
    return (await stack.emulator.get("/emulator/books")).json()


def wait_no_longer_than(stack, seconds):
    """Answer 202 to everything that takes longer."""
    settings = stack.settings.model_copy(update={"first_answer_seconds": seconds})
    stack.app.state.desk = dataclasses.replace(stack.app.state.desk, settings=settings)


async def test_the_same_start_is_answered_the_same_again_and_charged_once(stack):
    body = subscription_body()
    first = await send(stack, "/v1/subscriptions", body)
    again = await send(stack, "/v1/subscriptions", body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")
    assert again.headers["content-type"].split(";")[0] == "application/json"
    assert len(await stack.ledger.list_subscriptions()) == 1
    assert await stack.agree(body["customer_uid"]) == 1
    assert await cards_in_vault(stack) == 0


async def test_a_start_is_replayed_even_after_the_subscription_has_ended(stack):
    body = subscription_body()
    first = await send(stack, "/v1/subscriptions", body)
    ended = await stack.api.post(f"/v1/subscriptions/{body['customer_uid']}/cancel", json={"at": "now"})
    assert ended.status_code == 200
    again = await send(stack, "/v1/subscriptions", body)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await stack.subscription(body["customer_uid"]))["status"] == "canceled"
    assert await stack.agree(body["customer_uid"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("/v1/subscriptions", subscription_body, {"plan__amount": 9901}),
        ("/v1/subscriptions", subscription_body, {"payment_method__card__pwd_2digit": "13"}),
        ("/v1/payments", payment_body, {"amount": 12001}),
        ("/v1/billing-keys", key_body, {"customer__name": "김길동"}),
    ],
)
async def test_the_same_key_with_another_body_is_refused(stack, path, body, change):
    sent = body()
    assert (await send(stack, path, sent)).status_code == 201
    books = await all_books(stack)
    answer = await send(stack, path, changed(sent, **change))
    assert_problem(answer, status=422, code="idempotency_key_reused", field="Idempotency-Key")
    assert await all_books(stack) == books
    assert await cards_in_vault(stack) == 0


async def twins(stack, path, body, count, **more):
    """Send the same at once; one is answered 201, its twins that it is being done; answers what all get afterwards."""
    answers = await asyncio.gather(*(send(stack, path, body, **more) for _ in range(count)))
    done = [answer for answer in answers if answer.status_code == 201]
    assert done
    for answer in answers:
        if answer.status_code != 201:
            assert_problem(answer, status=409, code="request_in_progress")
    again = await send(stack, path, body, **more)
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, done[0].json(), "true")
    return again.json()


async def test_two_starts_at_once_under_one_key_make_one_subscription(stack):
    body = subscription_body()
    await twins(stack, "/v1/subscriptions", body, 2)
    assert len(await stack.ledger.list_subscriptions()) == 1
    assert await stack.agree(body["customer_uid"]) == 1
    assert await cards_in_vault(stack) == 0


async def test_five_payments_at_once_under_one_key_charge_once(stack):
    await twins(stack, "/v1/payments", payment_body(), 5)
    assert won((await all_books(stack))["totals"]) == {
        "charges": 1,
        "amount": 12000,
        "refunded": 0,
        "charged_twice": [],
    }
    assert await cards_in_vault(stack) == 0


@pytest.mark.parametrize("given", [False, True], ids=["our_order_number", "the_caller_s_order_number"])
async def test_the_same_payment_is_answered_again_and_charged_once(stack, given):
    body = payment_body(**({"merchant_uid": f"order-{uuid.uuid4().hex[:30]}"} if given else {}))
    first, again = [await send(stack, "/v1/payments", body) for _ in range(2)]
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers[REPLAYED] == "true"
    assert won((await all_books(stack))["totals"])["charges"] == 1


async def test_a_declined_payment_is_answered_declined_again_without_a_second_attempt(stack):
    body = payment_body(card={**CARD, "card_number": "4518-4212-3456-0002"})
    first, again = [await send(stack, "/v1/payments", body) for _ in range(2)]
    assert_problem(first, status=402, code="card_declined")
    assert_problem(again, status=402, code="card_declined")
    assert again.headers[REPLAYED] == "true"
    assert again.json() == first.json()
    [charge] = await stack.ledger.list_charges()
    assert charge.sends == 1


async def test_a_payment_that_was_not_as_ordered_is_not_charged_under_another_number(stack):
    body = payment_body()
    await stack.fault(kind="wrong_amount", path="findAll")
    first, again = [await send(stack, "/v1/payments", body) for _ in range(2)]
    assert_problem(first, status=409, code="payment_mismatch")
    assert (again.json(), again.headers[REPLAYED]) == (first.json(), "true")
    assert first.json()["merchant_uid"]
    assert won((await all_books(stack))["totals"])["charges"] == 1


async def test_the_same_partial_refund_is_done_once(stack):
    number = await paid(stack)
    path = f"/v1/payments/{number}/refunds"
    first, again = [await send(stack, path, {"amount": 1000}) for _ in range(2)]
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers[REPLAYED] == "true"
    assert won((await all_books(stack))["totals"])["refunded"] == 1000
    assert len(await stack.ledger.list_refunds(number)) == 1


async def test_two_refunds_at_once_under_one_key_are_one(stack):
    number = await paid(stack)
    refund = await twins(stack, f"/v1/payments/{number}/refunds", {"amount": 1000}, 2)
    assert [each.refund_id for each in await stack.ledger.list_refunds(number)] == [refund["refund_id"]]
    assert won((await all_books(stack))["totals"])["refunded"] == 1000


async def test_one_key_on_two_payments_refunds_both(stack):
    numbers = [await paid(stack), await paid(stack)]
    for number in numbers:
        answer = await send(stack, f"/v1/payments/{number}/refunds", {"amount": 1000})
        assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)
    assert won((await all_books(stack))["totals"])["refunded"] == 2000


async def test_without_a_key_the_same_refund_is_done_twice(stack):
    number = await paid(stack)
    for _ in range(2):
        answer = await stack.api.post(f"/v1/payments/{number}/refunds", json={"amount": 1000})
        assert answer.status_code == 201
    assert won((await all_books(stack))["totals"])["refunded"] == 2000


# The first answer did not come in time (202): the same request once more asks what became of it, and adds nothing.


async def test_a_refund_asked_again_after_a_202_is_not_done_twice(stack):
    number = await paid(stack)
    path = f"/v1/payments/{number}/refunds"
    wait_no_longer_than(stack, 0.001)
    assert (await send(stack, path, {"amount": 1000})).status_code == 202
    wait_no_longer_than(stack, PATIENCE_SECONDS)
    await stack.temporal.get_workflow_handle(f"refund/{number}").result()
    again = await send(stack, path, {"amount": 1000})
    assert won((await all_books(stack))["totals"])["refunded"] == 1000
    assert (again.status_code, again.json()["remaining"]) == (201, 11000)
    assert len(await stack.ledger.list_refunds(number)) == 1


async def test_a_payment_asked_again_after_a_202_is_charged_once(stack):
    body = payment_body()
    wait_no_longer_than(stack, 0.001)
    first = await send(stack, "/v1/payments", body)
    assert first.status_code == 202
    wait_no_longer_than(stack, PATIENCE_SECONDS)
    await stack.temporal.get_workflow_handle(f"payment/{first.json()['merchant_uid']}").result()
    again = await send(stack, "/v1/payments", body)
    assert (again.status_code, again.json()["merchant_uid"]) == (201, first.json()["merchant_uid"])
    assert won((await all_books(stack))["totals"])["charges"] == 1
    assert await cards_in_vault(stack) == 0


async def test_a_start_asked_again_after_a_202_is_charged_once(stack):
    body = subscription_body()
    wait_no_longer_than(stack, 0.001)
    assert (await send(stack, "/v1/subscriptions", body)).status_code == 202
    wait_no_longer_than(stack, PATIENCE_SECONDS)
    again = await send(stack, "/v1/subscriptions", body)
    assert (again.status_code, again.json()["status"]) == (201, "active")
    assert len(await stack.ledger.list_subscriptions()) == 1
    assert await stack.agree(body["customer_uid"]) == 1
    assert await cards_in_vault(stack) == 0


async def test_a_declined_start_asked_again_after_a_202_is_not_tried_twice(stack):
    body = changed(subscription_body(), payment_method__card__card_number="4518-4212-3456-0002")
    wait_no_longer_than(stack, 0.001)
    assert (await send(stack, "/v1/subscriptions", body)).status_code == 202
    wait_no_longer_than(stack, PATIENCE_SECONDS)
    await stack.handle(body["customer_uid"]).result()
    assert_problem(await send(stack, "/v1/subscriptions", body), status=402, code="card_declined")
    assert len(await stack.ledger.list_subscriptions()) == 1
    assert [charge.sends for charge in await stack.ledger.list_charges()] == [1]
    assert await cards_in_vault(stack) == 0


async def test_a_billing_key_asked_for_again_after_a_202_is_answered(stack):
    uid = new_uid()
    body = key_body(uid)
    wait_no_longer_than(stack, 0.001)
    assert (await send(stack, "/v1/billing-keys", body)).status_code == 202
    wait_no_longer_than(stack, PATIENCE_SECONDS)
    await stack.temporal.get_workflow_handle(f"billing-key/{uid}").result()
    again = await send(stack, "/v1/billing-keys", body)
    assert (again.status_code, again.json()["customer_uid"]) == (201, uid)
    assert await cards_in_vault(stack) == 0


async def test_a_key_whose_request_was_refused_may_be_used_for_the_right_one(stack):
    body = subscription_body()
    wrong = changed(body, plan__amount=-1)
    assert_problem(await send(stack, "/v1/subscriptions", wrong), status=422, field="plan.amount")
    answer = await send(stack, "/v1/subscriptions", body)
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)
    assert await stack.agree(body["customer_uid"]) == 1


@pytest.mark.soak
async def test_a_key_whose_start_met_a_running_subscription_may_be_used_once_that_has_ended(stack):
    body = subscription_body()
    await stack.start(body["customer_uid"])
    assert_problem(await send(stack, "/v1/subscriptions", body), status=409, code="subscription_running")
    uid = body["customer_uid"]
    assert (await stack.api.post(f"/v1/subscriptions/{uid}/cancel", json={"at": "now"})).status_code == 200
    assert (await stack.api.delete(f"/v1/billing-keys/{uid}")).status_code == 200
    answer = await send(stack, "/v1/subscriptions", body)
    assert (answer.status_code, answer.headers.get(REPLAYED)) == (201, None)
    assert await stack.agree(uid) == 2


async def test_what_is_kept_of_an_answered_request_holds_no_card(stack):
    await send(stack, "/v1/payments", payment_body(customer_uid=new_uid()))
    async with stack.ledger._engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM idempotency_keys")).all()
    assert len(rows) == 1
    digits = CARD["card_number"].replace("-", "")
    for secret in (CARD["card_number"], digits, digits[4:12], CARD["birth"]):
        assert secret not in repr(rows)


@pytest.mark.parametrize("key", ["", "a" * 256, "a\tb", "a\x7f"], ids=["empty", "256_characters", "a_tab", "delete"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/subscriptions", subscription_body),
        ("/v1/payments", payment_body),
        ("/v1/billing-keys", key_body),
    ],
)
async def test_a_key_that_cannot_be_kept_is_refused(idle_stack, path, body, key):
    answer = await send(idle_stack, path, body(), key=key)
    assert_problem(answer, status=422, code="invalid_idempotency_key", field="Idempotency-Key")
    assert (await all_books(idle_stack))["charges"] == idle_stack.before["books"]
    assert await cards_in_vault(idle_stack) == 0
