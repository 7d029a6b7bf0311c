from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.money import MINOR_DIGITS, Money

amounts = st.integers(-(10**15), 10**15)
currencies = st.sampled_from(sorted(MINOR_DIGITS))


@pytest.mark.parametrize("amount", [True, False, 9900.0, "9900", None, Decimal(9900), float("nan"), 2**63, -(2**63)])
def test_an_amount_that_is_no_whole_number_of_64_bits_is_refused(amount):
    with pytest.raises(ValueError, match="amount"):
        Money(amount)


@pytest.mark.parametrize("currency", ["krw", "", "WON", "KRW ", "XYZ", None, 410, ["KRW"]])
def test_a_currency_that_iso_4217_does_not_have_is_refused(currency):
    with pytest.raises(ValueError, match="currency"):
        Money(1, currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (9900.5, "KRW"),
        ("0.1", "KRW"),
        (9.999, "USD"),
        (Decimal("1e-30"), "USD"),
        (Decimal("0.10000000000000000000000000000000000001"), "USD"),
        (True, "KRW"),
        ("1e3", "KRW"),
        ("9,900", "KRW"),
        ("９９００", "KRW"),
        (" 1", "KRW"),
        ("1_000", "KRW"),
        ("", "KRW"),
        (None, "KRW"),
        (float("nan"), "KRW"),
        (float("inf"), "USD"),
        (Decimal("sNaN"), "USD"),
        (1e300, "KRW"),
        (Decimal("1e999999"), "KRW"),
        (Decimal("1e-999999"), "KRW"),
        (9223372036854775808, "KRW"),
    ],
)
def test_a_wire_number_that_is_not_exactly_that_money_is_refused(amount, currency):
    with pytest.raises(ValueError, match=r"amount|minor units"):
        Money.from_wire(amount, currency)


def test_a_wire_number_of_an_unknown_currency_is_refused():
    with pytest.raises(ValueError, match="currency"):
        Money.from_wire(9900, "won")


def test_two_currencies_do_not_add_up():
    with pytest.raises(ValueError, match="KRW and USD"):
        Money(1, "KRW") + Money(1, "USD")
    with pytest.raises(ValueError, match="USD and KRW"):
        Money(1, "USD") - Money(1, "KRW")


@pytest.mark.parametrize(
    ("amount", "currency", "wire", "text"),
    [
        (9900, "KRW", 9900, "9,900 KRW"),
        (999, "USD", Decimal("9.99"), "9.99 USD"),
        (1000, "USD", Decimal("10.00"), "10.00 USD"),
        (1, "USD", Decimal("0.01"), "0.01 USD"),
        (-5, "KWD", Decimal("-0.005"), "-0.005 KWD"),
        (123456789, "JPY", 123456789, "123,456,789 JPY"),
    ],
)
def test_money_is_written_as_portone_and_as_people_write_it(amount, currency, wire, text):
    money = Money(amount, currency)
    assert (money.on_wire(), str(money)) == (wire, text)
    assert type(money.on_wire()) is type(wire)


@given(amounts, currencies)
def test_money_comes_back_from_the_wire_as_it_was_sent(amount, currency):
    money = Money(amount, currency)
    assert Money.from_wire(money.on_wire(), currency) == money
    assert Money.from_wire(str(money.on_wire()), currency) == money


@given(st.integers(0, 10**12), currencies)
def test_a_json_float_is_read_as_the_decimal_it_prints(amount, currency):
    as_float = float(Money(amount, currency).on_wire())
    assert Money.from_wire(as_float, currency) == Money(amount, currency)


@given(amounts, amounts, currencies)
def test_what_is_added_can_be_taken_away_again(one, other, currency):
    total = Money(one, currency) + Money(other, currency)
    assert total.amount == one + other
    assert total - Money(other, currency) == Money(one, currency)
