"""Calls that were not answered, without Temporal: what they may still do, and until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from billing.domain import calls
from billing.domain.calls import MAY_CHARGE, CallKind
from billing.domain.deadlines import QuietWindow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUIET = QuietWindow(minutes=10)


def sent(*made):
    kept = []
    for minutes, (kind, about) in enumerate(made):
        kept = calls.sent(kept, kind, about, NOW + timedelta(minutes=minutes), QUIET)
    return kept


def test_a_schedule_that_was_not_answered_may_still_charge_its_own_number_and_no_other():
    kept = sent((CallKind.SCHEDULE, "a"))
    assert calls.may_charge(kept, "a")
    assert not calls.may_charge(kept, "b")
    assert not calls.may_take_back(kept, "a")


def test_a_revoke_that_was_not_answered_may_still_take_back_what_is_registered_now():
    kept = sent((CallKind.UNSCHEDULE, "a"))
    assert calls.may_take_back(kept, "a")
    assert not calls.may_charge(kept, "a")


def test_of_two_calls_one_that_is_shown_done_leaves_the_other_on_its_way():
    both = sent((CallKind.RESCHEDULE, "a"), (CallKind.RESCHEDULE, "a"))
    assert calls.shown_done(both, "a", {CallKind.RESCHEDULE}) == both
    assert calls.shown_done(both[:1], "a", {CallKind.RESCHEDULE}) == []
    assert calls.shown_done(both[:1], "b", {CallKind.RESCHEDULE}) == both[:1]


def test_what_a_call_was_about_is_read_again_when_its_window_is_over_and_not_before():
    kept = sent((CallKind.SCHEDULE, "a"), (CallKind.DELETE_KEY, "key"))
    assert calls.next_end(kept) == NOW + timedelta(minutes=10)
    assert calls.over(kept, NOW + timedelta(minutes=9)) == []
    assert calls.over(kept, NOW + timedelta(minutes=10)) == kept[:1]
    assert calls.last_end(kept, "key") == NOW + timedelta(minutes=11)
    assert calls.last_end(kept, "b") is None
    assert calls.charges_until(kept, "a") == NOW + timedelta(minutes=10)
    assert calls.charges_until(kept, "key") is None


def test_every_call_that_may_charge_is_one_that_an_order_number_is_blocked_by():
    for kind in CallKind:
        assert calls.may_charge(sent((kind, "a")), "a") is (kind in MAY_CHARGE)


def test_of_several_calls_about_the_same_only_the_last_one_is_read_again():
    kept = sent(
        (CallKind.UNSCHEDULE, "a"), (CallKind.UNSCHEDULE, "a"), (CallKind.UNSCHEDULE, "b"), (CallKind.AGAIN, "a")
    )
    assert [calls.is_followed(kept, call) for call in kept] == [True, False, False, False]


def test_two_calls_that_are_the_same_in_everything_end_one_by_one():
    (call,) = sent((CallKind.UNSCHEDULE, "a"))
    twin = replace(call)
    assert calls.is_followed([call, twin], call)
    assert calls.without([call, twin], call) == [twin]
    assert not calls.is_followed([twin], twin)
