"""Every PG of PortOne's guide, by every way that the guide lists for it, billed for three cycles."""

import uuid
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.client import WorkflowUpdateFailedError

from billing.domain.pg_capabilities import PG_CAPABILITIES
from tests.soaking import soaking
from tests.stack import CARD, now, running_stack
from workflows.subscription.commands.change_plan import ChangePlan

KEY_IN = {
    "이니시스": ("html5_inicis", "inicis"),
    "NHN KCP": ("kcp",),
    "나이스페이먼츠 (구모듈, 신모듈)": ("nice", "nice_v2"),
    "토스페이먼츠 (신모듈)": ("tosspayments",),
    "키움페이": ("daou",),
    "KSNET": ("ksnet",),
    "웰컴페이먼츠": ("welcome",),
    "헥토파이낸셜": ("settle",),
}
"""The guide's list of key-in payments, its names and the modules they mean; nine with NICE's two."""

REST_KEY = KEY_IN
"""The guide's list of billing keys by REST is the same one."""

WINDOW_KEY = {
    "이니시스": ("html5_inicis",),
    "NHN KCP": ("kcp_billing",),
    "토스페이먼츠 (신모듈)": ("tosspayments",),
    "다날": ("danal_tpay", "danal"),
    "이지페이(KICC)": ("kicc",),
    "모빌리언스 (휴대폰 소액결제 한정)": ("mobilians",),
    "웰컴페이먼츠": ("welcome",),
    "스마트로 (신모듈)": ("smartro_v2",),
    "헥토파이낸셜 (내통장 결제 한정)": ("settle_acc",),
    "카카오페이": ("kakaopay",),
    "네이버페이 (결제형 한정)": ("naverpay",),
    "페이코": ("payco",),
    "스마일페이": ("smilepay",),
    "토스페이 (신모듈)": ("tosspay_v2",),
    "페이먼트월": ("paymentwall",),
    "페이팔 (RT)": ("paypal_v2",),
}
"""The guide's list of billing keys issued in the payment window: sixteen names."""

CHARGED_IN_THE_WINDOW = ("danal", "mobilians", "paymentwall")
DECLINED_TWICE = "4518-4212-3456-0004"
MONTH = timedelta(days=31)
EMAIL = "gildong@example.com"


def modules(listed):
    return [module for of_name in listed.values() for module in of_name]


@pytest_asyncio.fixture(scope="module")
async def stack(dev_server, tmp_path_factory):
    """One product for all PGs: what one of them lives through is another's no business."""
    async with running_stack(dev_server.client, tmp_path_factory.mktemp("pgs")) as running:
        yield running


def plan_at(pg):
    won = "KRW" in PG_CAPABILITIES[pg].currencies
    price = {"amount": 9900, "currency": "KRW"} if won else {"amount": 999, "currency": "USD"}
    return {"name": "월간 이용권", **price, "interval": "month"}


async def window_key(stack, pg, card=CARD):
    """A key issued in the window of that PG; answers its customer_uid and what the start of a subscription needs.

    Where the window has charged the first month, the subscription begins when that month is over.
    """
    uid, plan = f"{pg}_{uuid.uuid4().hex[:8]}", plan_at(pg)
    window = {"customer_uid": uid, "card_number": card, "pg": pg, "buyer_email": EMAIL, "merchant_uid": f"{uid}_window"}
    charged = pg in CHARGED_IN_THE_WINDOW
    if charged:
        window |= {"amount": plan["amount"]}
    answer = await stack.emulator.post("/emulator/window/billing-key", json=window)
    assert answer.status_code == 201, answer.text
    later = {"trial_end": (now() + MONTH).isoformat()} if charged else {}
    return uid, {"payment_method": {"billing_key": True}, "pg": pg, "plan": plan, **later}


async def start_from_the_window(stack, pg, card=CARD):
    uid, start = await window_key(stack, pg, card)
    return await stack.start(uid, **start)


