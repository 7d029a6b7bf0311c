import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.money import Money
from tests.domain.drawn import coupons

REPEATING = {"duration": CouponDuration.REPEATING}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "n" * 41}),
        ("percent_off", {"percent_off": 0}),
        ("percent_off", {"percent_off": 101}),
        ("percent_off", {"percent_off": -5}),
        ("amount_off", {"percent_off": None, "amount_off": Money(0)}),
        ("amount_off", {"percent_off": None, "amount_off": Money(-1)}),
        ("amount_off", {"percent_off": None, "amount_off": Money(100_000_001)}),
        ("percent_off or amount_off", {"amount_off": Money(1000)}),
        ("percent_off or amount_off", {"percent_off": None}),
        ("duration_cycles", REPEATING),
        ("duration_cycles", {**REPEATING, "duration_cycles": 0}),
        ("duration_cycles", {"duration_cycles": 3}),
        ("duration_cycles", {"duration": CouponDuration.FOREVER, "duration_cycles": 3}),
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused_and_the_field_is_named(field, given):
    with pytest.raises(ValueError, match=field):
        Coupon(**{"name": "WELCOME", "percent_off": 10, **given})


def test_a_coupon_of_another_currency_or_on_a_negative_price_is_refused():
    with pytest.raises(ValueError, match="KRW and USD"):
        Coupon("WELCOME", amount_off=Money(100, "USD")).discount(Money(9900))
    with pytest.raises(ValueError, match="under 0"):
        Coupon("WELCOME", percent_off=10).discount(Money(-1))
    with pytest.raises(ValueError, match="cycles_used"):
        Coupon("WELCOME", percent_off=10).applies(-1)


@pytest.mark.parametrize(
    ("coupon", "off"),
    [
        (Coupon("c", percent_off=10), 990),
        (Coupon("c", percent_off=33), 3267),
        (Coupon("c", percent_off=1), 99),
        (Coupon("c", percent_off=100), 9900),
        (Coupon("c", amount_off=Money(3000)), 3000),
        (Coupon("c", amount_off=Money(9900)), 9900),
        (Coupon("c", amount_off=Money(20_000)), 9900),
    ],
)
def test_a_coupon_takes_off_what_it_says_and_never_more_than_the_price(coupon, off):
    assert coupon.discount(Money(9900)) == Money(off)


def test_a_percentage_is_rounded_down_to_whole_minor_units():
    coupon = Coupon("c", percent_off=15)
    assert [coupon.discount(Money(price, "USD")).amount for price in (999, 1, 6, 7)] == [149, 0, 0, 1]


def test_a_coupon_counts_once_for_some_periods_or_forever():
    once, forever = (Coupon("c", percent_off=5, duration=CouponDuration(d)) for d in ("once", "forever"))
    three = Coupon("c", percent_off=5, duration=CouponDuration.REPEATING, duration_cycles=3)
    assert [once.applies(n) for n in range(3)] == [True, False, False]
    assert [three.applies(n) for n in range(5)] == [True, True, True, False, False]
    assert all(forever.applies(n) for n in (0, 1, 120, 10_000))


@given(coupons(), st.integers(0, 10**8))
def test_a_discount_lies_between_nothing_and_the_price(coupon, price):
    assert 0 <= coupon.discount(Money(price)).amount <= price


@given(coupons(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_higher_price_never_has_a_smaller_discount_and_never_costs_less(coupon, price, more):
    low, high = (coupon.discount(Money(amount)).amount for amount in (price, price + more))
    assert low <= high
    assert price - low <= price + more - high


@given(coupons(), st.integers(0, 50))
def test_a_coupon_that_is_over_never_comes_back(coupon, cycles_used):
    assert coupon.applies(cycles_used) or not coupon.applies(cycles_used + 1)
