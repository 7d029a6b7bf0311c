"""What a PG refuses is known before it is asked."""

import pytest

from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.coupons import Coupon, CouponDuration
from billing.domain.money import Money
from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.domain.pg_rules import (
    PgCall,
    given_by,
    refusal_of_amount,
    refusal_of_call,
    refusal_of_change,
    refusal_of_number,
    refusal_of_part,
    refusal_of_plan,
)
from billing.domain.plans import PlanTerms
from billing.domain.records import Customer

KIM = Customer(id="kim", name="Kim", tel="01012345678", email="kim@example.com")
CARD = ("card_number", "expiry", "birth", "pwd_2digit")
PHONES = ("danal", "mobilians")
OFFERED = {PgCall.ONETIME: "key_in", PgCall.ISSUE: "rest_key", PgCall.AGAIN: "again", PgCall.SCHEDULE: "schedule"}


def terms(unit=IntervalUnit.MONTH, count=1, **changed):
    return PlanTerms(**{"name": "월간", "price": Money(9900, "KRW"), "interval": Interval(unit, count), **changed})


@pytest.mark.parametrize("call", OFFERED)
def test_a_call_that_a_pg_does_not_offer_is_refused_by_its_name_and_every_other_is_not(call):
    for provider, row in PG_CAPABILITIES.items():
        refusal = refusal_of_call(row, call, given_by(KIM, CARD))
        if getattr(row, OFFERED[call]):
            assert refusal is None, provider
        else:
            assert (refusal.code, refusal.provider, refusal.call) == ("pg_not_supported", provider, call)
            assert provider in refusal.detail


@pytest.mark.parametrize(
    ("provider", "call"),
    [
        (provider, call)
        for provider, row in PG_CAPABILITIES.items()
        for call, offered in OFFERED.items()
        if getattr(row, offered) and row.required.get(call)
    ],
)
def test_each_parameter_that_a_pg_requires_is_named_when_it_is_missing(provider, call):
    row = PG_CAPABILITIES[provider]
    for name in row.required[call]:
        refusal = refusal_of_call(row, call, given_by(KIM, CARD) - {name})
        assert (refusal.code, refusal.missing) == ("pg_requires_field", name)
        assert refusal.detail == f"{provider} requires {name} for {call}"


@pytest.mark.parametrize("provider", PG_CAPABILITIES)
def test_the_currency_and_the_least_amount_of_every_pg_are_kept(provider):
    row = PG_CAPABILITIES[provider]
    for currency in ("KRW", "USD", "JPY"):
        refusal = refusal_of_amount(row, PgCall.AGAIN, Money(1_000_000, currency), None)
        assert (refusal is None) == (currency in row.currencies)
        assert refusal is None or refusal.code == "pg_currency"
    if row.minimum_amount:
        assert refusal_of_amount(row, PgCall.AGAIN, Money(row.minimum_amount, "KRW"), None) is None
        refusal = refusal_of_amount(row, PgCall.AGAIN, Money(row.minimum_amount - 1, "KRW"), None)
        assert refusal.code == "pg_minimum_amount"


@pytest.mark.parametrize("provider", PG_CAPABILITIES)
def test_a_vat_that_a_pg_cannot_be_told_is_refused_and_one_in_doubt_is_not(provider):
    row = PG_CAPABILITIES[provider]
    refusal = refusal_of_amount(row, PgCall.AGAIN, Money(1_000_000, row.currencies[0]), 90_909)
    assert (refusal is not None) == (row.vat_amount is False)
    assert refusal is None or refusal.code == "pg_vat_amount"


@pytest.mark.parametrize("number", ["order-1", "주문1", "a_b"])
def test_smartro_takes_an_order_number_of_letters_and_digits_only(number):
    refusal = refusal_of_number(PG_CAPABILITIES["smartro_v2"], PgCall.AGAIN, number)
    assert refusal.code == "pg_merchant_uid"
    assert refusal_of_number(PG_CAPABILITIES["smartro_v2"], PgCall.AGAIN, "order1") is None
    assert refusal_of_number(PG_CAPABILITIES["nice"], PgCall.AGAIN, number) is None


@pytest.mark.parametrize("provider", PHONES)
@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (terms(IntervalUnit.YEAR), "every month"),
        (terms(IntervalUnit.MONTH, 2), "every month"),
        (terms(IntervalUnit.DAY, 30), "every month"),
        (terms(trial_days=60), "trial"),
        (terms(price=Money(0, "KRW")), "the same amount"),
    ],
)
def test_a_phone_bill_takes_no_plan_but_a_monthly_one_of_a_constant_amount(provider, plan, rule):
    refusal = refusal_of_plan(PG_CAPABILITIES[provider], plan)
    assert refusal.code == "pg_phone_billing"
    assert provider in refusal.detail
    assert rule in refusal.detail
    assert refusal_of_plan(PG_CAPABILITIES["danal_tpay"], plan) is None


@pytest.mark.parametrize("provider", PHONES)
def test_a_phone_bill_takes_a_monthly_plan_after_the_month_that_the_window_charged(provider):
    row = PG_CAPABILITIES[provider]
    assert refusal_of_plan(row, terms()) is None
    assert refusal_of_plan(row, terms(), trial_days=31) is None
    assert refusal_of_plan(row, terms(), trial_days=40).code == "pg_phone_billing"


def test_a_phone_bill_takes_a_coupon_only_when_it_never_ends():
    row = PG_CAPABILITIES["danal"]
    ending = Coupon("첫 달", percent_off=10)
    lasting = Coupon("평생", percent_off=10, duration=CouponDuration.FOREVER)
    assert refusal_of_plan(row, terms(), ending).code == "pg_phone_billing"
    assert refusal_of_plan(row, terms(), lasting) is None


def test_a_phone_bill_never_changes_its_amount_and_a_card_may():
    before, after = Money(9900, "KRW"), Money(12_900, "KRW")
    assert "9900" in refusal_of_change(PG_CAPABILITIES["danal"], before, after).detail.replace(",", "")
    assert refusal_of_change(PG_CAPABILITIES["danal"], before, before) is None
    assert refusal_of_change(PG_CAPABILITIES["danal_tpay"], before, after) is None


def test_a_phone_bill_is_refunded_whole_or_not_at_all():
    row = PG_CAPABILITIES["danal"]
    assert refusal_of_part(row, Money(100, "KRW"), 9900).code == "pg_partial_cancel"
    assert refusal_of_part(row, Money(9900, "KRW"), 9900) is None
    assert refusal_of_part(PG_CAPABILITIES["daou"], Money(100, "KRW"), 9900) is None
