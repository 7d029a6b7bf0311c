"""One order, key or run at a time: what counts as a difference, and what does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.both_sides import Leeway, OrderHere, OrderThere, Refunded, RunSays
from billing.domain.differences import SENTENCES, Difference, difference_event
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.reconciliation import (
    compare_key,
    compare_order,
    compare_run,
    payment_is_suspicious,
    schedule_is_suspicious,
)
from billing.domain.records import ChargeKind
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.verdict import net_amount, returned_amount
from tests.domain.reconciliation_stories import (
    BOOKED,
    DUE,
    ENDED,
    GONE,
    IMP,
    KEY,
    LEEWAY,
    LIFE,
    NUMBER,
    PLANNED,
    PRICE,
    REGISTERED,
    SUBSCRIPTION,
    cancelled,
    compared,
    executed,
    failed,
    known,
    paid,
    scheduled,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EARLY = DUE - 5 * DAY
DECLINED = replace(PLANNED, state=CycleState.DECLINED, imp_uid="imps_f", payments=known(failed()))

PAID_PERIOD = replace(SUBSCRIPTION, current_period_start=DUE - 28 * DAY, current_period_end=DUE)
FOREIGN = OrderHere(merchant_uid="old-1", subscription=PAID_PERIOD, on_our_key=True, run=REGISTERED)


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize(
    ("here", "payments", "schedule"),
    [
        (PLANNED, (), scheduled()),
        (PLANNED, (), scheduled(DUE + timedelta(seconds=60))),
        (BOOKED, (paid(),), executed()),
        (BOOKED, (failed(), paid()), executed()),
        (replace(BOOKED, refunds={IMP: Refunded(done=900)}), (cancelled(900),), executed()),
        (replace(BOOKED, refunds={IMP: Refunded(in_doubt=900)}), (cancelled(900),), executed()),
        (replace(BOOKED, refunds={IMP: Refunded(in_doubt=900)}), (paid(),), executed()),
        (replace(BOOKED, state=CycleState.REFUNDED, refunds={IMP: Refunded(done=9900)}), (cancelled(9900),), None),
        (replace(BOOKED, state=CycleState.REFUNDED), (cancelled(0),), None),
        (DECLINED, (failed(),), scheduled()),
        (replace(PLANNED, run=None), (), None),
    ],
)
def test_both_sides_agree(here, payments, schedule):
    now = DUE - HOUR
    assert compared(here, *payments, schedule=schedule, now=now) == []
    assert [row for row in payments if payment_is_suspicious(here, row)] == []
    assert schedule is None or not schedule_is_suspicious(here, schedule, LEEWAY)


def test_the_merchants_other_orders_are_nobodys_business():
    other = OrderHere(merchant_uid="shop-1", customer_uid="somebody", run=GONE)
    assert not other.is_ours
    assert compared(other, paid(merchant_uid="shop-1"), schedule=scheduled()) == []
    assert not payment_is_suspicious(other, paid())
    assert not schedule_is_suspicious(other, scheduled(), LEEWAY)


# ---------------------------------------------------------------- money


@pytest.mark.parametrize(
    ("here", "payments", "schedule", "kinds"),
    [
        # Planned, and nobody heard of it.
        (PLANNED, (paid(),), executed(), ["paid_at_portone_unknown_here"]),
        (PLANNED, (paid(), failed()), executed(), ["paid_at_portone_unknown_here"]),
        (PLANNED, (paid(), paid("imps_2")), executed(), ["paid_at_portone_unknown_here", "paid_twice"]),
        (PLANNED, (paid(amount=Money(1)),), executed(), ["amount_differs"]),
        (PLANNED, (paid(amount=Money(9900, "USD")),), executed(), ["amount_differs"]),
        (DECLINED, (failed(), paid(at=DUE + HOUR / 2)), executed(), ["paid_at_portone_unknown_here"]),
        # Paid before its time, or beside the plan.
        (PLANNED, (paid(at=EARLY),), executed(), ["executed_or_retried_elsewhere"]),
        (DECLINED, (failed(), paid(at=EARLY)), executed(), ["executed_or_retried_elsewhere"]),
        (
            replace(PLANNED, state=CycleState.DECLINED, subscription=ENDED, run=GONE),
            (paid(),),
            executed(),
            ["executed_or_retried_elsewhere"],
        ),
        (
            replace(DECLINED, run=replace(REGISTERED, cycle_state=CycleState.DECLINED)),
            (failed(), paid(at=DUE + HOUR / 2)),
            executed(),
            ["executed_or_retried_elsewhere"],
        ),
        # The failed attempt itself was approved after all.
        (DECLINED, (paid("imps_f"),), executed("imps_f"), ["late_approval"]),
        (replace(DECLINED, payments={}), (paid("imps_f"),), None, ["late_approval"]),
        (replace(DECLINED, imp_uid=None), (paid("imps_f"),), None, ["late_approval"]),
        (replace(DECLINED, subscription=ENDED, run=GONE), (paid("imps_f"),), executed("imps_f"), ["late_approval"]),
        (replace(PLANNED, subscription=ENDED, run=GONE), (paid(),), None, ["late_approval"]),
        # Another order number of the same period is paid.
        (replace(PLANNED, period_paid_by="other"), (paid(),), executed(), ["paid_twice"]),
        # Nobody here ordered it.
        (OrderHere(merchant_uid="x", on_our_key=True, run=GONE), (paid(),), None, ["paid_at_portone_unknown_here"]),
        (OrderHere(merchant_uid="x", subscription=ENDED, run=GONE), (paid(),), None, ["paid_at_portone_unknown_here"]),
        (OrderHere(merchant_uid="x", on_our_key=True, run=GONE), (cancelled(9900),), None, ["refunded_elsewhere"]),
        (OrderHere(merchant_uid="x", on_our_key=True, run=GONE), (failed(),), None, []),
        # Somebody else took the price of a period that is paid, under a number of their own.
        (FOREIGN, (paid(at=DUE - 3 * DAY),), None, ["paid_twice"]),
        (FOREIGN, (paid(at=DUE),), None, ["paid_at_portone_unknown_here"]),
        (FOREIGN, (paid(at=DUE - 3 * DAY, amount=Money(500)),), None, ["paid_at_portone_unknown_here"]),
        (FOREIGN, (paid(at=DUE - 3 * DAY, customer_uid="lee"),), None, ["paid_at_portone_unknown_here"]),
        # What was booked as paid.
        (BOOKED, (), executed(), ["paid_here_not_at_portone"]),
        (BOOKED, (failed(IMP),), executed(), ["paid_here_not_at_portone"]),
        (BOOKED, (paid("imps_2"),), executed(), ["paid_twice", "paid_here_not_at_portone"]),
        (BOOKED, (paid(), paid("imps_2")), executed(), ["paid_twice"]),
        (BOOKED, (paid(), cancelled(9900, "imps_2")), executed(), []),
        (BOOKED, (paid(), cancelled(900, "imps_2")), executed(), ["paid_twice"]),
        (BOOKED, (paid(amount=Money(100)),), executed(), ["amount_differs"]),
        (BOOKED, (cancelled(900),), executed(), ["refunded_elsewhere"]),
        (BOOKED, (cancelled(9900),), executed(), ["refunded_elsewhere"]),
        (BOOKED, (cancelled(0),), executed(), ["refunded_elsewhere"]),
        (replace(BOOKED, refunds={IMP: Refunded(done=500)}), (cancelled(900),), executed(), ["refunded_elsewhere"]),
        (replace(BOOKED, refunds={IMP: Refunded(done=900)}), (paid(),), executed(), ["refund_missing"]),
        (replace(BOOKED, refunds={IMP: Refunded(done=900)}), (cancelled(400),), executed(), ["refund_missing"]),
        (
            replace(BOOKED, state=CycleState.REFUNDED, refunds={IMP: Refunded(done=9900)}),
            (paid(),),
            None,
            ["refund_missing"],
        ),
        (replace(BOOKED, state=CycleState.REFUNDED), (cancelled(9900), paid("imps_2")), None, ["paid_twice"]),
        (replace(BOOKED, imp_uid=None), (paid(),), executed(), []),
        (replace(BOOKED, imp_uid=None), (), executed(), ["paid_here_not_at_portone"]),
        # Came and went before it was booked: told, unless the ledger has seen it go.
        (PLANNED, (cancelled(9900),), executed(payment_status="cancelled"), ["refunded_elsewhere"]),
        (replace(PLANNED, payments=known(cancelled(9900))), (cancelled(9900),), None, []),
        (replace(PLANNED, refunds={IMP: Refunded(done=9900)}), (cancelled(9900),), None, []),
    ],
)
def test_money_that_is_not_where_it_should_be(here, payments, schedule, kinds):
    assert compared(here, *payments, schedule=schedule) == kinds


@pytest.mark.parametrize("state", [CycleState.LATE_PAID, CycleState.REOPENED])
def test_money_that_was_booked_late_is_booked(state):
    assert compared(replace(BOOKED, state=state), paid(), schedule=executed()) == []


def test_a_mismatch_that_a_person_was_told_of_is_no_difference_until_something_is_added_to_it():
    told = replace(PLANNED, state=CycleState.MISMATCH, run=replace(REGISTERED, parked=True), payments=known(paid()))
    assert compared(told, paid()) == []
    assert compared(told, paid(), paid("imps_2")) == ["paid_at_portone_unknown_here"]
    assert compared(told, cancelled(900)) == ["refunded_elsewhere"]
    more = replace(told, payments=known(cancelled(900)))
    assert compared(more, cancelled(900)) == []
    assert compared(more, cancelled(1000)) == compared(more, cancelled(9900)) == ["refunded_elsewhere"]
    # What goes back by an order of ours, written yet or in doubt, went back from here.
    ours = replace(told, refunds={IMP: Refunded(in_doubt=900)})
    assert compared(ours, cancelled(900)) == []
    assert compared(ours, cancelled(1000)) == ["refunded_elsewhere"]
    assert compared(more, cancelled(1000), paid("imps_2")) == ["refunded_elsewhere", "paid_at_portone_unknown_here"]


@pytest.mark.parametrize(("age", "kinds"), [(9, []), (11, ["paid_at_portone_unknown_here"])])
def test_money_that_is_being_settled_at_this_moment_is_no_difference(age, kinds):
    now = DUE + timedelta(minutes=age)
    assert compared(PLANNED, paid(), schedule=executed(), now=now) == kinds
    assert compared(PLANNED, paid(), schedule=executed(), now=now, leeway=Leeway(settle=timedelta(0))) == [
        "paid_at_portone_unknown_here"
    ]


def test_a_second_paid_row_counts_however_young_it_is():
    assert compared(PLANNED, paid(), paid("imps_2"), schedule=executed(), now=DUE) == ["paid_twice"]


def test_a_payment_on_another_key_says_so():
    (found,) = compare_order(PLANNED, OrderThere([paid(customer_uid="lee")], executed()), DUE + HOUR, LEEWAY)
    assert found.portone == "paid 9,900 KRW, on lee"


@pytest.mark.parametrize(
    ("row", "held", "back"),
    [
        (paid(), 9900, 0),
        (failed(), 0, 0),
        (paid(status="ready"), 0, 0),
        (cancelled(900), 9000, 900),
        (cancelled(9900), 0, 9900),
        (cancelled(0), 0, 9900),
        (paid(cancelled_amount=900), 9000, 900),
        (paid(amount=Money(0)), 0, 0),
        (paid(status="something new"), 0, 0),
    ],
)
def test_what_portone_holds_and_what_went_back(row, held, back):
    assert (net_amount(row), returned_amount(row)) == (held, back)


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize(
    ("state", "schedule", "kinds"),
    [
        (CycleState.REGISTERED, None, ["schedule_missing"]),
        (CycleState.REGISTERING, None, []),
        (CycleState.DUE, None, []),
        (CycleState.REGISTERED, scheduled(status="revoked"), ["schedule_revoked_elsewhere"]),
        (CycleState.DUE, scheduled(status="revoked"), ["schedule_revoked_elsewhere"]),
        (CycleState.REVOKED, scheduled(status="revoked"), []),
        (CycleState.PLANNED, scheduled(status="revoked"), []),
        (CycleState.REGISTERED, scheduled(DUE + DAY), ["schedule_moved_elsewhere"]),
        (CycleState.REGISTERED, scheduled(DUE - DAY), ["schedule_moved_elsewhere"]),
        (CycleState.UNKNOWN, scheduled(DUE), []),
        (CycleState.PLANNED, scheduled(DUE), []),
        (CycleState.GATED, scheduled(DUE), ["schedule_unplanned"]),
        (CycleState.DECLINED, scheduled(DUE), ["schedule_unplanned"]),
        (CycleState.REVOKED, scheduled(DUE), ["schedule_unplanned"]),
        (CycleState.MISMATCH, scheduled(DUE), ["schedule_unplanned"]),
        (CycleState.REGISTERED, scheduled(amount=Money(1)), ["amount_differs"]),
        (CycleState.REGISTERED, scheduled(customer_uid="lee"), ["schedule_unplanned"]),
        (CycleState.REGISTERED, executed("imps_9", "failed"), ["executed_or_retried_elsewhere"]),
        (CycleState.REGISTERED, executed("imps_9", None), ["executed_or_retried_elsewhere"]),
        (CycleState.PLANNED, executed("imps_9", "failed"), []),
        (CycleState.REGISTERED, scheduled(status="a new word"), ["executed_or_retried_elsewhere"]),
    ],
)
def test_a_schedule_that_is_not_as_the_workflow_says(state, schedule, kinds):
    here = replace(PLANNED, run=replace(REGISTERED, cycle_state=state))
    assert compared(here, schedule=schedule, now=DUE - DAY / 2) == kinds


def test_a_failure_that_is_known_is_not_told_again():
    here = replace(DECLINED, run=replace(REGISTERED, cycle_state=CycleState.REGISTERED))
    assert compared(here, failed(), schedule=executed("imps_f", "failed"), now=DUE - DAY) == []


@pytest.mark.parametrize("run", [GONE, RunSays(True, "another number", CycleState.REGISTERED, DUE)])
def test_a_schedule_of_an_order_that_nobody_charges_any_more_is_unplanned(run):
    here = replace(BOOKED, subscription=ENDED, run=run)
    assert compared(here, paid(), schedule=scheduled()) == ["schedule_unplanned"]
    assert compared(here, paid(), schedule=scheduled(status="revoked")) == []


def test_a_schedule_after_a_cancel_at_period_end_is_unplanned():
    here = replace(PLANNED, run=replace(REGISTERED, next_charge_at=None, cycle_state=CycleState.REVOKED))
    assert compared(here, schedule=scheduled(), now=DUE - DAY) == ["schedule_unplanned"]
    assert compared(here, schedule=scheduled(status="revoked"), now=DUE - DAY) == []


def test_schedules_are_not_judged_while_the_workflow_cannot_say_where_it_stands():
    for schedule in (None, scheduled(DUE + DAY), scheduled(status="revoked"), executed("imps_9", "failed")):
        assert compared(replace(PLANNED, run=None), schedule=schedule, now=DUE - DAY) == []


def test_what_a_missing_workflow_had_planned_nobody_can_say():
    assert compared(replace(PLANNED, run=GONE), schedule=scheduled(DUE + DAY), now=DUE - DAY) == []


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("late", "run", "kinds"),
    [
        (timedelta(hours=1), REGISTERED, []),
        (timedelta(hours=3), REGISTERED, ["charge_overdue"]),
        (timedelta(hours=3), replace(REGISTERED, cycle_state=CycleState.DUE), ["charge_overdue"]),
        (timedelta(hours=3), replace(REGISTERED, parked=True), []),
        (timedelta(hours=3), replace(REGISTERED, cycle_state=CycleState.DECLINED), []),
        (timedelta(hours=3), replace(REGISTERED, cycle_state=CycleState.UNKNOWN), []),
        (timedelta(hours=3), replace(REGISTERED, next_charge_at=None), []),
        (timedelta(hours=3), replace(REGISTERED, merchant_uid="another"), []),
        (timedelta(hours=3), GONE, []),
        (timedelta(hours=3), None, []),
    ],
)
def test_a_due_charge_that_nobody_settled(late, run, kinds):
    here = replace(PLANNED, run=run)
    assert compared(here, schedule=executed("imps_9", "failed"), now=DUE + late) == kinds


def test_a_charge_is_not_called_overdue_while_its_money_is_being_settled():
    now = DUE + timedelta(hours=3)
    assert compared(PLANNED, paid(at=now), schedule=executed(), now=now) == []


@pytest.mark.parametrize(
    ("state", "sends", "kinds"),
    [
        (CycleState.PLANNED, 1, ["charge_overdue"]),
        (CycleState.PLANNED, 0, []),
        (CycleState.DECLINED, 1, []),
        (CycleState.NOT_EXECUTED, 1, []),
    ],
)
def test_a_one_time_charge_without_an_outcome(state, sends, kinds):
    here = OrderHere(
        merchant_uid="phone-1", amount=PRICE, kind=ChargeKind.KEY_IN, state=state, due_at=DUE, sends=sends, run=GONE
    )
    assert compared(here, now=DUE + 3 * HOUR) == kinds
    assert compared(here, now=DUE + HOUR) == []
    assert compared(here, paid(at=DUE), now=DUE + 3 * HOUR) == ["paid_at_portone_unknown_here"]


# ---------------------------------------------------------------- keys and runs


def test_a_living_subscription_without_its_key():
    found = compare_key(SUBSCRIPTION, KEY, at_portone=False)
    assert (found.kind, found.customer_uid, found.workflow_id) == (
        Difference.KEY_DELETED_ELSEWHERE,
        KEY,
        f"subscription/{KEY}",
    )
    assert compare_key(SUBSCRIPTION, KEY, at_portone=True) is None
    assert compare_key(ENDED, KEY, at_portone=False) is None
    starting = replace(SUBSCRIPTION, status=SubscriptionStatus.INCOMPLETE)
    assert compare_key(starting, KEY, at_portone=False) is None


def test_a_living_subscription_without_its_workflow():
    found = compare_run(SUBSCRIPTION, running=False)
    assert (found.kind, found.detail, found.customer_uid) == (Difference.WORKFLOW_MISSING, LIFE, KEY)
    assert compare_run(SUBSCRIPTION, running=True) is None
    assert compare_run(ENDED, running=False) is None


# ---------------------------------------------------------------- what is told


def test_every_difference_has_a_sentence():
    assert set(SENTENCES) == set(Difference)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in SENTENCES.values())


def test_the_same_difference_is_one_event_however_often_it_is_written_and_another_when_it_opens_again():
    (found,) = compare_order(BOOKED, OrderThere([cancelled(900)], executed()), DUE, LEEWAY)
    first = difference_event(found, DUE, 1)
    assert difference_event(replace(found, portone="other words"), DUE + DAY, 1).event_id == first.event_id
    assert difference_event(found, DUE, 2).event_id != first.event_id
    assert (first.customer_uid, first.subscription_id, first.merchant_uid) == (KEY, LIFE, NUMBER)
    assert first.data == {
        "customer_uid": KEY,
        "subscription_id": LIFE,
        "kind": "refunded_elsewhere",
        "found_at": "2027-03-01T09:00:00Z",
        "portone": "cancelled 9,900 KRW, 900 refunded",
        "ledger": "refunded 0 KRW from here",
        "merchant_uid": NUMBER,
        "imp_uid": IMP,
        "amount": 900,
        "currency": "KRW",
    }


def test_another_amount_or_instant_is_another_difference():
    def identity(here, *payments, schedule=None):
        return compare_order(here, OrderThere(payments, schedule), DUE - DAY, LEEWAY)[0].identity

    assert identity(BOOKED, cancelled(900)) != identity(BOOKED, cancelled(901))
    assert identity(PLANNED, schedule=scheduled(DUE + DAY)) != identity(PLANNED, schedule=scheduled(DUE + 2 * DAY))


def test_an_order_of_an_ended_subscription_names_the_run_that_must_not_be_rung():
    here = replace(DECLINED, subscription=ENDED, run=GONE)
    (found,) = compare_order(here, OrderThere([paid("imps_f")]), DUE + HOUR, LEEWAY)
    assert (found.ended, found.workflow_id, found.subscription_id) == (True, f"subscription/{KEY}", LIFE)


def test_an_order_number_of_our_own_that_the_ledger_has_lost_is_still_ours():
    here = OrderHere(merchant_uid=cycle_merchant_uid(LIFE, 9), subscription=SUBSCRIPTION, run=REGISTERED)
    assert here.is_ours
    assert compared(here, paid(merchant_uid=here.merchant_uid)) == ["paid_at_portone_unknown_here"]
