"""Requests: PortOne's own names, amounts as exact JSON numbers, and nothing that could cost money by mistake."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.domain.money import MAX_AMOUNT, Money
from billing.portone import CancelPayment, ChargeAgain, ScheduleItem
from billing.portone.requests import unix_seconds, wire_number


@given(st.integers(min_value=-(10**15), max_value=10**15 - 1), st.sampled_from(["KRW", "USD"]))
def test_every_amount_is_written_as_the_exact_number(minor, currency):
    money = Money(minor, currency)
    written = json.dumps(wire_number(money))
    assert Decimal(written) == money.on_wire()
    assert "e" not in written.lower()


@pytest.mark.parametrize(
    ("money", "written"),
    [(Money(9900), "9900"), (Money(999, "USD"), "9.99"), (Money(1000, "USD"), "10"), (Money(10, "USD"), "0.1")],
)
def test_an_amount_on_the_wire_is_a_number_and_no_text(money, written):
    assert json.dumps(wire_number(money)) == written


def test_an_amount_that_no_float_can_write_is_refused():
    with pytest.raises(ValueError, match="digits"):
        wire_number(Money(1234567890123456789, "USD"))


async def test_a_charge_says_amount_and_currency_and_leaves_out_what_is_not_said(wire, client):
    await client.charge_again(wire.again())
    assert wire.body() == {
        "customer_uid": "u-1",
        "merchant_uid": "order_1",
        "amount": 9900,
        "currency": "KRW",
        "name": "A month",
    }
    assert wire.requests[-1].headers["Content-Type"] == "application/json"
    assert b'"amount": 9900' in wire.requests[-1].content


async def test_tax_parts_are_said_where_they_differ_from_portones_defaults(wire, client):
    cases = [
        ({"tax_free": 0}, {}),
        ({"tax_free": 900}, {"tax_free": 900}),
        ({"vat_amount": 0}, {"tax_free": 0, "vat_amount": 0}),
        ({"vat_amount": 900, "tax_free": 100}, {"tax_free": 100, "vat_amount": 900}),
    ]
    for given_parts, expected in cases:
        await client.charge_again(wire.again(**given_parts))
        assert {name: wire.body()[name] for name in ("tax_free", "vat_amount") if name in wire.body()} == expected


async def test_tax_parts_have_the_currency_of_the_amount(wire, client):
    await client.charge_again(wire.again(amount=Money(1100, "USD"), vat_amount=105))
    assert wire.body()["vat_amount"] == 1.05
    assert wire.body()["amount"] == 11


async def test_a_schedule_is_sent_in_unix_seconds_each_with_its_own_notice_url(wire, client):
    at = datetime(2030, 2, 28, 9, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=9)))
    items = tuple(
        wire.item(merchant_uid=f"order_{number}", schedule_at=at, notice_url=f"https://x.test/{number}")
        for number in (1, 2)
    )
    wire.says(wire.envelope([wire.schedule(merchant_uid="order_1"), wire.schedule(merchant_uid="order_2")]))
    await client.schedule(wire.booking(schedules=items, checking_amount=100))
    body = wire.body()
    assert (body["customer_uid"], body["checking_amount"]) == ("u-1", 100)
    assert [item["notice_url"] for item in body["schedules"]] == ["https://x.test/1", "https://x.test/2"]
    assert {item["schedule_at"] for item in body["schedules"]} == {int(datetime(2030, 2, 28, tzinfo=UTC).timestamp())}
    assert {item["currency"] for item in body["schedules"]} == {"KRW"}
    assert "card_number" not in body


async def test_a_schedule_for_a_new_customer_carries_the_card_beside_the_items(wire, client):
    await client.schedule(wire.booking(card=wire.card()))
    body = wire.body()
    assert body["card_number"] == wire.PAN
    assert "card_number" not in body["schedules"][0]


async def test_names_that_portone_spells_two_ways_are_spelled_its_way(wire, client):
    await client.charge_onetime(wire.onetime(channel_group_id="group-1"))
    assert wire.body()["channelGroupId"] == "group-1"
    await client.issue_billing_key("u-1", wire.issue(channel_group_id="group-1"))
    assert wire.body()["channel_group_id"] == "group-1"
    assert "customer_uid" not in wire.body()


async def test_a_refund_says_amount_and_checksum(wire, client):
    await client.cancel_payment(wire.refund(amount=Money(1000), checksum=Money(9900), requester="admin", tax_free=0))
    assert wire.body() == {
        "imp_uid": "imps_123456789012",
        "amount": 1000,
        "checksum": 9900,
        "tax_free": 0,
        "extra": {"requester": "admin"},
    }


@pytest.mark.parametrize("amount", [Money(0), Money(-1), Money(0, "USD"), None, 9900, "9900", 0, True])
def test_a_refund_of_nothing_which_portone_reads_as_everything_cannot_be_built(amount):
    with pytest.raises(ValidationError):
        CancelPayment(imp_uid="imps_1", amount=amount)


def test_a_refund_without_an_amount_cannot_be_built():
    with pytest.raises(ValidationError):
        CancelPayment(imp_uid="imps_1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"imp_uid": None},
        {"checksum": Money(9899)},
        {"checksum": Money(9900, "USD")},
        {"imp_uid": "imps/1"},
        {"merchant_uid": "order 1"},
        {"tax_free": -1},
        {"whole": True},
    ],
)
def test_a_refund_that_makes_no_sense_cannot_be_built(wire, wrong):
    with pytest.raises(ValidationError):
        wire.refund(**wrong)


@pytest.mark.parametrize("amount", [Money(0), Money(-9900), Money(MAX_AMOUNT + 1), 9900, "9900", 99.0, True, None])
def test_a_charge_of_no_amount_or_of_too_much_cannot_be_built(wire, amount):
    for build in (wire.again, wire.onetime, wire.item):
        with pytest.raises(ValidationError):
            build(amount=amount)


@pytest.mark.parametrize(
    "wrong",
    [
        {"merchant_uid": ""},
        {"merchant_uid": "x" * 41},
        {"merchant_uid": "a/b"},
        {"merchant_uid": "order\n1"},
        {"customer_uid": "../users"},
        {"customer_uid": "x" * 81},
        {"name": ""},
        {"tax_free": 9901},
        {"tax_free": 9000, "vat_amount": 901},
        {"vat_amount": -1},
        {"tax_free": 1.5},
        {"tax_free": True},
        {"amonut": 1},
    ],
)
def test_a_charge_that_makes_no_sense_cannot_be_built(wire, wrong):
    with pytest.raises(ValidationError):
        wire.again(**wrong)


def test_a_charge_of_a_key_needs_a_name():
    with pytest.raises(ValidationError):
        ChargeAgain(customer_uid="u-1", merchant_uid="order_1", amount=Money(9900))


def test_a_schedule_needs_an_instant(wire):
    for wrong in (datetime(2030, 1, 1), None, "soon"):  # noqa: DTZ001
        with pytest.raises(ValidationError):
            wire.item(schedule_at=wrong)
    with pytest.raises(ValueError, match="time zone"):
        unix_seconds(datetime(2030, 1, 1))  # noqa: DTZ001


def test_two_schedules_cannot_share_an_order_number(wire):
    for schedules in ((), (wire.item(), wire.item())):
        with pytest.raises(ValidationError):
            wire.booking(schedules=schedules)


def test_display_texts_are_cut_and_addresses_that_do_not_fit_left_out(wire):
    request = wire.again(
        name="구" * 41, buyer_name="n" * 17, buyer_addr="a" * 129, buyer_email="e" * 65, buyer_tel="1" * 17
    )
    assert (request.name, request.buyer_name, request.buyer_addr) == ("구" * 40, "n" * 16, "a" * 128)
    assert (request.buyer_email, request.buyer_tel) == (None, None)
    key = wire.issue(customer_name="n" * 21, customer_email="e" * 200, customer_postcode="0" * 9)
    assert (key.customer_name, key.customer_email, key.customer_postcode) == ("n" * 20, "e" * 200, None)


def test_a_request_cannot_be_changed(wire):
    with pytest.raises(ValidationError):
        wire.again().amount = Money(1)


def test_a_schedule_item_keeps_the_instant_it_was_given():
    at = datetime(2030, 1, 31, tzinfo=UTC)
    item = ScheduleItem(merchant_uid="order_1", amount=Money(9900), name="A month", schedule_at=at)
    assert item.schedule_at == at
