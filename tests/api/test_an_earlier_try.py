"""A request is sent again while Temporal or the ledger is away: what an earlier try may have started is not denied."""

import asyncio
import contextlib
import dataclasses
import uuid

import pytest

from tests.api.requests import hold, key_body, subscription_body
from tests.api.test_how_far_it_came import (
    Case,
    Forgetful,
    billing_key,
    done_once,
    line,
    moved,
    payment,
    refund,
    said,
    subscription,
)
from tests.soaking import soaking

__all__ = ["line"]

MAYBE_BEFORE = "it may have been started by an earlier try"


async def left_open(stack, line, case):
    """The first try is answered 202 by an api that has lost Temporal, and the money moves; answers the names it told.

    Temporal stays away.
    """
    came, go_on = hold(stack, case.call)
    sent = asyncio.create_task(case.send(stack))
    await came.wait()
    line.cut()
    answer = await sent
    assert answer.status_code == 202, answer.text
    go_on.set()
    while await moved(stack) != case.moved:
        await asyncio.sleep(0.05)
    return said(answer, case)


def assert_maybe_before(answer, code):
    told = answer.json()
    assert (answer.status_code, told["code"]) == (503, code), answer.text
    assert MAYBE_BEFORE in told["detail"]
    assert "nothing was started" not in told["detail"]


@pytest.mark.parametrize(
    ("case", "key"),
    [
        pytest.param(payment, None, marks=pytest.mark.soak),
        (payment, "order-1"),
        pytest.param(subscription, "order-1", marks=pytest.mark.soak),
        pytest.param(billing_key, None, marks=pytest.mark.soak),
        pytest.param(refund, "order-1", marks=pytest.mark.soak),
        (refund, None),
    ],
)
async def test_what_an_earlier_try_started_is_not_called_not_started_while_temporal_is_away(stack, line, case, key):
    case = dataclasses.replace(await case(stack), key=key)
    names = await left_open(stack, line, case)
    again = await case.send(stack)
    assert_maybe_before(again, "temporal_unavailable")
    assert said(again, case) == names
    line.mend()
    await done_once(stack, case, names)


@pytest.mark.parametrize("key", soaking([None, "order-1"], beside=["order-1"]))
async def test_a_command_that_an_earlier_try_gave_is_not_called_not_started_while_temporal_is_away(stack, line, key):
    uid = await stack.start()
    body, moves = {"at": "now", "refund": "full"}, {"charges": 1, "refunded": 9900, "keys": 1}
    case = Case(f"/v1/subscriptions/{uid}/cancel", body, "cancel", ("customer_uid",), moves, key)
    await left_open(stack, line, case)
    again = await case.send(stack)
    assert_maybe_before(again, "temporal_unavailable")
    assert again.json()["customer_uid"] == uid
    line.mend()
    await stack.handle(uid).result()
    told = await case.send(stack)
    assert (told.status_code, told.json()["refunded_amount"]) == (200, 9900), told.text
    assert await moved(stack) == moves


async def test_what_an_earlier_try_started_is_not_called_not_started_while_the_ledger_is_away(stack, line):
    case = await refund(stack)
    names = await left_open(stack, line, case)
    line.mend()
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, ledger=Forgetful(desk.ledger, "get_charge"))
    again = await case.send(stack)
    assert_maybe_before(again, "ledger_unavailable")
    assert said(again, case) == names
    stack.app.state.desk = desk
    await done_once(stack, case, names)


async def test_a_later_try_that_is_refused_unlooked_forgets_nothing_of_the_earlier_one(stack, line):
    case = Case.of_payment(key="order-1")
    names = await left_open(stack, line, case)
    line.mend()
    desk = stack.app.state.desk
    lower = desk.settings.model_copy(update={"max_amount": case.body["amount"] - 1})
    stack.app.state.desk = dataclasses.replace(desk, settings=lower)
    refused = await case.send(stack)
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_too_large")
    assert MAYBE_BEFORE in refused.json()["detail"]
    assert said(refused, case) == names
    stack.app.state.desk = desk
    await done_once(stack, case, names)


@contextlib.contextmanager
def without_claims(stack):
    """The ledger goes away before it can say whether there was an earlier try, and comes back."""
    desk = stack.app.state.desk
    stack.app.state.desk = dataclasses.replace(desk, ledger=Forgetful(desk.ledger, "claim_idempotency_key"))
    yield
    stack.app.state.desk = desk


def brought(answer):
    """The names in an answer of which nobody can know whether the request was sent before."""
    said = answer.json()
    assert (answer.status_code, said["code"]) == (503, "ledger_unavailable")
    assert MAYBE_BEFORE in said["detail"]
    assert "nothing was started" not in said["detail"]
    names = ("customer_uid", "subscription_id", "merchant_uid", "refund_id", "run_id", "run_url")
    return {name: said[name] for name in names if name in said}


async def test_with_the_claim_unread_a_payment_names_only_an_order_number_of_the_callers_own(stack):
    drawn, own = (
        Case.of_payment(key="order-1"),
        Case.of_payment(key="order-2", merchant_uid=f"order-{uuid.uuid4().hex}"),
    )
    paid = [(await case.send(stack)).json()["merchant_uid"] for case in (drawn, own)]
    with without_claims(stack):
        assert brought(await drawn.send(stack)) == {}
        named = brought(await own.send(stack))
    assert named.keys() == {"merchant_uid", "run_url"}
    assert named["merchant_uid"] == paid[1]
    assert [(await case.send(stack)).json()["merchant_uid"] for case in (drawn, own)] == paid
    assert (await moved(stack))["charges"] == 2


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("/v1/subscriptions", subscription_body("buyer_a"), {"customer_uid", "run_url"}),
        ("/v1/payments/order-1/refunds", {"amount": 1000}, {"merchant_uid", "run_url"}),
        ("/v1/billing-keys", key_body("buyer_a"), {"customer_uid", "run_url"}),
        ("/v1/subscriptions/buyer_a/cancel", {"at": "now"}, {"customer_uid"}),
        ("/v1/reconciliation", {}, set()),
    ],
)
async def test_with_the_claim_unread_nothing_is_named_that_was_drawn_for_this_try(stack, path, body, names):
    with without_claims(stack):
        answer = await stack.api.post(path, json=body, headers={"Idempotency-Key": "order-1"})
    assert brought(answer).keys() == names
