from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.bills import Holding
from billing.domain.consent import (
    MAX_SHOWN_LENGTH,
    ConsentDecision,
    ConsentEvidence,
    ConsentKind,
    ConsentNeed,
    ConsentState,
    need_for,
    state_at,
    without_consent,
)
from billing.domain.coupons import Coupon
from billing.domain.money import Money
from billing.domain.plans import OnNoConsent, PlanTerms
from billing.domain.states import CONSENT_TRANSITIONS, walk
from tests.domain.drawn import MONTHLY

DAY = datetime(2026, 5, 1, tzinfo=UTC)
NAIVE = datetime(2026, 5, 1)  # noqa: DTZ001 - the naive instant is the point
CARD = "Shinhan ****1234"
GATED = PlanTerms("Basic", Money(9900), MONTHLY, consent_required=True)
RISE = ConsentNeed(ConsentKind.PRICE_RISE, Money(9900), Money(12900), DAY, CARD)
YES = ConsentEvidence(
    "5월 1일부터 9,900원에서 12,900원", ConsentDecision.GRANTED, "kim", DAY - timedelta(days=3), "ko-KR"
)
NO = replace(YES, decision=ConsentDecision.REFUSED)


def before(days, **more):
    return DAY - timedelta(days=days, **more)


@pytest.mark.parametrize(
    "make",
    [
        lambda: replace(RISE, amount_after=Money(9900)),
        lambda: replace(RISE, amount_after=Money(100)),
        lambda: replace(RISE, amount_after=Money(12900, "USD")),
        lambda: replace(RISE, effective_at=NAIVE),
        lambda: RISE.in_window(NAIVE),
        lambda: replace(YES, at=NAIVE),
        lambda: replace(YES, shown=" \n"),
        lambda: replace(YES, shown="a" * (MAX_SHOWN_LENGTH + 1)),
        lambda: replace(YES, by=""),
        lambda: replace(YES, locale=" "),
        lambda: need_for(GATED, Money(9900), Money(9900, "USD"), DAY, CARD),
        lambda: need_for(GATED, None, Money(9900), NAIVE, CARD),
        lambda: state_at(RISE, YES, NAIVE),
    ],
)
def test_a_need_or_an_answer_that_proves_nothing_is_refused(make):
    with pytest.raises(ValueError, match=r"no rise|do not add up|aware UTC|shown|by must|locale must"):
        make()


def test_without_the_plans_word_nothing_is_gated():
    open_plan = replace(GATED, consent_required=False)
    assert need_for(open_plan, Money(0), Money(9900), DAY, CARD) is None
    assert need_for(open_plan, Money(9900), Money(99_000), DAY, CARD) is None


def test_the_first_period_without_a_trial_is_agreed_to_by_subscribing():
    assert need_for(GATED, None, Money(9900), DAY, CARD) is None


@pytest.mark.parametrize("after", [0, 1, 9899, 9900])
def test_the_same_price_or_a_lower_one_needs_no_consent(after):
    assert need_for(GATED, Money(9900), Money(after), DAY, CARD) is None


def test_the_end_of_a_trial_and_a_higher_price_need_consent_to_date_amounts_and_card():
    trial = need_for(GATED, Money(0), Money(9900), DAY, CARD)
    assert trial == ConsentNeed(ConsentKind.TRIAL_END, Money(0), Money(9900), DAY, CARD)
    assert need_for(GATED, Money(9900), Money(12900), DAY, CARD) == RISE


def test_the_end_of_a_coupon_is_a_rise():
    coupon = Holding(GATED, coupon=Coupon("HALF", percent_off=50))
    need = need_for(GATED, coupon.value(), Holding(GATED).value(), DAY, CARD)
    assert (need.kind, need.amount_before, need.amount_after) == (ConsentKind.PRICE_RISE, Money(4950), Money(9900))
    free = Holding(GATED, coupon=Coupon("FREE", percent_off=100))
    assert need_for(GATED, free.value(), Money(9900), DAY, CARD).kind is ConsentKind.TRIAL_END


