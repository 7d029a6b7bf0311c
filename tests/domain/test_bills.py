import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.bills import Bill, BillLine, Holding, partial_bill, period_bill
from billing.domain.coupons import Coupon
from billing.domain.money import MAX_AMOUNT, Money
from billing.domain.plans import PlanTerms
from billing.domain.shares import share
from tests.domain.drawn import MONTHLY, balances, holdings

TERMS = PlanTerms("Premium", Money(9900), MONTHLY, tax_free=990, vat_amount=810)
TENTH_OFF = Coupon("WELCOME", percent_off=10)


def plan(price, **parts):
    return PlanTerms("Premium", Money(price), MONTHLY, **parts)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Holding(TERMS, 0),
        lambda: Holding(TERMS, -1),
        lambda: Holding(plan(MAX_AMOUNT), 2),
        lambda: Holding(TERMS, 1, Coupon("c", amount_off=Money(1, "USD"))),
        lambda: Bill(Money(-1), 0, (BillLine("a", -1),), coupon_used=False, carried=0),
        lambda: Bill(Money(MAX_AMOUNT + 1), 0, (BillLine("a", MAX_AMOUNT + 1),), coupon_used=False, carried=0),
        lambda: Bill(Money(10), 11, (BillLine("a", 10),), coupon_used=False, carried=0),
        lambda: Bill(Money(10), 6, (BillLine("a", 10),), vat_amount=5, coupon_used=False, carried=0),
        lambda: Bill(Money(10), -1, (BillLine("a", 10),), coupon_used=False, carried=0),
        lambda: Bill(Money(10), 0, (BillLine("a", 10),), vat_amount=-1, coupon_used=False, carried=0),
        lambda: Bill(Money(10), 0, (BillLine("a", 9),), coupon_used=False, carried=0),
        lambda: Bill(Money(10), 0, (BillLine("a", 10),), coupon_used=False, carried=-1),
        lambda: partial_bill(Holding(TERMS), 31, 30),
        lambda: partial_bill(Holding(TERMS), -1, 30),
        lambda: partial_bill(Holding(TERMS), 0, 0),
    ],
)
def test_a_holding_or_a_bill_that_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError, match=r"quantity|KRW and USD|USD and KRW|amount|add up|span"):
        make()


def test_a_period_is_billed_at_its_price():
    bill = period_bill(Holding(TERMS))
    assert bill == Bill(Money(9900), 990, (BillLine("Premium", 9900),), vat_amount=810, coupon_used=False, carried=0)


def test_quantity_coupon_and_credit_each_have_a_line_and_the_parts_follow_the_amount():
    bill = period_bill(Holding(TERMS, 2, TENTH_OFF), balance=-7920)
    assert [(line.text, line.amount) for line in bill.lines] == [
        ("Premium × 2", 19800),
        ("coupon WELCOME", -1980),
        ("credit from before", -7920),
    ]
    assert (bill.amount, bill.tax_free, bill.vat_amount, bill.coupon_used) == (Money(9900), 990, 810, True)


def test_a_credit_that_is_larger_than_the_price_waits_for_the_next_bill():
    bill = period_bill(Holding(TERMS), balance=-12_000)
    assert (bill.amount, bill.carried, bill.tax_free, bill.vat_amount) == (Money(0), -2100, 0, 0)
    assert period_bill(Holding(TERMS), balance=bill.carried).amount == Money(7800)


def test_what_the_customer_owes_is_charged_with_the_bill():
    bill = period_bill(Holding(TERMS), balance=1100)
    assert (bill.amount, bill.carried, bill.tax_free) == (Money(11_000), 0, 1100)
    assert bill.lines[-1] == BillLine("owed from before", 1100)


def test_what_goes_beyond_one_charge_is_owed_with_the_next():
    bill = period_bill(Holding(plan(MAX_AMOUNT)), balance=500)
    assert (bill.amount, bill.carried) == (Money(MAX_AMOUNT), 500)


