"""Journeys of refunds: full and partial, by API and by policy, exact to the won, once however often they are asked for,
and known again by their mark whoever refunds beside them in PortOne's console."""

import asyncio
import contextlib
import uuid
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from billing.domain.refund_messages import StartRefund
from billing.emulator.envelope import Refusal
from tests.facts import console, current, kept, order_of, parked, refunds_add_up, stands, state_of, told, until
from tests.stack import summaries
from workflows.refund.workflow import RefundWorkflow

BUSINESS = {"name": "월간 이용권", "amount": 9900, "interval": "month", "tax_free": 3000, "vat_amount": 627}


async def refund(stack, number, *, expect=201, key=None, **body):
    """A refund by API; answers its document."""
    headers = {"Idempotency-Key": key} if key else {}
    answer = await stack.api.post(f"/v1/payments/{number}/refunds", json=body or None, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json()


def sent(stack):
    """Watch what PortOne is asked to cancel from now on: the bodies, in their order."""
    account, bodies = stack.account(), []
    perform = account.perform

    async def watched(request, path, work, **options):
        if path == "cancel":
            bodies.append(await request.json())
        return await perform(request, path, work, **options)

    account.perform = watched
    return bodies


async def running_refund(stack, number):
    """Once the refund of this order has been sent and written down."""

    async def begun():
        return await stack.ledger.list_refunds(number)

    await until(begun)


# ---------------------------------------------------------------- parts


async def test_partial_refunds_carry_the_charge_s_parts_and_add_up_to_them(stack):
    uid = await stack.start(plan=BUSINESS)
    number = await order_of(stack, uid)
    bodies = sent(stack)
    for amount in (3333, 3333):
        await refund(stack, number, amount=amount)
    await refund(stack, number)
    assert [body["amount"] for body in bodies] == [3333, 3333, 3234]
    assert (sum(body["tax_free"] for body in bodies), sum(body["vat_amount"] for body in bodies)) == (3000, 627)
    assert [body["checksum"] for body in bodies] == [9900, 6567, 3234]
    assert await state_of(stack, number) == "refunded"
    assert await refunds_add_up(stack, number) == 9900
    assert (await told(stack, uid, "refund.succeeded")).count("refund.succeeded") == 3
    story = await _story(stack, number)
    assert "refund 3,234 KRW" in story


async def _story(stack, number):
    return await summaries(stack.temporal.get_workflow_handle(f"refund/{number}"))


@pytest.mark.soak
async def test_parts_that_are_given_win_where_the_charge_has_so_much_left_of_them(stack):
    uid = await stack.start(plan=BUSINESS)
    number = await order_of(stack, uid)
    bodies = sent(stack)
    problem = await refund(stack, number, expect=409, amount=5000, tax_free=3001)
    assert problem["code"] == "parts_do_not_fit"
    assert bodies == []
    await refund(stack, number, amount=3000, tax_free=3000, vat_amount=0)
    await refund(stack, number)
    assert [(body["tax_free"], body["vat_amount"]) for body in bodies] == [(3000, 0), (0, 627)]


async def test_an_amount_of_zero_is_refused_and_never_becomes_everything(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    bodies = sent(stack)
    for amount in (0, -1, 0.5, "0", True):
        assert (await refund(stack, number, expect=422, amount=amount))["code"] == "invalid_request"
    nothing = {"amount": {"amount": 0, "currency": "KRW"}}
    start = StartRefund.model_validate({"refund_id": "r0", "merchant_uid": number, **nothing})
    settled = await stack.temporal.execute_workflow(
        RefundWorkflow.run, start, id=f"refund/{number}", task_queue=stack.task_queue
    )
    assert (settled.state.value, settled.code) == ("refused", "amount_exceeds_balance")
    assert bodies == []
    assert await kept(stack, number) == 9900


@pytest.mark.soak
async def test_naver_pay_is_told_who_asks_and_why(stack):
    window = {"customer_uid": "naver_refund", "card_number": "4518-4212-3456-7890", "pg": "naverpay"}
    await stack.emulator.post("/emulator/window/billing-key", json=window)
    await stack.start("naver_refund", payment_method={"billing_key": True})
    number = await order_of(stack, "naver_refund")
    bodies = sent(stack)
    await refund(stack, number, amount=100, requester="customer", reason="단순 변심")
    await refund(stack, number, amount=100)
    assert [body["extra"]["requester"] for body in bodies] == ["customer", "admin"]
    assert all(body["reason"] for body in bodies)
    assert bodies[0]["reason"].startswith("단순 변심 [")


# ---------------------------------------------------------------- at once


async def test_two_partial_refunds_at_once_are_both_made_and_the_same_key_only_once(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await asyncio.gather(refund(stack, number, amount=3000), refund(stack, number, amount=2500))
    headers, path = {"Idempotency-Key": uuid.uuid4().hex}, f"/v1/payments/{number}/refunds"
    twins = [stack.api.post(path, json={"amount": 1000}, headers=headers) for _ in range(2)]
    answers = await asyncio.gather(*twins)
    # A twin is refused while the first is being made; after that it gets the same answer.
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert (await refund(stack, number, key=headers["Idempotency-Key"], amount=1000))["state"] == "refunded"
    assert await kept(stack, number) == 9900 - 3000 - 2500 - 1000
    assert await refunds_add_up(stack, number) == 6500
    assert await parked(stack) == []


@pytest.mark.parametrize("kind", ["500_after", "drop_after"])
async def test_a_refund_whose_answer_is_lost_is_known_by_its_mark_and_made_once(stack, kind):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await stack.fault(path="cancel", kind=kind, count=1)
    bodies = sent(stack)
    answer = await refund(stack, number, amount=4000)
    assert (answer["state"], answer["remaining"], len(bodies)) == ("refunded", 5900, 1)
    (written,) = await stack.ledger.list_refunds(number)
    assert written.cancellation_id is not None
    assert await kept(stack, number) == 5900


def person_refunds_first(stack, imp_uid, amount):
    """In the moment in which our refund arrives at PortOne, a person refunds as much in its console."""
    account, done = stack.account(), []
    perform = account.perform

    async def crossed(request, path, work, **options):
        if path == "cancel" and not done:
            done.append(path)
            await console(stack, "cancel", imp_uid=imp_uid, amount=amount)
        return await perform(request, path, work, **options)

    account.perform = crossed


@pytest.mark.soak
async def test_a_refund_that_crosses_one_of_the_same_amount_in_the_console_is_made_beside_it(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    await current(stack, uid)
    person_refunds_first(stack, (await stack.ledger.get_charge(number)).imp_uid, 4000)
    answer = await refund(stack, number, amount=4000)
    assert (answer["state"], answer["remaining"]) == ("refunded", 1900)
    assert "4,000 KRW" in (await stands(stack, uid, "refunded_elsewhere"))["reason"]
    assert (await kept(stack, number), await refunds_add_up(stack, number)) == (1900, 8000)


@pytest.mark.soak
async def test_a_console_refund_of_the_same_amount_is_not_taken_for_one_that_never_arrived(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    stack.quick()
    await current(stack, uid)
    person_refunds_first(stack, (await stack.ledger.get_charge(number)).imp_uid, 4000)
    await stack.fault(path="cancel", kind="500_before", count=1)
    assert (await refund(stack, number, expect=202, amount=4000))["state"] == "unknown"
    # Nobody knows whether the first request is still on its way: for ten minutes PortOne's refusal proves nothing.
    await refund_goes_on(stack, number, minutes=30)
    assert (await kept(stack, number), await refunds_add_up(stack, number)) == (1900, 8000)
    names = await stack.events(uid)
    assert (names.count("refund.succeeded"), names.count("charge.refunded_elsewhere")) == (1, 1)


async def refund_goes_on(stack, number, **step):
    """Let time pass for a refund until it has ended; answers what it came to."""
    config = TimeSkippingConfig(enabled=False, max_session_skip_count=100)
    skipper = TimeSkipper(stack.temporal, config=config)
    handle = skipper.client.get_workflow_handle(f"refund/{number}")
    while (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
        with contextlib.suppress(RPCError):  # it has ended meanwhile
            await skipper.fast_forward(handle, timedelta(**step))
    return await handle.result()


@pytest.mark.soak
async def test_a_refund_that_portone_refuses_is_told_and_nothing_is_lost(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)

    def refuse(*_arguments, **_options):
        raise Refusal("취소 가능 기간이 지났습니다.")

    stack.account().execution.refund = refuse
    problem = await refund(stack, number, expect=409, amount=4000)
    assert "취소 가능 기간" in problem["detail"]
    assert (await told(stack, uid, "refund.refused"))[-1] == "refund.refused"
    assert (await state_of(stack, number), await kept(stack, number)) == ("paid", 9900)


async def test_a_refund_that_stays_unknown_is_asked_for_until_portone_says_yes_and_told_of_once(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    stack.quick()
    await stack.fault(path="cancel", kind="500_before", count=12)
    assert (await refund(stack, number, expect=202, amount=4000))["state"] == "unknown"
    assert (await refund_goes_on(stack, number, days=1))["state"] == "refunded"
    names = await stack.events(uid)
    assert (names.count("refund.unknown"), names.count("refund.succeeded")) == (1, 1)
    assert (await kept(stack, number), await refunds_add_up(stack, number)) == (5900, 4000)


@pytest.mark.soak
async def test_a_refund_that_portone_took_and_its_pg_makes_later_is_asked_for_once(stack):
    uid = await stack.start()
    number = await order_of(stack, uid)
    stack.quick()
    execution = stack.account().execution
    make, later = execution.refund, []

    def accept(payment, *arguments, **options):
        later.append((payment, arguments, options))
        return payment

    execution.refund = accept
    bodies = sent(stack)
    assert (await refund(stack, number, expect=202, amount=4000))["state"] == "unknown"
    await running_refund(stack, number)
    execution.refund = make
    await until(lambda: _taken(later))
    ((payment, arguments, options),) = later
    make(payment, *arguments, **options)
    assert (await refund_goes_on(stack, number, minutes=10))["state"] == "refunded"
    assert len(bodies) == 1
    assert await kept(stack, number) == 5900


async def _taken(later):
    return later


# ---------------------------------------------------------------- what a cancel gives back


async def cancel(stack, uid, how):
    """Cancel now with a refund; answers what went back."""
    told_so = await stack.order(uid, "cancel", at="now", refund=how)
    return told_so["refunded_amount"], told_so["refund_state"]


@pytest.mark.soak
async def test_a_cancel_gives_back_nothing_the_unused_days_or_everything_as_asked(stack):
    plan = {"name": "30일권", "amount": 9000, "interval": "day", "interval_count": 30}
    given = {}
    for how in ("none", "prorated", "full"):
        uid = await stack.start(plan=plan)
        number = await order_of(stack, uid)
        await stack.advance(uid, days=10)
        given[how] = (*await cancel(stack, uid, how), await kept(stack, number))
    assert given == {
        "none": (None, None, 9000),
        "prorated": (6000, "refunded", 3000),
        "full": (9000, "refunded", 0),
    }


@pytest.mark.soak
async def test_a_prorated_cancel_after_a_change_goes_back_through_both_orders_to_the_won(stack):
    plan = {"name": "30일권", "amount": 9000, "interval": "day", "interval_count": 30}
    uid = await stack.start(plan=plan)
    first = await order_of(stack, uid)
    await stack.advance(uid, days=10)
    changed = await stack.order(uid, "change-plan", quantity=2, at="now")
    second = changed["order"]["merchant_uid"]
    assert changed["order"]["charged_amount"] == 6000
    await stack.advance(uid, days=10)
    # Ten of thirty days are left of what is held, twice 9,000.
    assert await cancel(stack, uid, "prorated") == (6000, "refunded")
    assert (await kept(stack, second), await kept(stack, first)) == (0, 9000)
    assert await refunds_add_up(stack, second) == 6000


async def test_a_prorated_cancel_gives_back_what_is_still_paid_of_the_days_that_are_left(stack):
    plan = {"name": "30일권", "amount": 9000, "interval": "day", "interval_count": 30}
    uid = await stack.start(plan=plan)
    number = await order_of(stack, uid)
    await current(stack, uid)
    await refund(stack, number, amount=4000)
    await console(stack, "cancel", merchant_uid=number, amount=1000)
    await stands(stack, uid, "refunded_elsewhere")
    await stack.advance(uid, days=10)
    # Twenty days of thirty are left, 6,000 won of them; 5,000 went back before, and the ten that were used are kept.
    assert await cancel(stack, uid, "prorated") == (1000, "refunded")
    assert await kept(stack, number) == 3000
    assert await refunds_add_up(stack, number) == 6000
    assert await parked(stack) == []
