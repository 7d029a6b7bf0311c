"""Which rows of a list are worth a fresh look: every one that differs, over every state that both sides can be in."""

import itertools
from dataclasses import replace
from datetime import timedelta

from billing.domain.both_sides import OrderThere, Refunded
from billing.domain.differences import NEEDS_THE_RUN, Difference
from billing.domain.money import Money
from billing.domain.reconciliation import compare_order, payment_is_suspicious, schedule_is_suspicious
from billing.domain.states import CycleState
from tests.domain.reconciliation_stories import (
    DUE,
    IMP,
    LEEWAY,
    PLANNED,
    PRICE,
    REGISTERED,
    SUBSCRIPTION,
    cancelled,
    executed,
    failed,
    known,
    paid,
    scheduled,
)

HOUR = timedelta(hours=1)
EARLY = DUE - timedelta(days=5)


def sides():
    """Every state of a charge and of its workflow, with everything that PortOne may have of it."""
    instants = (EARLY, DUE, DUE + HOUR / 2)
    rows = [
        (),
        *((paid(at=at),) for at in instants),
        (paid("imps_f"),),
        (paid(amount=Money(1)),),
        (paid(), paid("imps_2")),
        *((cancelled(amount),) for amount in (0, 400, 900, 9900)),
        (failed(),),
        (failed(IMP),),
    ]
    schedules = [
        None,
        *(scheduled(at) for at in (DUE, EARLY)),
        scheduled(amount=Money(1)),
        scheduled(customer_uid="lee"),
        scheduled(status="revoked"),
        executed(),
        executed("imps_f", "failed"),
        executed("imps_9", "failed"),
    ]
    refunds = [{}, {IMP: Refunded(done=900)}, {IMP: Refunded(in_doubt=900)}]
    payments = [{}, known(failed()), known(cancelled(9900))]
    charges = [None, *CycleState]
    return itertools.product(charges, [None, IMP], refunds, payments, rows, schedules)


def agreeing_runs(state):
    """A workflow as the ledger says: the ledger calls a registered period planned, or declined while it is retried."""
    if state in (None, CycleState.PLANNED, CycleState.DECLINED):
        return (CycleState.PLANNED, CycleState.GATED, CycleState.REGISTERED, CycleState.DUE)
    return (state,)


def test_whatever_differs_was_suspicious_in_portones_list_or_is_missing_from_it():
    looks = 0
    for state, imp_uid, refunds, payments, rows, schedule in sides():
        for cycle_state in agreeing_runs(state):
            here = replace(
                PLANNED,
                amount=None if state is None else PRICE,
                state=state,
                imp_uid=imp_uid,
                refunds=refunds,
                payments=payments,
                subscription=replace(SUBSCRIPTION, cycle_state=cycle_state),
            )
            run = replace(REGISTERED, cycle_state=cycle_state)
            found = compare_order(replace(here, run=run), OrderThere(rows, schedule), DUE - HOUR, LEEWAY)
            noticed = any(payment_is_suspicious(here, row) for row in rows)
            noticed = noticed or (schedule is not None and schedule_is_suspicious(here, schedule, LEEWAY))
            by_absence = {Difference.PAID_HERE_NOT_AT_PORTONE, Difference.SCHEDULE_MISSING}
            missed = [each.kind for each in found if each.kind not in by_absence]
            assert noticed or not missed, (state, cycle_state, imp_uid, refunds, payments, rows, schedule, missed)
            looks += 1
    assert looks > 20_000


def test_what_needs_the_workflow_is_never_found_without_it():
    for state, imp_uid, refunds, payments, rows, schedule in itertools.islice(sides(), 0, None, 7):
        here = replace(PLANNED, state=state, imp_uid=imp_uid, refunds=refunds, payments=payments, run=None)
        found = {each.kind for each in compare_order(here, OrderThere(rows, schedule), DUE + HOUR, LEEWAY)}
        money = {Difference.AMOUNT_DIFFERS, Difference.EXECUTED_OR_RETRIED_ELSEWHERE}
        assert not found & (NEEDS_THE_RUN - money)
