"""Prices, coupons and holdings as Hypothesis draws them."""

from hypothesis import strategies as st

from billing.domain.bills import Holding
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.money import Money
from billing.domain.plans import PlanTerms

MONTHLY = Interval(IntervalUnit.MONTH)
prices = st.sampled_from([0, 1, 7, 9_900, 10_000, 29_900, 99_999]) | st.integers(0, 300_000)


@st.composite
def coupons(draw, currency="KRW"):
    duration = draw(st.sampled_from(CouponDuration))
    cycles = draw(st.integers(1, 12)) if duration is CouponDuration.REPEATING else None
    if draw(st.booleans()):
        return Coupon("WELCOME", percent_off=draw(st.integers(1, 100)), duration=duration, duration_cycles=cycles)
    off = Money(draw(st.integers(1, 200_000)), currency)
    return Coupon("WELCOME", amount_off=off, duration=duration, duration_cycles=cycles)


@st.composite
def terms(draw, intervals=st.just(MONTHLY), zones=st.just("Asia/Seoul"), currency="KRW"):  # noqa: B008
    price = draw(prices)
    tax_free = draw(st.sampled_from([0, price]) | st.integers(0, price))
    vat = draw(st.none() | st.integers(0, price - tax_free))
    name = draw(st.sampled_from(["Basic", "프리미엄"]))
    interval, zone = draw(intervals), draw(zones)
    return PlanTerms(name, Money(price, currency), interval, tax_free=tax_free, vat_amount=vat, zone=zone)


@st.composite
def holdings(draw, plans=terms()):  # noqa: B008
    return Holding(draw(plans), draw(st.integers(1, 5)), draw(st.none() | coupons()))


balances = st.just(0) | st.integers(-500_000, 500_000)
