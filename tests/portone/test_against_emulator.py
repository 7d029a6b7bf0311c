"""Every call of the client, spoken with the emulator over ASGI: two programs that share no line of code."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome, ScheduleOutcome
from billing.domain.records import RefundState
from billing.emulator import EmulatorSettings
from billing.portone import (
    CancelPayment,
    ChargeOnetime,
    IssueBillingKey,
    PortOneClient,
    PortOneRefusedError,
    ScheduleItem,
    ScheduleRequest,
)
from tests.portone.emulated import BASE, MONTH, Emulator, again, card, emulator_of


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with emulator_of(EmulatorSettings()) as made:
        yield made


@pytest.fixture
async def hidden_channel() -> AsyncIterator[tuple[Emulator, PortOneClient]]:
    """An account of test channels that hides them; a client that asks for them, and one that does not."""
    settings = EmulatorSettings(sandbox=True, include_sandbox_by_default=False)
    async with emulator_of(settings, include_sandbox=True) as made:
        transport = made.control._transport
        async with PortOneClient(
            base_url=BASE, imp_key=settings.imp_key, imp_secret=settings.imp_secret, transport=transport
        ) as without:
            yield made, without


async def test_the_clock_and_the_channels_can_be_read(emulator):
    began = datetime.now(UTC).replace(microsecond=0)
    now = await emulator.now()
    assert began <= now <= datetime.now(UTC)
    await emulator.advance(timedelta(days=365))
    later = await emulator.now()
    assert timedelta(days=365) <= later - now < timedelta(days=366)
    # What comes with a token is real time: a client that keeps one counts by its own clock.
    assert abs(await emulator.portone.server_now() - datetime.now(UTC)) < timedelta(minutes=1)
    channels = await emulator.portone.list_channels()
    assert {"payment", "api_payment"} <= {channel.type for channel in channels}


async def test_a_key_lives_from_issue_to_deletion(emulator):
    portone = emulator.portone
    request = IssueBillingKey(card=card(), pg="nice", customer_name="김구독", customer_email="a@example.com")
    issued = await portone.issue_billing_key("user@example.com:1", request)
    assert issued.key is not None
    assert issued.key.card_number == "****-****-****-1234"
    found = await portone.find_billing_key("user@example.com:1")
    assert found == issued.key
    assert found.fact().inserted_at == found.inserted_time
    assert await portone.list_billing_keys(["user@example.com:1", "nobody"]) == [found]
    assert await portone.delete_billing_key("user@example.com:1", reason="moved") == found
    assert await portone.find_billing_key("user@example.com:1") is None


async def test_a_key_is_charged_and_the_payment_found_every_way(emulator):
    portone = emulator.portone
    await emulator.key()
    answer = await portone.charge_again(again(tax_free=900, buyer_name="김구독", notice_url="http://127.0.0.1:9/hook"))
    assert answer.outcome is ChargeOutcome.PAID
    paid = answer.payment
    assert await portone.find_payment(paid.imp_uid) == paid
    assert await portone.find_payment_by_merchant_uid("order-1") == paid
    assert await portone.find_payment_by_merchant_uid("order-1", status="paid", sorting="-paid") == paid
    assert await portone.find_payment_by_merchant_uid("order-1", status="failed") is None
    assert await portone.find_all_payments("order-1") == [paid]
    assert await portone.find_all_payments("order-1", status="paid") == [paid]
    assert await portone.find_all_payments("order-1", status="failed") == []
    assert await portone.list_payments(imp_uids=[paid.imp_uid, "imps_000000000000"]) == [paid]
    assert await portone.list_payments(merchant_uids=["order-1"]) == [paid]
    assert (await portone.list_payments_by_status("paid", limit=5)).items == (paid,)
    assert (await portone.list_billing_key_payments("customer-1")).items == (paid,)
    fact = paid.fact()
    assert (fact.status, fact.amount, fact.customer_uid) == ("paid", Money(9900), "customer-1")
    assert fact.card_number == "****-****-****-1234"


async def test_a_card_is_charged_once_and_kept_when_a_customer_uid_comes_along(emulator):
    request = ChargeOnetime(
        card=card(),
        merchant_uid="order-1",
        amount=Money(999, "USD"),
        name="A book",
        customer_uid="customer-1",
        pg="nice_v2",
    )
    answer = await emulator.portone.charge_onetime(request)
    assert answer.outcome is ChargeOutcome.PAID
    assert answer.payment is not None
    assert answer.payment.fact().amount == Money(999, "USD")
    assert await emulator.portone.find_billing_key("customer-1") is not None


async def test_all_attempts_of_an_order_are_found_oldest_first(emulator):
    await emulator.key(last_four="0004")
    outcomes = [(await emulator.portone.charge_again(again())).outcome for _ in range(3)]
    assert outcomes == [ChargeOutcome.DECLINED, ChargeOutcome.DECLINED, ChargeOutcome.PAID]
    rows = await emulator.portone.find_all_payments("order-1")
    assert [row.status for row in rows] == ["failed", "failed", "paid"]


async def test_a_schedule_runs_when_its_time_comes(emulator):
    await emulator.key()
    assert (await emulator.schedule()).outcome is ScheduleOutcome.REGISTERED
    waiting = await emulator.portone.find_schedule("order-1")
    assert waiting is not None
    assert (waiting.schedule_status, waiting.payment_status, waiting.imp_uid) == ("scheduled", None, None)
    await emulator.advance(MONTH + timedelta(minutes=1))
    run = await emulator.portone.find_schedule("order-1")
    assert run is not None
    assert (run.schedule_status, run.payment_status) == ("executed", "paid")
    [paid] = await emulator.portone.find_all_payments("order-1")
    assert run.imp_uid == paid.imp_uid
    assert run.fact().amount == Money(9900)


async def test_a_card_is_registered_and_scheduled_in_one_call(emulator):
    now = await emulator.now()
    items = tuple(
        ScheduleItem(merchant_uid=f"order-{n}", amount=Money(9900), name="한 달", schedule_at=now + n * MONTH)
        for n in (1, 2)
    )
    request = ScheduleRequest(customer_uid="customer-1", schedules=items, card=card(), pg="nice")
    answer = await emulator.portone.schedule(request)
    assert answer.outcome is ScheduleOutcome.REGISTERED
    assert [row.merchant_uid for row in answer.schedules] == ["order-1", "order-2"]
    assert await emulator.portone.find_billing_key("customer-1") is not None


async def test_a_schedule_is_moved_revoked_and_booked_again(emulator):
    portone = emulator.portone
    await emulator.key()
    await emulator.schedule()
    later = (await emulator.now() + 2 * MONTH).replace(microsecond=0)
    moved = await portone.move_schedule("order-1", later)
    assert (moved.outcome, moved.schedules[0].schedule_time) == (ScheduleOutcome.REGISTERED, later)
    [revoked] = await portone.unschedule("customer-1", ["order-1"])
    assert (revoked.schedule_status, revoked.revoked_time is None) == ("revoked", False)
    assert (await portone.move_schedule("order-1", later)).outcome is ScheduleOutcome.NOT_EXECUTED
    assert await portone.unschedule("customer-1", ["order-1"]) == []
    booked = await portone.reschedule("order-1", later)
    assert (booked.outcome, booked.schedules[0].schedule_status) == (ScheduleOutcome.REGISTERED, "scheduled")


async def test_unschedule_leaves_the_other_schedules_of_the_key(emulator):
    await emulator.key()
    await emulator.schedule("order-1")
    await emulator.schedule("order-2")
    assert [row.merchant_uid for row in await emulator.portone.unschedule("customer-1", ["order-1"])] == ["order-1"]
    left = await emulator.portone.find_schedule("order-2")
    assert left is not None
    assert left.schedule_status == "scheduled"


async def test_a_failed_schedule_is_tried_again_now(emulator):
    portone = emulator.portone
    await emulator.key(last_four="0004")
    await emulator.schedule()
    assert (await portone.retry_schedule("order-1")).outcome is ChargeOutcome.NOT_EXECUTED
    await emulator.advance(MONTH + timedelta(minutes=1))
    failed = await portone.find_schedule("order-1")
    assert failed is not None
    assert (failed.payment_status, failed.fail_reason is None) == ("failed", False)
    assert (await portone.retry_schedule("order-1")).outcome is ChargeOutcome.DECLINED
    retried = await portone.retry_schedule("order-1")
    assert retried.outcome is ChargeOutcome.PAID
    assert await emulator.charged("order-1") == 1


async def test_schedules_are_listed_by_range_and_by_key(emulator):
    portone = emulator.portone
    await emulator.key()
    for n in (1, 2):
        await emulator.schedule(f"order-{n}", n * MONTH / 2)
    start = await emulator.now()
    window: dict[str, Any] = {"start": start, "end": start + 2 * MONTH}
    first = await portone.list_schedules(**window, limit=1, oldest_first=True)
    assert ([row.merchant_uid for row in first.items], first.total, first.next) == (["order-1"], 2, 2)
    second = await portone.list_schedules(**window, limit=1, oldest_first=True, page=first.next)
    assert ([row.merchant_uid for row in second.items], second.previous, second.next) == (["order-2"], 1, 0)
    for listing in (portone.list_billing_key_schedules, portone.list_customer_schedules):
        assert [row.merchant_uid for row in (await listing("customer-1", **window)).items] == ["order-2", "order-1"]
        assert (await listing("customer-1", **window, status="revoked")).items == ()


async def test_payments_are_listed_by_window_both_ends_inside_and_page_by_page(emulator):
    portone = emulator.portone
    await emulator.key()
    for n in range(5):
        assert (await portone.charge_again(again(f"order-{n}"))).outcome is ChargeOutcome.PAID
        await emulator.advance(timedelta(days=1))
    found = await portone.find_all_payments("order-1")
    window: dict[str, Any] = {"start": found[0].paid_time, "end": found[0].paid_time + timedelta(days=90)}
    seen, number = [], 1
    while number:
        page = await portone.list_payments_by_status("all", **window, page=number, limit=3, oldest_first=True)
        assert page.total == 4
        seen += [row.merchant_uid for row in page.items]
        number = page.next
    assert seen == [f"order-{n}" for n in range(1, 5)]
    to_the_last = window | {"end": (await portone.find_all_payments("order-4"))[0].paid_time}
    assert (await portone.list_payments_by_status("paid", **to_the_last)).total == 4
    with pytest.raises(PortOneRefusedError):
        await portone.list_payments_by_status("all", **window, page=3, limit=3)
    with pytest.raises(PortOneRefusedError):
        await portone.list_payments_by_status("all", start=window["start"], end=window["end"] + timedelta(days=1))


async def test_a_payment_is_refunded_in_parts(emulator):
    await emulator.key()
    paid = (await emulator.portone.charge_again(again())).payment
    first = await emulator.portone.cancel_payment(
        CancelPayment(imp_uid=paid.imp_uid, amount=Money(4000), checksum=Money(9900), reason="a part")
    )
    assert first.outcome is RefundState.REFUNDED
    rest = await emulator.portone.cancel_payment(
        CancelPayment(merchant_uid="order-1", amount=Money(5900), checksum=Money(5900))
    )
    assert rest.outcome is RefundState.REFUNDED
    assert rest.payment is not None
    assert rest.payment.cancel_history is not None
    assert [part.amount for part in rest.payment.cancel_history] == [4000, 5900]
    assert rest.payment.fact().cancelled_amount == 9900


async def test_a_payment_of_a_test_channel_is_seen_only_when_asked_for(hidden_channel):
    emulator, without = hidden_channel
    await emulator.key()
    paid = (await emulator.portone.charge_again(again())).payment
    found = await emulator.portone.find_payment(paid.imp_uid)
    assert found is not None
    assert found.sandbox is True
    assert await without.find_payment(paid.imp_uid) is None


async def test_an_amount_is_prepared_changed_and_read(emulator):
    portone = emulator.portone
    prepared = await portone.prepare("order-1", Money(9900))
    assert (prepared.merchant_uid, prepared.amount, prepared.currency) == ("order-1", 9900, "KRW")
    with pytest.raises(PortOneRefusedError, match="이미 등록된 merchant_uid"):
        await portone.prepare("order-1", Money(9900))
    with pytest.raises(PortOneRefusedError):
        await portone.change_prepared("order-2", Money(100))
    await portone.change_prepared("order-1", Money(12_000))
    found = await portone.find_prepared("order-1")
    assert found is not None
    assert found.amount == 12_000
