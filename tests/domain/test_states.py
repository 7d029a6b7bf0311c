import pytest

from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.states import (
    BOUNDARY_PRECEDENCE,
    CONSENT_STEPS,
    CONSENT_TRANSITIONS,
    CYCLE_STEPS,
    CYCLE_TRANSITIONS,
    DUNNING_STEPS,
    DUNNING_TRANSITIONS,
    ENDED,
    SUBSCRIPTION_STEPS,
    SUBSCRIPTION_TRANSITIONS,
    BoundaryAction,
    ConsentState,
    CycleState,
    DunningState,
    IllegalTransitionError,
    SubscriptionStatus,
    at_boundary,
    walk,
)

S, C, D, N = SubscriptionStatus, CycleState, DunningState, ConsentState
TABLES = [
    pytest.param(SUBSCRIPTION_TRANSITIONS, S, S.INCOMPLETE, id="subscription"),
    pytest.param(CYCLE_TRANSITIONS, C, C.PLANNED, id="cycle"),
    pytest.param(DUNNING_TRANSITIONS, D, D.CLEAR, id="dunning"),
    pytest.param(CONSENT_TRANSITIONS, N, N.NOT_NEEDED, id="consent"),
]
STEPS = [
    pytest.param(SUBSCRIPTION_STEPS, SUBSCRIPTION_TRANSITIONS, id="subscription"),
    pytest.param(CYCLE_STEPS, CYCLE_TRANSITIONS, id="cycle"),
    pytest.param(DUNNING_STEPS, DUNNING_TRANSITIONS, id="dunning"),
    pytest.param(CONSENT_STEPS, CONSENT_TRANSITIONS, id="consent"),
]


def reached(table, start):
    seen, ahead = {start}, [start]
    while ahead:
        for target in table[ahead.pop()] - seen:
            seen.add(target)
            ahead.append(target)
    return seen


@pytest.mark.parametrize(("table", "states", "_start"), TABLES)
def test_every_step_that_is_not_in_the_table_is_refused_and_every_other_taken(table, states, _start):
    for current in states:
        for target in states:
            if target in table[current] or target is current:
                assert walk(table, current, target) is target
            else:
                with pytest.raises(IllegalTransitionError, match=f"from {current} to {target}"):
                    walk(table, current, target)


@pytest.mark.parametrize(("table", "states", "_start"), TABLES)
def test_every_state_has_a_row_of_states_and_none_leads_to_itself(table, states, _start):
    assert set(table) == set(states)
    for current, targets in table.items():
        assert all(isinstance(target, states) for target in targets)
        assert current not in targets


@pytest.mark.parametrize(("table", "states", "start"), TABLES)
def test_every_state_is_reached_from_the_first_one(table, states, start):
    assert reached(table, start) == set(states)


def test_an_ended_subscription_has_no_way_out_and_every_other_can_end():
    assert {S.CANCELED, S.EXPIRED, S.INCOMPLETE_EXPIRED} == ENDED
    for status, targets in SUBSCRIPTION_TRANSITIONS.items():
        assert (not targets) == (status in ENDED)
        assert reached(SUBSCRIPTION_TRANSITIONS, status) & ENDED


def test_a_refunded_cycle_is_over_and_no_other_is_without_a_way_out():
    assert [state for state, targets in CYCLE_TRANSITIONS.items() if not targets] == [C.REFUNDED]


def test_every_step_of_the_design_is_in_the_tables():
    subscription = (
        "incomplete>trialing incomplete>active incomplete>incomplete_expired trialing>active trialing>past_due "
    )
    subscription += "trialing>canceled active>past_due past_due>active past_due>unpaid unpaid>active unpaid>canceled "
    subscription += "active>paused paused>active active>canceled active>expired trialing>paused past_due>canceled "
    subscription += "paused>canceled paused>past_due past_due>expired"
    for current, target in (step.split(">") for step in subscription.split()):
        assert S(target) in SUBSCRIPTION_TRANSITIONS[S(current)]
    cycle = "planned>gated gated>registering registering>registered registered>due due>verifying verifying>paid "
    cycle += (
        "verifying>declined gated>skipped registered>revoked verifying>unknown verifying>mismatch declined>late_paid "
    )
    cycle += "revoked>late_paid late_paid>refunded late_paid>reopened"
    for current, target in (step.split(">") for step in cycle.split()):
        assert C(target) in CYCLE_TRANSITIONS[C(current)]


