"""A charge that we send ourselves, without Temporal: whatever is answered and found, in whatever order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.attempt import PENDING_ENDS_AFTER, PENDING_LOOK_LATER, RESEND_AFTER, Attempt, AttemptStep, Sent
from billing.domain.deadlines import QuietWindow
from billing.domain.money import Money
from billing.domain.outcomes import ChargeOutcome
from billing.domain.verdict import Expected, Finding, Verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUIET = QuietWindow()
ABSENT, PENDING, PAID = Verdict(Finding.ABSENT), Verdict(Finding.PENDING), Verdict(Finding.PAID)


def begun():
    return Attempt.begun(Expected("order", Money(9900), "key"), 1, NOW)


def sent(outcome=ChargeOutcome.UNKNOWN, at=NOW, **answer):
    return begun().sending(at).answered(Sent(outcome, **answer), at)


def looked(attempt, verdict, at=None):
    return attempt.looked(verdict, at or attempt.at, QUIET)


def test_an_answer_that_is_lost_is_never_sent_again_before_the_quiet_window_is_over():
    attempt, looks = sent(), 0
    while attempt.step is AttemptStep.LOOK_UP:
        looks += 1
        attempt = looked(attempt, ABSENT)
        assert isinstance(attempt, Attempt)
    assert attempt.at >= NOW + timedelta(minutes=QUIET.minutes, seconds=QUIET.gap_seconds)
    assert attempt.next_send == 2
    # At once, four times while the window runs, and twice behind it.
    assert looks == 7


def test_absence_counts_only_in_two_looks_that_were_both_made_behind_the_window():
    behind = NOW + timedelta(minutes=QUIET.minutes)
    early = looked(sent(), ABSENT, behind - timedelta(seconds=1))
    assert (early.step, early.absent_looks) == (AttemptStep.LOOK_UP, 0)
    once = looked(early, ABSENT, behind)
    assert (once.step, once.absent_looks) == (AttemptStep.LOOK_UP, 1)
    unfinished = looked(once, PENDING, behind + timedelta(minutes=1))
    assert unfinished.absent_looks == 0
    twice = looked(looked(unfinished, ABSENT), ABSENT, behind + timedelta(hours=2))
    assert twice.step is AttemptStep.SEND


@pytest.mark.parametrize("finding", [Finding.PAID, Finding.DECLINED, Finding.MISMATCH])
@pytest.mark.parametrize("outcome", ChargeOutcome)
def test_what_is_found_is_believed_at_once_whatever_was_answered(outcome, finding):
    assert looked(sent(outcome), Verdict(finding)).finding is finding


def test_a_decline_that_is_not_listed_yet_is_a_decline_all_the_same():
    answered = sent(ChargeOutcome.DECLINED, message="over the limit")
    assert looked(answered, ABSENT) == Verdict(Finding.DECLINED, None, "over the limit")


def test_what_is_turned_away_is_sent_again_at_growing_distances_and_ends_as_never_run():
    attempt, waits = begun(), []
    for _ in range(len(RESEND_AFTER)):
        at = attempt.at
        attempt = looked(attempt.sending(at).answered(Sent(ChargeOutcome.NOT_EXECUTED), at), ABSENT)
        waits.append(attempt.at - at)
    assert tuple(waits) == RESEND_AFTER
    last = attempt.sending(attempt.at).answered(Sent(ChargeOutcome.NOT_EXECUTED, message="429"), attempt.at)
    assert looked(last, ABSENT) == Verdict(Finding.ABSENT, None, "429")


def test_a_request_that_is_wrong_is_not_sent_twice():
    refused = sent(ChargeOutcome.NOT_EXECUTED, worth_resending=False, message="400")
    assert looked(refused, ABSENT) == Verdict(Finding.ABSENT, None, "400")


def test_a_payment_that_is_never_finished_is_looked_at_ever_less_often_and_handed_to_a_person_after_days():
    attempt, looks = sent(), 0
    while isinstance(attempt, Attempt):
        assert attempt.step is AttemptStep.LOOK_UP
        attempt, looks, at = looked(attempt, PENDING), looks + 1, attempt.at
    assert attempt.finding is Finding.PENDING
    assert at - NOW <= PENDING_ENDS_AFTER + PENDING_LOOK_LATER
    assert looks < 50


def test_what_was_turned_away_and_is_stopped_never_left():
    turned_away = looked(sent(ChargeOutcome.NOT_EXECUTED), ABSENT)
    assert not turned_away.may_have_run
    assert not begun().may_have_run


def test_what_is_proven_absent_is_not_sent_after_it_was_stopped():
    attempt = sent()
    while attempt.step is AttemptStep.LOOK_UP:
        attempt = looked(attempt, ABSENT)
    # It was to leave once more, and PortOne could not be asked at that moment.
    assert not attempt.may_have_run


def test_what_may_have_run_is_looked_up_to_its_end_and_sent_no_more():
    attempt = sent().stopped()
    assert attempt.may_have_run
    while isinstance(attempt, Attempt):
        assert attempt.step is AttemptStep.LOOK_UP
        attempt = looked(attempt, ABSENT)
    assert attempt.finding is Finding.ABSENT


def test_a_report_brings_the_next_look_on_and_never_the_next_sending():
    waiting = looked(sent(), ABSENT)
    assert waiting.heard(NOW).at == NOW
    turned_away = looked(sent(ChargeOutcome.NOT_EXECUTED), ABSENT)
    assert turned_away.heard(NOW) == turned_away


answers = st.sampled_from([ChargeOutcome.UNKNOWN, ChargeOutcome.NOT_EXECUTED])
findings = st.sampled_from([Finding.ABSENT, Finding.PENDING])


@given(st.lists(st.tuples(answers, findings, st.integers(0, 7200)), min_size=1, max_size=200))
def test_no_number_leaves_while_an_earlier_sending_may_still_be_carried_out(drawn):
    attempt, now, unanswered = begun(), NOW, None
    for outcome, finding, late in drawn:
        now = max(now, attempt.at) + timedelta(seconds=late)
        if attempt.step is AttemptStep.SEND:
            assert unanswered is None or now >= unanswered + timedelta(minutes=QUIET.minutes)
            attempt = attempt.sending(now).answered(Sent(outcome), now)
            unanswered = now if outcome is ChargeOutcome.UNKNOWN else None
        else:
            attempt = attempt.looked(Verdict(finding), now, QUIET)
            if not isinstance(attempt, Attempt):
                return
            assert attempt.at > now or attempt.step is AttemptStep.SEND
