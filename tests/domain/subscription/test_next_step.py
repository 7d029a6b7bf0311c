"""The table of what a subscription does next: pure, whole, and never a wait for what is already due."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import subscription as room
from billing.domain.calendar import Interval, IntervalUnit
from billing.domain.calls import CallKind, CallOnItsWay
from billing.domain.money import Money
from billing.domain.plans import PlanTerms
from billing.domain.states import ENDED, CycleState, SubscriptionStatus
from billing.domain.subscription.next_step import BESIDE, PERIOD, Act, next_step, where_it_stands
from billing.domain.subscription.opening import OpeningStep
from billing.domain.subscription.reports import PaymentReported
from billing.domain.subscription.schedule import ChargedBy
from billing.domain.subscription.start import StartSubscription
from billing.domain.subscription.subscription import Subscription, begin

BEGUN = datetime(2026, 3, 1, 3, tzinfo=UTC)
PLAN = PlanTerms("월간 이용권", Money(9900), Interval(IntervalUnit.MONTH))

distances = st.timedeltas(min_value=timedelta(days=-40), max_value=timedelta(days=120))
instants = st.none() | distances.map(lambda distance: BEGUN + distance)


@st.composite
def subscriptions(draw):
    """A subscription in any state that its records may hold together, possible or not."""
    start = StartSubscription(subscription_id="s" + "0" * 19, customer_uid="buyer", plan=PLAN)
    state = begin(start, BEGUN)
    state.status = draw(st.sampled_from(list(SubscriptionStatus)))
    state.ended_at = BEGUN if state.status in ENDED else None
    state.period.state = draw(st.sampled_from(list(CycleState)))
    state.period.due_at = BEGUN + draw(distances)
    state.period.parked_reason = draw(st.none() | st.just("a reason"))
    state.period.plans_again = draw(st.none() | st.just("why"))
    state.schedule.stands = draw(st.booleans())
    state.schedule.charged_by = draw(st.sampled_from(list(ChargedBy)))
    state.schedule.next_try_at, state.schedule.look_at = draw(instants), draw(instants)
    state.opening.step = draw(st.sampled_from(list(OpeningStep)))
    state.periods.start, state.periods.end = BEGUN, BEGUN + timedelta(days=31)
    state.pause.at_period_end, state.pause.resumes_at = draw(st.booleans()), draw(instants)
    state.pause.since = BEGUN if state.status is SubscriptionStatus.PAUSED else None
    state.cancel.at_period_end = draw(st.booleans())
    state.arrears.retries_over = draw(st.booleans())
    state.method.is_there = draw(st.booleans())
    state.old_keys.keys = draw(st.sampled_from([[], ["old"]]))
    if draw(st.booleans()):
        state.in_flight.calls = [CallOnItsWay(CallKind.UNSCHEDULE, "number", BEGUN, BEGUN + timedelta(minutes=10))]
    if draw(st.booleans()):
        state.in_flight.asked_in_vain(BEGUN + draw(distances))
    if draw(st.booleans()):
        number = state.merchant_uid(start.subscription_id)
        state.reports.note(PaymentReported(imp_uid="imp_1", merchant_uid=number))
    return Subscription(start, state)


@given(subscriptions(), distances)
def test_there_is_always_a_next_step_and_no_wait_for_what_is_already_due(subscription, since):
    now = BEGUN + since
    step = next_step(subscription, now)
    assert (step.act is None) or isinstance(step.act, Act)
    if step.act is None and step.until is not None and subscription.state.in_flight.may_ask(now):
        assert step.until > now
    assert step.act is not None or not step.at_once


@given(subscriptions(), distances)
def test_asking_what_comes_next_changes_nothing_and_answers_the_same_again(subscription, since):
    before = subscription.state.model_copy(deep=True)
    first = next_step(subscription, BEGUN + since)
    assert next_step(subscription, BEGUN + since) == first
    assert subscription.state == before


@given(subscriptions(), distances)
def test_what_has_ended_or_is_paused_is_never_registered_nor_charged(subscription, since):
    step = next_step(subscription, BEGUN + since)
    if subscription.state.status in ENDED and subscription.state.in_flight.charge is None:
        assert step.act not in {Act.SCHEDULE, Act.BEGIN_SCHEDULING, Act.LOOK_UP_OR_CHARGE, Act.RESUME, Act.OPEN}


@given(subscriptions())
def test_a_report_of_the_open_order_is_taken_at_once_where_the_row_hears(subscription):
    row = where_it_stands(subscription)
    number = subscription.terms.merchant_uid
    if row.hears and subscription.state.reports.about(number) and subscription.state.in_flight.may_ask(BEGUN):
        assert next_step(subscription, BEGUN).at_once


@given(subscriptions(), distances)
def test_while_portone_does_not_answer_nothing_of_it_is_asked(subscription, since):
    now = BEGUN + since
    if not subscription.state.in_flight.may_ask(now):
        step = next_step(subscription, now)
        assert step.act in (None, Act.ANNOUNCE)
        assert step.act is not None or step.until is not None


def test_the_last_row_applies_to_everything_so_that_no_period_stands_nowhere():
    assert PERIOD[-1].applies(None)
    assert len({row.name for row in (*PERIOD, *BESIDE)}) == len(PERIOD) + len(BESIDE)
    assert {row.act for row in (*PERIOD, *BESIDE)} == set(Act)


MODULES = sorted(Path(room.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_nothing_in_the_machine_knows_temporal_waits_or_reads_a_clock(module):
    tree = ast.parse(module.read_text())
    imported = {
        name.split(".")[0]
        for each in ast.walk(tree)
        if isinstance(each, (ast.Import, ast.ImportFrom))
        for name in ([each.module or ""] if isinstance(each, ast.ImportFrom) else [a.name for a in each.names])
    }
    assert not imported & {"temporalio", "workflows", "asyncio", "random", "time", "uuid"}
    assert not [each for each in ast.walk(tree) if isinstance(each, (ast.AsyncFunctionDef, ast.Await))]
    clocks = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and each.attr in ("now", "utcnow")]
    assert [ast.unparse(each) for each in clocks] == []
