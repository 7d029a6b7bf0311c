"""Every invariant holds for books in order, and fails for the books that it is there to notice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chaos.books import Asked, Books, Charge, Due, Life, Named, Payment, Run, ToldOfCharge
from chaos.invariants import CHECKS, violations

DAY = datetime(2027, 1, 31, 9, tzinfo=UTC)
LATER = DAY + timedelta(days=40)
PAID = Payment("imp_1", "s1a", "kim", 9900, 0, DAY)
CHARGE = Charge("s1a", "cycle", "kim", "s1", 1, 9900, "paid", "imp_1")
LIFE = Life("s1", "active", 2, None)
ENDED = replace(LIFE, status="canceled", ended_at=DAY - timedelta(hours=1))
BOOKS = Books(
    "kim",
    LATER,
    payments=[PAID],
    charges=[CHARGE],
    due=[Due("s1", 1, DAY, 9900)],
    lives=[LIFE],
    runs=[Run("subscription/kim", 100, 40.0, 0, commands=1)],
    asked=[Asked("POST /v1/subscriptions", 201, in_trouble=True)],
)
UNPAID = replace(CHARGE, state="planned", imp_uid=None)
REVOKED = ToldOfCharge(DAY - timedelta(hours=1), "cancel", "revoked", "s1a")

BROKEN = {
    "no period lost": replace(BOOKS, payments=[], charges=[UNPAID]),
    "nothing unexpected kept": replace(BOOKS, payments=[PAID, replace(PAID, imp_uid="imp_3", merchant_uid="x")]),
    "never early": replace(BOOKS, payments=[replace(PAID, paid_at=DAY - timedelta(minutes=2))]),
    "no charge on a replaced key": replace(BOOKS, lives=[replace(LIFE, left_key=(("kim", DAY - timedelta(days=1)),))]),
    "answers stay true": replace(BOOKS, told=[REVOKED]),
    "commands are heard": replace(BOOKS, asked=[Asked("POST cancel", None, in_trouble=True)]),
    "histories are bounded": replace(BOOKS, runs=[Run("subscription/kim", 5000, 40.0, 0)]),
    "ours is not called foreign": replace(BOOKS, named=[Named("parked", "schedule_revoked", "s1a")]),
    "nothing ends unasked": replace(
        BOOKS, lives=[replace(ENDED, ended_at=LATER, may_end=False)], payments=[PAID], charges=[CHARGE]
    ),
}
"""Books that break one promise, by its name."""


def test_books_in_order_break_nothing():
    assert violations(BOOKS) == []


def test_every_invariant_has_books_that_break_it():
    assert set(BROKEN) == set(CHECKS)


@pytest.mark.parametrize("name", BROKEN)
def test_what_an_invariant_is_there_for_is_noticed_by_it(name):
    found = [each.invariant for each in violations(BROKEN[name])]
    assert name in found


def test_a_list_that_names_the_order_excuses_it_and_a_list_that_names_another_does_not():
    broken = BROKEN["nothing unexpected kept"]
    assert violations(replace(broken, named=[Named("parked", "charge_mismatch", "x")])) == []
    assert violations(replace(broken, named=[Named("parked", "charge_mismatch", "s1a")])) != []


def test_behind_a_period_that_waits_for_a_person_none_is_lost_and_before_it_one_is():
    waits = replace(CHARGE, merchant_uid="s2a", period=2, state="revoked", imp_uid=None)
    due = [Due("s1", period, DAY, 9900) for period in (1, 2, 3)]
    books = replace(BOOKS, due=due, charges=[CHARGE, waits], named=[Named("parked", "mismatch", "s2a")])
    assert violations(books) == []
    earlier = replace(waits, merchant_uid="s4a", period=4)
    books = replace(books, charges=[CHARGE, earlier], named=[Named("parked", "mismatch", "s4a")])
    assert [each.period for each in violations(books)] == ["s1/2", "s1/3"]


@pytest.mark.parametrize("charge", ["revoked", "none_planned", "declined"])
def test_an_answer_about_a_charge_is_broken_by_money_that_is_kept_later(charge):
    books = replace(BOOKS, told=[replace(REVOKED, charge=charge)])
    assert "answers stay true" in [each.invariant for each in violations(books)]
    planned_anew = replace(REVOKED, charge=charge, void_from=DAY - timedelta(minutes=30))
    assert violations(replace(BOOKS, told=[planned_anew])) == []


def test_an_answer_that_names_a_payment_is_broken_where_there_is_none():
    told = [ToldOfCharge(LATER, "cancel", "paid", "s1a", "imp_9")]
    assert "answers stay true" in [each.invariant for each in violations(replace(BOOKS, told=told))]
    assert violations(replace(BOOKS, told=[replace(told[0], imp_uid="imp_1")])) == []


@pytest.mark.parametrize("number", ["s1a", None])
def test_what_is_announced_as_done_by_somebody_else_was_done_by_somebody_else(number):
    books = replace(BOOKS, foreign=[Named("event", "payment_method.deleted_elsewhere", number)])
    assert "ours is not called foreign" in [each.invariant for each in violations(books)]
    assert violations(replace(books, touched=frozenset({"s1a"}))) == []


def test_what_could_not_be_paid_may_end_unasked():
    books = BROKEN["nothing ends unasked"]
    declined = replace(CHARGE, merchant_uid="s2a", period=2, state="declined", imp_uid=None)
    assert violations(replace(books, charges=[CHARGE, declined])) == []


def test_a_workflow_task_that_fails_for_ever_is_noticed_whatever_the_length_of_its_history():
    books = replace(BOOKS, runs=[Run("subscription/kim", 20, 40.0, 9)])
    assert "histories are bounded" in [each.invariant for each in violations(books)]
