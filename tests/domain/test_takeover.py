"""What a start makes of a key that something else charges: never a second charge of a period, never silence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.calendar import Anchor, Interval, IntervalUnit, before_the_first, cycle_due
from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.takeover import (
    AT_ISSUE,
    REFUSALS,
    KeyPayment,
    TakeOver,
    TakeOverRefusal,
    Terms,
    Way,
    choose,
    covers,
    in_words,
    of_payment,
    of_schedule,
)

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
PRICE, KEY, SEOUL = Money(9900), "kim_1", "Asia/Seoul"
MONTH = Interval(IntervalUnit.MONTH)


def row(number="old-1", *, days=9, amount=PRICE, key=KEY):
    return ScheduleFact(number, key, "scheduled", NOW + timedelta(days=days), amount)


def paid(number="old-1", *, days_ago=3, amount=PRICE, usage="payment", **changes):
    at = NOW - timedelta(days=days_ago)
    fact = PaymentFact(f"imps_{number}", number, "paid", amount, customer_uid=KEY, paid_at=at)
    return KeyPayment(replace(fact, **changes), usage)


def way(how, schedules=(), payments=(), *, charges_now=True, prices=(PRICE,)):
    return choose(Terms(TakeOver(how), PRICE, frozenset(prices), KEY, charges_now), schedules, payments)


@pytest.mark.parametrize(
    ("how", "schedules", "payments", "expected"),
    [
        ("refuse", (), (), Way()),
        ("refuse", (row(),), (), Way(TakeOverRefusal.SCHEDULED)),
        ("refuse", (), (paid(),), Way(TakeOverRefusal.CHARGED)),
        ("refuse", (), (paid(amount=Money(500)),), Way(TakeOverRefusal.CHARGED)),
        ("revoke", (row(), row("old-2", amount=Money(1))), (), Way(revoke=(row(), row("old-2", amount=Money(1))))),
        ("revoke", (row(),), (paid(amount=Money(500)),), Way(revoke=(row(),))),
        ("revoke", (row(),), (paid("old-0"),), Way(TakeOverRefusal.CHARGED)),
        ("adopt", (), (), Way()),
        ("adopt", (row("b", days=40), row("a")), (), Way(revoke=(row("b", days=40),), follows=row("a"))),
        ("adopt", (row(amount=Money(1)),), (), Way(TakeOverRefusal.NOTHING_FITS)),
        ("adopt", (row(amount=Money(9900, "USD")),), (), Way(TakeOverRefusal.NOTHING_FITS)),
        ("adopt", (row("주문 1"),), (), Way(TakeOverRefusal.NOTHING_FITS)),
        ("adopt", (row(),), (paid("old-0"),), Way(revoke=(row(),), pays=paid("old-0").payment)),
        ("adopt", (), (paid("a"), paid("b")), Way(TakeOverRefusal.CHARGED)),
        ("adopt", (), (paid(amount=Money(500)),), Way(TakeOverRefusal.NOTHING_FITS)),
    ],
)
def test_what_is_foreign_is_refused_taken_back_or_adopted_as_the_caller_said(how, schedules, payments, expected):
    assert way(how, schedules, payments) == expected


def test_a_payment_of_a_whole_period_pays_the_running_one_though_the_first_bill_is_smaller():
    whole = Money(30_000)
    prices = (PRICE, whole)
    for payment in (paid(amount=whole), paid(), paid(amount=whole, cancelled_amount=100), paid("주문 1", amount=whole)):
        assert way("revoke", (row(),), (payment,), prices=prices) == Way(TakeOverRefusal.CHARGED)
    for other in (paid(amount=Money(30_000, "USD")), paid(amount=whole, customer_uid="lee"), paid(amount=Money(500))):
        assert way("revoke", (row(),), (other,), prices=prices) == Way(revoke=(row(),))
    # It cannot be the first period either, which costs something else.
    assert way("adopt", (), (paid(amount=whole),), prices=prices) == Way(TakeOverRefusal.NOTHING_FITS)


@pytest.mark.parametrize("how", ["refuse", "revoke", "adopt"])
def test_what_a_pg_charged_at_issue_is_the_first_period_or_refuses_the_start(how):
    mine = paid(usage=AT_ISSUE)
    assert way(how, (), (mine,)) == Way(pays=mine.payment)
    for other in (
        paid(usage=AT_ISSUE, amount=Money(100)),
        paid(usage=AT_ISSUE, amount=Money(9900, "USD")),
        paid(usage=AT_ISSUE, cancelled_amount=900),
        paid(usage=AT_ISSUE, customer_uid="lee"),
    ):
        assert way(how, (), (other,)) == Way(TakeOverRefusal.AT_ISSUE)
    assert way(how, (), (mine, paid("again", usage=AT_ISSUE))) == Way(TakeOverRefusal.AT_ISSUE)


@pytest.mark.parametrize("how", ["refuse", "revoke"])
def test_where_nothing_is_charged_now_what_was_paid_is_nobody_s_business(how):
    assert way(how, (), (paid(), paid("b", usage=AT_ISSUE)), charges_now=False) == Way()
    assert way("refuse", (row(),), (), charges_now=False) == Way(TakeOverRefusal.SCHEDULED)


_AMOUNTS = st.sampled_from([PRICE, Money(1)])
_ROWS = st.lists(
    st.builds(row, st.sampled_from(["a", "b", "c"]), days=st.integers(0, 60), amount=_AMOUNTS),
    max_size=4,
)
_PAYMENTS = st.lists(
    st.builds(
        paid,
        st.sampled_from(["p", "q", "r"]),
        days_ago=st.integers(0, 20),
        amount=_AMOUNTS,
        usage=st.sampled_from([AT_ISSUE, "payment", None]),
    ),
    max_size=3,
)


@given(st.sampled_from(TakeOver), _ROWS, _PAYMENTS)
def test_no_schedule_is_left_beside_a_start_and_no_price_is_paid_twice_for_its_first_period(how, schedules, payments):
    chosen = way(how, schedules, payments)
    if chosen.refusal is not None:
        assert not chosen.revoke
        assert chosen.pays is chosen.follows is None
        return
    dealt_with = [*chosen.revoke, *([chosen.follows] if chosen.follows else [])]
    assert sorted(map(str, dealt_with)) == sorted(map(str, schedules))
    at_the_price = [each.payment for each in payments if each.payment.amount == PRICE]
    assert at_the_price == ([chosen.pays] if chosen.pays else [])
    assert not (chosen.pays and chosen.follows)
    assert chosen.follows is None or chosen.follows.amount == PRICE


@pytest.mark.parametrize(
    ("changes", "covering"),
    [
        ({"days_ago": 0}, True),
        ({"days_ago": 27}, True),
        ({"days_ago": 28}, False),
        ({"status": "failed", "paid_at": None}, False),
        ({"status": "cancelled", "cancelled_amount": 9900}, False),
        ({"status": "cancelled", "cancelled_amount": 900}, True),
    ],
)
def test_a_payment_counts_while_its_period_runs_and_money_is_held_by_it(changes, covering):
    assert covers(paid(**changes).payment, MONTH, SEOUL, NOW) is covering


def test_what_stands_is_told_by_order_number_amount_and_date():
    text = in_words("why", [of_schedule(row()), of_payment(paid("old-0", cancelled_amount=900).payment)])
    assert text == (
        f"why: old-1: {PRICE} scheduled 2027-03-10 09:00 UTC; old-0: {Money(9000)} paid 2027-02-26 09:00 UTC"
    )
    assert set(REFUSALS) == set(TakeOverRefusal)


@given(st.sampled_from(IntervalUnit), st.integers(1, 3), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_the_period_before_the_first_ends_with_it(unit, count, wall):
    interval, anchor = Interval(unit, count), Anchor.at(wall.replace(tzinfo=UTC, microsecond=0), SEOUL)
    began = before_the_first(anchor, interval)
    ends = cycle_due(Anchor.at(began, SEOUL), interval, 2)
    assert began < cycle_due(anchor, interval, 1)
    # A month that lacks the day ends it sooner: 31 March to 30 April counts back to 30 or 31 March.
    assert abs(cycle_due(anchor, interval, 1) - ends) <= timedelta(days=3)