def rows_of(stack, uid, pg):
    """The emulator's payments of a key, but for the window's own; all of them at that PG."""
    rows = [row for row in stack.account().world.payments_by(uid) if row["merchant_uid"] != f"{uid}_window"]
    assert {row["pg_provider"] for row in rows} == {pg}
    return rows


async def three_cycles_were_paid(stack, uid, pg):
    """The ledger has three paid charges, the books have the same three, and nothing was declined on the way."""
    rows = rows_of(stack, uid, pg)
    assert [row["status"] for row in rows] == ["paid"] * 3
    written = {row["merchant_uid"] for row in await stack.charges(uid) if row["state"] == "paid"}
    assert written == {row["merchant_uid"] for row in rows}
    assert len(written) == 3
    assert (await stack.books(uid))["totals"]["charged_twice"] == []
    assert (await stack.subscription(uid))["status"] == "active"


def test_the_lists_are_the_guide_s_nine_nine_and_sixteen():
    assert len(modules(KEY_IN)) - len(KEY_IN["이니시스"]) + 1 == 9
    assert len(WINDOW_KEY) == 16
    by_guide = {"key_in": KEY_IN, "rest_key": REST_KEY, "window_key": WINDOW_KEY}
    for way, listed in by_guide.items():
        offering = {provider for provider, row in PG_CAPABILITIES.items() if getattr(row, way)}
        # The new module of Mobilians is in no list of the guide, and its schema has no charges for it.
        assert offering - {"mobilians_v2"} == set(modules(listed))