def test_a_free_period_is_a_bill_of_nothing():
    for holding in (Holding(plan(0, vat_amount=0)), Holding(TERMS, 1, Coupon("FREE", percent_off=100))):
        bill = period_bill(holding)
        assert (bill.amount, bill.tax_free, bill.vat_amount, bill.carried) == (Money(0), 0, 0, 0)
    owed = period_bill(Holding(plan(0)), balance=300)
    assert (owed.amount, owed.tax_free, owed.vat_amount) == (Money(300), 0, None)


def test_the_rest_of_a_period_costs_its_days():
    bill = partial_bill(Holding(TERMS, 2, TENTH_OFF), 20, 30)
    assert [(line.text, line.amount) for line in bill.lines] == [
        ("Premium × 2, 10 of 30 days", 6600),
        ("coupon WELCOME", -660),
    ]
    assert (bill.amount, bill.tax_free, bill.vat_amount) == (Money(5940), 594, 486)
    assert partial_bill(Holding(TERMS), 30, 30).amount == Money(0)


days = st.integers(1, 366)


@given(holdings(), balances)
def test_no_money_is_lost_between_the_price_the_balance_and_the_bill(holding, balance):
    bill = period_bill(holding, balance)
    assert bill.amount.amount + bill.carried == holding.value().amount + balance
    assert bill.carried == 0 or bill.amount.amount in {0, MAX_AMOUNT}
    assert bill.carried <= 0 or bill.amount.amount == MAX_AMOUNT


@given(holdings(), balances)
def test_tax_free_and_vat_follow_the_amount_and_never_exceed_it(holding, balance):
    bill, terms = period_bill(holding, balance), holding.terms
    amount, price = bill.amount.amount, terms.price.amount
    assert bill.tax_free + (bill.vat_amount or 0) <= amount
    assert (bill.vat_amount is None) == (terms.vat_amount is None)
    for part, whole in ((bill.tax_free, terms.tax_free), (bill.vat_amount or 0, terms.vat_amount or 0)):
        assert 0 <= whole * amount - part * price < max(price, 1)
    if terms.tax_free == price and price:
        assert bill.tax_free == amount


@given(holdings(), days, st.data(), balances)
def test_the_two_sides_of_any_day_cost_the_whole_period(holding, days, data, balance):
    day = data.draw(st.integers(0, days))
    rest = partial_bill(holding, day, days, balance)
    used = share(holding.value().amount, 0, day, days)
    assert used + rest.amount.amount + rest.carried - balance == holding.value().amount


@given(holdings(), days, st.data())
def test_the_rest_of_a_period_never_has_a_discount_that_adds_or_exceeds_the_price(holding, days, data):
    bill = partial_bill(holding, data.draw(st.integers(0, days)), days)
    assert sum(line.amount for line in bill.lines) >= 0
    assert all(line.amount <= 0 for line in bill.lines[1:])


@given(holdings(), days)
def test_the_rest_from_the_first_day_is_the_whole_period(holding, days):
    whole, rest = period_bill(holding), partial_bill(holding, 0, days)
    assert (whole.amount, whole.tax_free, whole.vat_amount) == (rest.amount, rest.tax_free, rest.vat_amount)


def test_less_than_a_pg_takes_at_once_is_carried_into_the_next_bill():
    too_little = period_bill(Holding(TERMS), -9_850, least=100)
    assert (too_little.amount, too_little.carried) == (Money(0), 50)
    assert period_bill(Holding(TERMS), too_little.carried, least=100).amount == Money(9_950)
    assert period_bill(Holding(TERMS), -9_800, least=100).amount == Money(100)
    assert partial_bill(Holding(TERMS), 29, 30, least=1_000).carried == 330


def test_a_price_that_the_pg_does_not_take_is_charged_all_the_same_for_the_pg_to_refuse():
    assert period_bill(Holding(plan(50)), least=100).amount == Money(50)
