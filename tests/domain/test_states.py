import pytest

from billing.domain.outcomes import ChargeOutcome, KeyOutcome, ScheduleOutcome
from billing.domain.states import (
    CYCLE_TRANSITIONS,
    ENDED,
    SUBSCRIPTION_TRANSITIONS,
    CycleState,
    IllegalTransitionError,
    SubscriptionStatus,
    walk,
)

S, C = SubscriptionStatus, CycleState
TABLES = [
    pytest.param(SUBSCRIPTION_TRANSITIONS, S, S.INCOMPLETE, id="subscription"),
    pytest.param(CYCLE_TRANSITIONS, C, C.PLANNED, id="cycle"),
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
    subscription += "active>paused paused>active active>canceled active>expired"
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


@pytest.mark.parametrize("table", [SUBSCRIPTION_TRANSITIONS, CYCLE_TRANSITIONS])
def test_the_tables_cannot_be_changed_while_running(table):
    with pytest.raises(TypeError):
        table[next(iter(table))] = frozenset()


def test_the_values_that_are_stored_are_lower_case_names():
    for enum in (S, C, ChargeOutcome, KeyOutcome, ScheduleOutcome):
        assert [member.value for member in enum] == [member.name.lower() for member in enum]
