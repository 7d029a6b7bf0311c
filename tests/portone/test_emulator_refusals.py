"""What the emulator refuses, loses or does not know, as the client tells it."""

from collections.abc import AsyncIterator

import pytest

from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.records import RefundState
from billing.emulator import EmulatorSettings
from billing.portone import (
    CancelPayment,
    IssueBillingKey,
    PortOneAuthError,
    PortOneRateLimitedError,
    PortOneRefusedError,
    PortOneUnavailableError,
)
from tests.portone.emulated import MONTH, Emulator, again, card, emulator_of


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with emulator_of(EmulatorSettings()) as made:
        yield made


@pytest.fixture
async def lenient_emulator() -> AsyncIterator[Emulator]:
    """One that says of an unknown customer_uid what clients have observed: HTTP 200 with code 1."""
    async with emulator_of(EmulatorSettings(unknown_customer="200")) as made:
        yield made


async def test_a_wrong_secret_is_an_authentication_error():
    async with emulator_of(EmulatorSettings(), imp_secret="wrong") as emulator:
        with pytest.raises(PortOneAuthError, match="POST /users/getToken: HTTP 401"):
            await emulator.portone.list_channels()
        assert (await emulator.portone.charge_again(again())).outcome is ChargeOutcome.NOT_EXECUTED


@pytest.mark.parametrize("path", ["pg", "*"])
async def test_one_refused_token_is_replaced_and_the_call_goes_on(emulator, path):
    await emulator.portone.list_channels()
    await emulator.fault("401", path)
    assert await emulator.portone.list_channels()


async def test_a_refused_card_gives_no_key(emulator):
    answer = await emulator.portone.issue_billing_key("customer-1", IssueBillingKey(card=card("0001")))
    assert (answer.outcome, answer.code, answer.key) == (KeyOutcome.REFUSED, -1, None)
    assert answer.message is not None
    assert answer.message.startswith("카드정보 인증 및 빌키 발급에 실패하였습니다.")
    assert await emulator.portone.find_billing_key("customer-1") is None


async def test_an_expired_card_is_refused(emulator):
    answer = await emulator.portone.issue_billing_key(
        "customer-1", IssueBillingKey(card=card("1234", expiry="2020-01"))
    )
    assert answer.outcome is KeyOutcome.REFUSED
    assert answer.message is not None
    assert "유효기간 오류" in answer.message


async def test_a_charge_of_an_unknown_key_is_declined(emulator):
    answer = await emulator.portone.charge_again(again())
    assert (answer.outcome, answer.message) == (ChargeOutcome.DECLINED, "등록되지 않은 구매자입니다.")


async def test_a_card_without_money_is_declined_and_leaves_a_failed_row(emulator):
    await emulator.key(last_four="0002")
    answer = await emulator.portone.charge_again(again())
    assert (answer.outcome, answer.code) == (ChargeOutcome.DECLINED, -1)
    rows = await emulator.portone.find_all_payments("order-1")
    assert [row.status for row in rows] == ["failed"]
    assert rows[0].fail_reason is not None
    assert rows[0].failed_time is not None
    assert rows[0].paid_time is None


@pytest.mark.parametrize("kind", ["500_after", "drop_after", "garbage"])
async def test_an_answer_lost_after_the_charge_is_unknown_and_found_paid(emulator, kind):
    await emulator.key()
    await emulator.fault(kind, "again")
    answer = await emulator.portone.charge_again(again())
    assert answer.outcome is ChargeOutcome.UNKNOWN
    assert [row.status for row in await emulator.portone.find_all_payments("order-1")] == ["paid"]
    assert await emulator.charged("order-1") == 1


async def test_an_error_before_the_charge_is_unknown_and_found_absent(emulator):
    await emulator.key()
    await emulator.fault("500_before", "again")
    assert (await emulator.portone.charge_again(again())).outcome is ChargeOutcome.UNKNOWN
    assert await emulator.portone.find_all_payments("order-1") == []


async def test_a_charge_that_was_not_let_in_is_not_executed(emulator):
    await emulator.key()
    await emulator.fault("429", "again")
    answer = await emulator.portone.charge_again(again())
    assert (answer.outcome, answer.http_status) == (ChargeOutcome.NOT_EXECUTED, 429)
    assert await emulator.charged("order-1") == 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("500_before", PortOneUnavailableError),
        ("garbage", PortOneUnavailableError),
        ("drop_after", PortOneUnavailableError),
        ("429", PortOneRateLimitedError),
    ],
)
async def test_a_look_up_that_fails_says_so_and_never_that_there_is_nothing(emulator, kind, error):
    await emulator.key()
    await emulator.portone.charge_again(again())
    await emulator.fault(kind, "*")
    with pytest.raises(error):
        await emulator.portone.find_all_payments("order-1")
    assert len(await emulator.portone.find_all_payments("order-1")) == 1


async def test_the_same_order_is_not_paid_twice(emulator):
    await emulator.key()
    assert (await emulator.portone.charge_again(again())).outcome is ChargeOutcome.PAID
    assert (await emulator.portone.charge_again(again())).outcome is ChargeOutcome.DECLINED
    assert await emulator.charged("order-1") == 1


async def test_an_order_number_is_scheduled_once(emulator):
    await emulator.key()
    assert (await emulator.schedule()).outcome is ScheduleOutcome.REGISTERED
    assert (await emulator.schedule()).outcome is ScheduleOutcome.REFUSED


async def test_a_schedule_without_key_and_card_is_refused(emulator):
    answer = await emulator.schedule()
    assert (answer.outcome, answer.message) == (ScheduleOutcome.REFUSED, "등록된 고객정보가 없습니다.")


async def test_a_refund_with_a_wrong_balance_is_refused(emulator):
    await emulator.key()
    paid = (await emulator.portone.charge_again(again())).payment
    request = CancelPayment(imp_uid=paid.imp_uid, amount=Money(100), checksum=Money(500))
    assert (await emulator.portone.cancel_payment(request)).outcome is RefundState.REFUSED
    found = await emulator.portone.find_payment(paid.imp_uid)
    assert found is not None
    assert found.cancel_amount == 0


async def test_what_portone_does_not_know_is_none_or_empty(emulator):
    portone, now = emulator.portone, await emulator.now()
    assert await portone.find_billing_key("nobody") is None
    assert await portone.delete_billing_key("nobody") is None
    assert await portone.list_billing_keys(["nobody"]) == []
    assert await portone.find_payment("imps_000000000000") is None
    assert await portone.find_payment_by_merchant_uid("nothing") is None
    assert await portone.find_all_payments("nothing") == []
    assert await portone.list_payments(imp_uids=["imps_000000000000"]) == []
    assert await portone.find_schedule("nothing") is None
    assert await portone.find_prepared("nothing") is None
    assert await portone.unschedule("nobody", ["nothing"]) == []
    assert (await portone.list_billing_key_payments("nobody")).items == ()
    assert (await portone.list_customer_schedules("nobody", start=now, end=now + MONTH)).items == ()


async def test_an_unknown_key_may_be_said_with_code_1_too(lenient_emulator):
    assert await lenient_emulator.portone.find_billing_key("nobody") is None
    assert await lenient_emulator.portone.delete_billing_key("nobody") is None


async def test_a_list_that_portone_refuses_is_an_error_with_its_words(emulator):
    now = await emulator.now()
    with pytest.raises(PortOneRefusedError) as caught:
        await emulator.portone.list_schedules(start=now, end=now + 6 * MONTH)
    assert caught.value.http_status == 400
    with pytest.raises(PortOneRefusedError):
        await emulator.portone.list_payments_by_status("no such status")
