"""Rows: what PortOne adds or leaves out breaks nothing, amounts are exact, and a card keeps four digits."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from pydantic import ValidationError

from billing.domain.facts import BillingKeyFact, PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.portone.models import BillingKey, Payment, Schedule, instant

WHEN = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


async def test_fields_and_words_of_next_year_are_no_trouble(wire, client):
    row = wire.payment(
        status="settled_by_moon",
        pay_method="telepathy",
        channel="watch",
        currency="KRW",
        customer_uid_usage="payment.dreamt",
        brand_new={"deep": [1, 2, {"er": None}]},
        sandbox=None,
    )
    wire.says(wire.envelope(row))
    payment = await client.find_payment("imps_1")
    assert payment is not None
    assert (payment.status, payment.pay_method, payment.customer_uid_usage) == (
        "settled_by_moon",
        "telepathy",
        "payment.dreamt",
    )
    assert not hasattr(payment, "brand_new")
    assert payment.fact().status == "settled_by_moon"
    schedule = Schedule.model_validate(wire.schedule(schedule_status="pending", payment_status="odd", more=1))
    assert (schedule.schedule_status, schedule.payment_status) == ("pending", "odd")


@pytest.mark.parametrize("odd", [{"a": 1}, [1], "word", 1.5, True])
def test_an_optional_field_of_an_odd_shape_hides_no_payment(wire, odd):
    optional = [name for name, field in Payment.model_fields.items() if field.default is None]
    payment = Payment.model_validate(wire.payment(**dict.fromkeys(optional, odd)))
    assert (payment.imp_uid, payment.status, payment.fact().amount) == ("imps_123456789012", "paid", Money(9900))


def test_every_field_that_the_schema_does_not_require_may_be_null_or_missing(wire):
    needed = {"imp_uid", "merchant_uid", "amount", "currency", "status"}
    row = wire.payment()
    assert Payment.model_validate({name: row[name] for name in needed}).cancel_amount == 0
    assert Payment.model_validate({name: row.get(name) if name in needed else None for name in Payment.model_fields})
    for name in needed:
        with pytest.raises(ValidationError):
            Payment.model_validate({**row, name: None})


@pytest.mark.parametrize("amount", [True, None, "much", "", [], {}, "NaN", "Infinity", 1e300, "1e999999"])
def test_an_amount_that_is_none_is_no_payment(wire, amount):
    for name in ("amount", "cancel_amount"):
        if (name, amount) != ("cancel_amount", None):
            with pytest.raises(ValidationError) as raised:
                Payment.model_validate(wire.payment(**{name: amount}))
            assert "much" not in str(raised.value)


async def test_amounts_are_read_exactly(wire, client):
    text = wire.envelope(wire.payment(currency="USD", amount="A", cancel_amount="B")).text
    # 1.10 and 0.1 have no exact float; 19.99 would come out as 19.989999999999998.
    wire.says(httpx.Response(200, text=text.replace('"A"', "19.99").replace('"B"', "1.10")))
    payment = await client.find_payment("imps_1")
    assert payment is not None
    assert (payment.amount, payment.cancel_amount) == (Decimal("19.99"), Decimal("1.10"))
    fact = payment.fact()
    assert (fact.amount, fact.cancelled_amount) == (Money(1999, "USD"), 110)


async def test_a_fraction_too_small_for_a_float_is_not_lost(wire, client):
    text = wire.envelope(wire.payment(currency="USD", amount="A")).text
    wire.says(httpx.Response(200, text=text.replace('"A"', "19.990000000000000000001")))
    payment = await client.find_payment("imps_1")
    assert payment is not None
    with pytest.raises(ValueError, match="minor units"):
        payment.fact()


def test_a_code_sent_as_a_number_is_a_text(wire):
    assert Payment.model_validate(wire.payment(card_code=361, pg_id=7)).card_code == "361"


@pytest.mark.parametrize(("amount", "currency"), [(9900.5, "KRW"), ("0.001", "USD"), (9900, "XXX"), (9900, "won")])
def test_an_amount_that_money_cannot_hold_makes_no_fact(wire, amount, currency):
    payment = Payment.model_validate(wire.payment(amount=amount, currency=currency))
    with pytest.raises(ValueError, match=r"currency|minor units"):
        payment.fact()


def test_a_currency_in_small_letters_is_the_same_currency(wire):
    assert Payment.model_validate(wire.payment(currency="krw")).fact().amount == Money(9900)


def test_a_payment_becomes_a_fact(wire):
    row = wire.payment(
        status="failed",
        paid_at=0,
        failed_at=wire.NOW,
        fail_reason="[8002] 5409260012345678 한도\n초과",
        cancel_amount=None,
        card_name="BC카드",
        card_number="54092600****5678",
        pg_provider="nice",
        receipt_url="https://pg.test/r",
        name="A month",
    )
    assert Payment.model_validate(row).fact() == PaymentFact(
        imp_uid="imps_123456789012",
        merchant_uid="order_1",
        status="failed",
        amount=Money(9900),
        cancelled_amount=0,
        customer_uid="u-1",
        pg_provider="nice",
        paid_at=None,
        failed_at=WHEN,
        fail_reason="[8002] [removed] 한도 초과",
        card_name="BC카드",
        card_number="****-****-****-5678",
        receipt_url="https://pg.test/r",
        sandbox=True,
        name="A month",
    )


def test_a_schedule_becomes_a_fact(wire):
    row = wire.schedule(schedule_status="executed", payment_status="failed", imp_uid="imps_9", fail_reason="한도")
    del row["currency"]
    schedule = Schedule.model_validate(row)
    assert schedule.executed_time is None
    assert schedule.fact() == ScheduleFact(
        merchant_uid="order_1",
        customer_uid="u-1",
        status="executed",
        schedule_at=datetime(2026, 9, 22, 14, 13, 20, tzinfo=UTC),
        amount=Money(9900),
        payment_status="failed",
        imp_uid="imps_9",
        fail_reason="한도",
    )
    with pytest.raises(ValueError, match="schedule_at"):
        Schedule.model_validate(wire.schedule(schedule_at=0)).fact()


def test_a_billing_key_becomes_a_fact(wire):
    assert BillingKey.model_validate(wire.key(card_type=0, customer_id="c-1")).fact() == BillingKeyFact(
        customer_uid="u-1",
        pg_provider="nice",
        pg_id="nictest04m",
        card_name="BC",
        card_number="****-****-****-5678",
        card_type=0,
        customer_id="c-1",
        inserted_at=WHEN,
        updated_at=WHEN,
        sandbox=True,
    )


def test_a_super_key_is_shown_by_its_first_channel():
    key = BillingKey.model_validate(
        {
            "customer_uid": "u-1",
            "channelGroupId": "group-1",
            "succeededChannels": [{"pg_provider": "nice_v2", "pg_id": "m1", "card_number": "5409260012345678"}],
            "failedChannels": [{"type": "DB_FAILED", "message": "x", "pg_provider": "kcp", "pg_id": "m2"}],
        }
    )
    assert key.channel_group_id == "group-1"
    assert (key.fact().pg_provider, key.fact().pg_id) == ("nice_v2", "m1")
    assert key.fact().card_number == "****-****-****-5678"
    assert key.failed_channels is not None
    assert key.failed_channels[0].type == "DB_FAILED"


@pytest.mark.parametrize("number", ["5409260012345678", "5409-2600-1234-5678", "54092600****5678", 5409260012345678])
def test_no_row_keeps_more_of_a_card_than_four_digits(wire, number):
    for row in (
        Payment.model_validate(wire.payment(card_number=number)),
        BillingKey.model_validate(wire.key(card_number=number)),
    ):
        assert row.card_number == "****-****-****-5678"
        assert "5409" not in repr(row)
        assert "5409" not in row.model_dump_json()


@pytest.mark.parametrize("number", ["", None, "5409****", "abc", []])
def test_a_card_number_without_last_digits_is_none(wire, number):
    assert Payment.model_validate(wire.payment(card_number=number)).card_number is None


def test_who_buys_is_not_in_a_repr(wire):
    buyer = {
        "buyer_name": "홍길동",
        "buyer_email": "hong@x.test",
        "buyer_tel": "010-1234-5678",
        "custom_data": "secret",
    }
    shown = repr(Payment.model_validate(wire.payment(**buyer)))
    for value in buyer.values():
        assert value not in shown


def test_a_text_with_a_nul_can_be_stored(wire):
    assert Payment.model_validate(wire.payment(name="A\x00month")).name == "Amonth"


@pytest.mark.parametrize("nothing", [None, 0, -1, 10**18])
def test_a_time_that_is_none_is_none(nothing):
    assert instant(nothing) is None


def test_refunds_are_listed_with_their_ids(wire):
    history = [{"pg_tid": "t", "amount": 40, "cancelled_at": wire.NOW, "reason": "변심", "cancellation_id": "c-1"}]
    payment = Payment.model_validate(wire.payment(cancel_history=history))
    assert payment.cancel_history is not None
    (refund,) = payment.cancel_history
    assert (refund.amount, refund.cancellation_id, refund.cancelled_time) == (40, "c-1", WHEN)