@pytest.mark.parametrize("pg", modules(KEY_IN))
async def test_a_card_typed_in_is_charged_once_at_every_pg_of_the_guide(stack, pg):
    card = {"card_number": CARD, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
    customer = {"name": "홍길동", "email": EMAIL, "tel": "01012345678"}
    body = {"amount": 12_000, "name": "단건 결제", "card": card, "customer": customer, "pg": pg}
    answer = await stack.api.post("/v1/payments", json=body)
    assert answer.status_code == 201, answer.text
    paid = answer.json()
    books = (await stack.emulator.get("/emulator/books", params={"merchant_uid": paid["merchant_uid"]})).json()
    assert [(charge["amount"], charge["status"]) for charge in books["charges"]] == [(12_000, "paid")]
    assert (paid["state"], paid["payments"][0]["imp_uid"]) == ("paid", books["charges"][0]["imp_uid"])
    assert stack.account().world.payments_of(paid["merchant_uid"])[0]["pg_provider"] == pg


@pytest.mark.parametrize("pg", soaking(modules(REST_KEY), beside=("html5_inicis", "settle")))
async def test_a_key_issued_by_card_number_is_billed_for_three_cycles_at_every_pg_of_the_guide(stack, pg):
    uid = await stack.start(f"{pg}_{uuid.uuid4().hex[:8]}", pg=pg)
    await stack.advance(uid, days=63)
    await three_cycles_were_paid(stack, uid, pg)


@pytest.mark.parametrize("pg", soaking(modules(WINDOW_KEY), beside=("danal",)))
async def test_a_key_issued_in_the_window_is_billed_for_three_cycles_at_every_pg_of_the_guide(stack, pg):
    uid = await start_from_the_window(stack, pg)
    await stack.advance(uid, days=94 if pg in CHARGED_IN_THE_WINDOW else 63)
    await three_cycles_were_paid(stack, uid, pg)


# ---------------------------------------------------------------- what some of them want


async def test_naver_pay_is_retried_under_another_order_number_and_refunded_with_who_asks_and_why(stack):
    uid, start = await window_key(stack, "naverpay", DECLINED_TWICE)
    await stack.start(uid, **start | {"plan": plan_at("naverpay") | {"trial_days": 1}})
    await stack.advance(uid, days=10)
    rows = rows_of(stack, uid, "naverpay")
    assert [row["status"] for row in rows] == ["failed", "failed", "paid"]
    assert len({row["merchant_uid"] for row in rows}) == 3
    refunded = await stack.api.post(f"/v1/payments/{rows[-1]['merchant_uid']}/refunds", json={"amount": 100})
    assert refunded.status_code == 201, refunded.text


@pytest.mark.soak
async def test_a_naver_pay_key_that_is_replaced_is_deleted_with_who_asks_and_why(stack):
    uid = await start_from_the_window(stack, "naverpay")
    other, _ = await window_key(stack, "naverpay")
    await stack.order(uid, "payment-method", payment_method={"billing_key": True}, customer_uid=other, pg="naverpay")
    assert await stack.portone.find_billing_key(uid) is None
    assert await stack.portone.find_billing_key(other) is not None


@pytest.mark.soak
@pytest.mark.parametrize("pg", ["tosspay_v2", "smilepay"])
async def test_where_no_schedule_is_booked_again_a_retry_is_our_own_charge_of_the_same_order(stack, pg):
    uid, start = await window_key(stack, pg, DECLINED_TWICE)
    await stack.start(uid, **start | {"plan": plan_at(pg) | {"trial_days": 1}})
    await stack.advance(uid, days=10)
    rows = rows_of(stack, uid, pg)
    assert [row["status"] for row in rows] == ["failed", "failed", "paid"]
    assert [row["customer_uid_usage"] for row in rows] == ["payment.scheduled", "payment", "payment"]
    assert len({row["merchant_uid"] for row in rows}) == 1


@pytest.mark.soak
async def test_what_paymentwall_refuses_first_and_approves_later_is_settled_and_not_charged_again(stack):
    uid = await start_from_the_window(stack, "paymentwall")
    await stack.fault(path="schedule", kind="decline", customer_uid=uid, count=1)
    await stack.advance(uid, days=31, hours=1)
    assert (await stack.subscription(uid))["status"] == "past_due"
    (failed,) = rows_of(stack, uid, "paymentwall")
    act = {"act": "approve_late", "imp_uid": failed["imp_uid"]}
    assert (await stack.emulator.post("/emulator/console", json=act)).status_code == 200
    await stack.advance(uid, days=8)
    assert (await stack.subscription(uid))["status"] == "active"
    assert [row["status"] for row in rows_of(stack, uid, "paymentwall")] == ["paid"]


@pytest.mark.parametrize("pg", soaking(["danal", "mobilians"], beside=["danal"]))
async def test_a_phone_bill_takes_no_other_amount_and_goes_back_as_a_whole(stack, pg):
    uid = await start_from_the_window(stack, pg)
    await stack.advance(uid, days=32)
    dearer, yearly = plan_at(pg) | {"amount": 12_900}, plan_at(pg) | {"interval": "year"}
    for change in ({"plan": dearer}, {"quantity": 2}, {"plan": yearly}):
        problem = await stack.order(uid, "change-plan", expect=422, **change)
        assert (problem["code"], problem["pg"]) == ("pg_phone_billing", pg)
        assert "every month" in problem["detail"]
    (row,) = rows_of(stack, uid, pg)
    refund = f"/v1/payments/{row['merchant_uid']}/refunds"
    part = await stack.api.post(refund, json={"amount": 100})
    assert (part.status_code, part.json()["code"]) == (409, "pg_partial_cancel")
    whole = await stack.api.post(refund, json={})
    assert (whole.status_code, whole.json()["amount"]) == (201, 9900)


async def test_a_change_that_reaches_the_workflow_by_itself_is_refused_there_too(stack):
    uid = await start_from_the_window(stack, "danal")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await stack.handle(uid).execute_update("change_plan", ChangePlan(quantity=2))
    assert refused.value.cause.type == "pg_phone_billing"


@pytest.mark.soak
async def test_a_new_key_whose_pg_could_not_bill_the_plan_is_refused_and_the_old_one_is_charged_on(stack):
    uid = await stack.start(f"nice_{uuid.uuid4().hex[:8]}", pg="nice")
    other, _ = await window_key(stack, "paypal_v2")
    new = {"payment_method": {"billing_key": True}, "customer_uid": other}
    assert (await stack.order(uid, "payment-method", expect=409, **new))["code"] == "pg_currency"
    assert await stack.portone.find_billing_key(other) is not None
    await stack.advance(uid, days=32)
    assert await stack.agree(uid) == 2