def test_nothing_is_booked_again_from_a_cycle_whose_money_is_there_or_in_doubt():
    booking = {C.PLANNED, C.GATED, C.REGISTERING, C.REGISTERED}
    for current in (C.PAID, C.REFUNDED, C.REOPENED, C.LATE_PAID, C.SKIPPED, C.UNKNOWN, C.MISMATCH):
        assert not CYCLE_TRANSITIONS[current] & booking


def test_a_trial_without_a_payment_method_is_the_only_way_into_a_pause_but_the_customers_wish():
    assert {current for current, target in SUBSCRIPTION_STEPS if target is S.PAUSED} == {S.TRIALING, S.ACTIVE}


def test_unpaid_is_reached_through_dunning_alone_and_left_by_money_or_the_end():
    assert {current for current, target in SUBSCRIPTION_STEPS if target is S.UNPAID} == {S.PAST_DUE}
    assert SUBSCRIPTION_TRANSITIONS[S.UNPAID] == {S.ACTIVE, S.CANCELED}


@pytest.mark.parametrize("state", [D.RETRYING, D.GRACE, D.SUSPENDED, D.ENDED])
def test_money_clears_every_dunning(state):
    assert D.CLEAR in DUNNING_TRANSITIONS[state]


def test_access_that_was_taken_comes_back_with_the_money_alone():
    assert DUNNING_TRANSITIONS[D.SUSPENDED] == {D.CLEAR, D.ENDED}


def test_consent_is_granted_only_by_an_answer_to_a_question():
    assert {current for current, target in CONSENT_STEPS if target is N.GRANTED} == {N.ASKED, N.REFUSED}


def test_silence_never_becomes_consent():
    assert N.GRANTED not in CONSENT_TRANSITIONS[N.LAPSED] | CONSENT_TRANSITIONS[N.WINDOW_CLOSED]


@pytest.mark.parametrize(("steps", "table"), STEPS)
def test_every_step_has_a_reason_and_every_reason_a_step(steps, table):
    assert set(steps) == {(current, target) for current, targets in table.items() for target in targets}
    for when in steps.values():
        assert when == when.strip()
        assert 5 <= len(when) <= 110
        assert "|" not in when


@pytest.mark.parametrize(
    ("planned", "action"),
    [
        ({}, BoundaryAction.RENEW),
        ({"change": True}, BoundaryAction.CHANGE),
        ({"pause": True}, BoundaryAction.PAUSE),
        ({"pause": True, "change": True}, BoundaryAction.PAUSE),
        ({"cancel": True}, BoundaryAction.CANCEL),
        ({"cancel": True, "change": True}, BoundaryAction.CANCEL),
        ({"cancel": True, "pause": True}, BoundaryAction.CANCEL),
        ({"cancel": True, "pause": True, "change": True}, BoundaryAction.CANCEL),
    ],
)
def test_at_a_boundary_cancel_beats_pause_beats_change_beats_renew(planned, action):
    assert at_boundary(**planned) is action


def test_the_precedence_names_every_action_once():
    assert sorted(BOUNDARY_PRECEDENCE) == sorted(BoundaryAction)


@pytest.mark.parametrize(
    "table", [SUBSCRIPTION_TRANSITIONS, CYCLE_TRANSITIONS, DUNNING_TRANSITIONS, CONSENT_TRANSITIONS, CYCLE_STEPS]
)
def test_the_tables_cannot_be_changed_while_running(table):
    with pytest.raises(TypeError):
        table[next(iter(table))] = frozenset()


def test_the_values_that_are_stored_are_lower_case_names():
    for enum in (S, C, D, N, BoundaryAction, ChargeOutcome, KeyOutcome, ScheduleOutcome):
        assert [member.value for member in enum] == [member.name.lower() for member in enum]