def test_the_window_is_the_30_days_before_the_day():
    assert (RISE.opens_at, RISE.lapses_at) == (datetime(2026, 4, 1, tzinfo=UTC), DAY)
    assert not RISE.in_window(before(30, microseconds=1))
    assert RISE.in_window(before(30))
    assert RISE.in_window(before(0, microseconds=1))
    assert not RISE.in_window(DAY)


@pytest.mark.parametrize("answer_at", [before(31), before(400), DAY, DAY + timedelta(days=1)])
@pytest.mark.parametrize("decision", ConsentDecision)
def test_an_answer_outside_the_window_is_no_answer(answer_at, decision):
    answer = replace(YES, at=answer_at, decision=decision)
    assert state_at(RISE, answer, before(40)) is ConsentState.WINDOW_CLOSED
    assert state_at(RISE, answer, before(10)) is ConsentState.ASKED
    assert state_at(RISE, answer, DAY) is ConsentState.LAPSED


def test_silence_lapses_when_the_day_comes():
    states = [state_at(RISE, None, at) for at in (before(31), before(30), before(0, seconds=1), DAY)]
    assert states == [ConsentState.WINDOW_CLOSED, ConsentState.ASKED, ConsentState.ASKED, ConsentState.LAPSED]


def test_an_explicit_answer_inside_the_window_stands():
    for at in (before(3), DAY, DAY + timedelta(days=2)):
        assert state_at(RISE, YES, at) is ConsentState.GRANTED
        assert state_at(RISE, NO, at) is ConsentState.REFUSED
    assert state_at(None, YES, DAY) is ConsentState.NOT_NEEDED


@pytest.mark.parametrize("policy", OnNoConsent)
def test_without_consent_a_rise_follows_the_plan_and_a_trial_ends(policy):
    plan = replace(GATED, on_no_consent=policy)
    assert without_consent(plan, RISE) is policy
    trial = need_for(plan, Money(0), Money(9900), DAY, CARD)
    assert without_consent(plan, trial) is OnNoConsent.END


@pytest.mark.parametrize("field", ["amount_before", "amount_after", "effective_at", "payment_method"])
def test_consent_to_one_thing_is_none_to_another(field):
    other = {
        "amount_before": Money(9800),
        "amount_after": Money(13_000),
        "effective_at": DAY + timedelta(days=1),
        "payment_method": "Hyundai ****9876",
    }
    assert replace(RISE, **{field: other[field]}) != RISE


moments = st.integers(-60 * 24, 20 * 24).map(lambda hours: DAY + timedelta(hours=hours))
answers = st.builds(replace, st.just(YES), at=moments, decision=st.sampled_from(ConsentDecision))


@given(st.none() | answers, moments)
def test_nothing_but_an_explicit_yes_inside_the_window_is_consent(answer, at):
    granted = state_at(RISE, answer, at) is ConsentState.GRANTED
    assert granted == (
        answer is not None
        and answer.decision is ConsentDecision.GRANTED
        and timedelta(0) < DAY - answer.at <= timedelta(days=30)
    )


@given(st.lists(st.tuples(moments, st.none() | st.sampled_from(ConsentDecision)), max_size=12))
def test_as_time_and_answers_come_consent_only_walks_its_table(happenings):
    state, answer = ConsentState.NOT_NEEDED, None
    for at, decision in sorted(happenings, key=lambda happening: happening[0]):
        # The workflow takes no answer once consent is granted: it is taken back by canceling.
        if decision is not None and state is not ConsentState.GRANTED and RISE.in_window(at):
            state = walk(CONSENT_TRANSITIONS, state, state_at(RISE, answer, at))
            answer = replace(YES, at=at, decision=decision)
        new = state_at(RISE, answer, at)
        if state is ConsentState.NOT_NEEDED and new not in CONSENT_TRANSITIONS[state]:
            state = walk(CONSENT_TRANSITIONS, state, ConsentState.ASKED)
        state = walk(CONSENT_TRANSITIONS, state, new)


@given(st.booleans(), st.none() | st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_gated_plan_never_charges_more_than_before_without_a_need(gated, last, after):
    terms = replace(GATED, consent_required=gated)
    need = need_for(terms, None if last is None else Money(last), Money(after), DAY, CARD)
    assert (need is not None) == (gated and last is not None and after > last)
