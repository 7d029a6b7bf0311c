"""Every invariant holds for books in order, and fails for the books that it is there to notice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chaos.books import Asked, Books, Charge, Due, Life, Named, Payment, Run, Standing, ToldOfCharge
from chaos.invariants import CHECKS, violations

DAY = datetime(2027, 1, 31, 9, tzinfo=UTC)
LATER = DAY + timedelta(days=40)
PAID = Payment("imp_1", "s1a", "kim", 9900, 0, DAY)
CHARGE = Charge("s1a", "cycle", "kim", "s1", 1, 9900, "paid", "imp_1")
LIFE = Life("s1", "active", 2, None, is_running=True)
ENDED = replace(LIFE, status="canceled", ended_at=DAY - timedelta(hours=1), is_running=False)
BOOKS = Books(
    "kim",
    LATER,
    payments=[PAID],
    charges=[CHARGE],
    due=[Due("s1", 1, DAY, 9900)],
    lives=[LIFE],
    runs=[Run("subscription/kim", 100, 40.0, 0, commands=1)],
    asked=[Asked("POST /v1/subscriptions", 201, in_trouble=True)],
    acknowledged=["s1"],
    refunds={"s1a": 0},
)
SECOND = replace(PAID, imp_uid="imp_2", merchant_uid="s1b")
SECOND_CHARGE = replace(CHARGE, merchant_uid="s1b", imp_uid="imp_2")
UNPAID = replace(CHARGE, state="planned", imp_uid=None)
REVOKED = ToldOfCharge(DAY - timedelta(hours=1), "cancel", "revoked", "s1a")

BROKEN = {
    "no period paid twice": replace(BOOKS, payments=[PAID, SECOND], charges=[CHARGE, SECOND_CHARGE]),
    "no period lost": replace(BOOKS, payments=[], charges=[UNPAID]),
    "nothing unexpected kept": replace(BOOKS, payments=[PAID, replace(PAID, imp_uid="imp_3", merchant_uid="x")]),
    "right amounts": replace(BOOKS, payments=[replace(PAID, amount=9000)], charges=[replace(CHARGE, amount=9000)]),
    "never early": replace(BOOKS, payments=[replace(PAID, paid_at=DAY - timedelta(minutes=2))]),
    "books agree": replace(BOOKS, charges=[replace(CHARGE, state="declined")]),
    "refunds agree": replace(BOOKS, payments=[replace(PAID, refunded=900)]),
    "no charge after the end": replace(BOOKS, lives=[ENDED]),
    "no charge on a replaced key": replace(BOOKS, lives=[replace(LIFE, left_key=(("kim", DAY - timedelta(days=1)),))]),
    "answers stay true": replace(BOOKS, told=[REVOKED]),
    "commands are heard": replace(BOOKS, asked=[Asked("POST cancel", None, in_trouble=True)]),
    "histories are bounded": replace(BOOKS, runs=[Run("subscription/kim", 5000, 40.0, 0)]),
    "acknowledged is kept": replace(BOOKS, acknowledged=["s1", "s2"]),
    "runs live as their lives": replace(BOOKS, lives=[replace(LIFE, is_running=False)]),
    "ours is not called foreign": replace(BOOKS, named=[Named("parked", "schedule_revoked", "s1a")]),
    "nothing ends unasked": replace(
        BOOKS, lives=[replace(ENDED, ended_at=LATER, may_end=False)], payments=[PAID], charges=[CHARGE]
    ),
    "the database file is whole": replace(BOOKS, integrity=["row 7 missing from index"]),
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


@pytest.mark.parametrize(
    "books",
    [
        replace(BROKEN["no charge after the end"], lives=[ENDED], standing=[]),
        replace(BOOKS, payments=[], charges=[UNPAID], lives=[ENDED], standing=[Standing("s1a", "kim", LATER, 9900)]),
    ],
    ids=["charged", "still scheduled"],
)
def test_an_end_is_broken_by_a_charge_and_by_one_that_still_stands(books):
    assert "no charge after the end" in [each.invariant for each in violations(books)]


def test_money_that_went_back_is_no_second_payment_and_no_charge_after_the_end():
    back = replace(SECOND, refunded=9900)
    books = replace(BOOKS, payments=[PAID, back], charges=[CHARGE, SECOND_CHARGE], refunds={"s1a": 0, "s1b": 9900})
    assert "no period paid twice" not in [each.invariant for each in violations(books)]
    ended = replace(BOOKS, lives=[ENDED], payments=[replace(PAID, refunded=9900)], refunds={"s1a": 9900})
    assert "no charge after the end" not in [each.invariant for each in violations(ended)]


def test_a_list_that_names_the_order_excuses_it_and_a_list_that_names_another_does_not():
    broken = BROKEN["no period paid twice"]
    both = [Named("parked", "charge_mismatch", "s1a"), Named("parked", "charge_mismatch", "s1b")]
    assert "no period paid twice" not in [each.invariant for each in violations(replace(broken, named=both))]
    assert "no period paid twice" in [each.invariant for each in violations(replace(broken, named=both[:1]))]


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
