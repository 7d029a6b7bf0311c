"""Nothing is found where a subscription did by itself, or by order, whatever one can do; with every webhook lost."""

from datetime import UTC, datetime

import pytest

from tests.reconciled import current, found

pytestmark = pytest.mark.soak

TRIAL = {"name": "월간 이용권", "amount": 9900, "interval": "month", "trial_days": 1}
BIGGER = {"name": "큰 이용권", "amount": 29900, "interval": "month"}
NEW_CARD = {"card_number": "4518-4212-3456-1234", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}


async def ordered(stack, uid, path, **body):
    answer = await stack.api.post(f"/v1/subscriptions/{uid}/{path}", json=body)
    assert answer.status_code in (200, 201, 202), answer.text


async def plan_changed_now(stack, uid):
    await ordered(stack, uid, "change-plan", plan=BIGGER, at="now")


async def plan_changed_later(stack, uid):
    await ordered(stack, uid, "change-plan", plan=BIGGER, at="period_end")


async def paused_and_resumed(stack, uid):
    await ordered(stack, uid, "pause", at="now")
    await found(stack)
    await stack.advance(uid, days=20)
    await ordered(stack, uid, "resume")


async def card_changed(stack, uid):
    await ordered(stack, uid, "payment-method", payment_method={"card": NEW_CARD})


async def canceled_and_taken_back(stack, uid):
    await ordered(stack, uid, "cancel", at="period_end")
    await found(stack)
    await ordered(stack, uid, "undo-cancel")


async def canceled_with_a_refund(stack, uid):
    await ordered(stack, uid, "cancel", at="now", refund="prorated")


@pytest.mark.parametrize(
    "live",
    [
        plan_changed_now,
        plan_changed_later,
        paused_and_resumed,
        card_changed,
        canceled_and_taken_back,
        canceled_with_a_refund,
    ],
)
async def test_nothing_is_found_after_an_order_nor_two_periods_later(deaf, live):
    uid = await deaf.start()
    await current(deaf, uid)
    await deaf.advance(uid, days=10)
    await live(deaf, uid)
    await found(deaf)
    await deaf.advance(uid, days=70)
    await found(deaf)


async def test_nothing_is_found_where_a_trial_was_begun_without_a_card(deaf):
    uid = await deaf.start(plan=TRIAL, payment_method=None)
    await found(deaf)
    await deaf.advance(uid, days=3)
    await found(deaf)


@pytest.mark.parametrize("card", ["4518-4212-3456-0002", "4518-4212-3456-0003"])
async def test_nothing_is_found_while_a_declined_period_stands_and_after_it_was_given_up(deaf, card):
    uid = await deaf.start(plan=TRIAL, card=card)
    for days in (2, 4, 5, 10, 15):
        await deaf.advance(uid, days=days)
        await found(deaf)


async def test_nothing_is_found_of_a_charge_that_waits_beyond_the_horizon(deaf):
    uid = await deaf.start(plan={"name": "연간권", "amount": 99000, "interval": "year"})
    await found(deaf)
    await deaf.advance(uid, days=300)
    await found(deaf)
    assert (await deaf.subscription(uid))["cycle"]["number"] == 2


async def test_nothing_is_found_of_a_one_time_payment_and_its_refund(deaf):
    body = {
        "merchant_uid": f"phone-{datetime.now(UTC):%H%M%S%f}",
        "name": "전화 주문",
        "amount": 33000,
        "card": NEW_CARD,
    }
    assert (await deaf.api.post("/v1/payments", json=body)).status_code == 201
    refunds = f"/v1/payments/{body['merchant_uid']}/refunds"
    assert (await deaf.api.post(refunds, json={"amount": 3000})).status_code == 201
    await found(deaf)
    assert (await deaf.api.post(refunds)).status_code == 201
    await found(deaf)
