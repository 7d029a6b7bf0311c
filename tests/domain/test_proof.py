"""The proof of a charge: certain only where one payment of the whole period holds money, and both sides say so."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.audit.books import Charge, Refund
from billing.domain.facts import ScheduleFact
from billing.domain.money import Money
from billing.domain.proof import CERTAIN, OrderAtPortOne, ProofBooks, ProofOutcome, prove
from billing.domain.records import ChargeKind, RefundState
from billing.domain.states import CycleState
from tests.domain.audit.worlds import BEGIN, PRICE, Story, charge, order, payment, record

KIM = Story(1, (0,))
NUMBER, OTHER = order(KIM, 1), order(KIM, 1, 1)
PAID = payment(KIM, 1)
SIBLING = charge(KIM, 1, merchant_uid=OTHER, generation=1, state=CycleState.DECLINED, imp_uid=None)
O = ProofOutcome  # noqa: E741 - as short as it is often


def books(*rows, others=(), **changes):
    made = {
        "merchant_uid": NUMBER,
        "charge": charge(KIM, 1),
        "siblings": (SIBLING,) if others != () else (),
        "subscription": record(KIM),
        "there": {NUMBER: OrderAtPortOne(tuple(rows)), OTHER: OrderAtPortOne(tuple(others or ()))},
        "strangers": (),
    }
    return ProofBooks(**{**made, **changes})


def sent(state=CycleState.PLANNED, **changes):
    return charge(KIM, 1, **{"state": state, "imp_uid": None, "sends": 1, "sent_at": BEGIN, **changes})


def at_portone(*rows, status=None):
    schedule = ScheduleFact(NUMBER, KIM.uid, status, BEGIN, PRICE) if status else None
    return {NUMBER: OrderAtPortOne(tuple(rows), schedule)}


FAILED = payment(KIM, 1, 1, "failed")
BACK = replace(PAID, status="cancelled", cancelled_amount=PRICE.amount)
TWIN = replace(PAID, imp_uid="imp_twin")
UNDER_OTHER = replace(PAID, imp_uid="imp_other", merchant_uid=OTHER)
GIVEN = Refund(refund_id="rf", merchant_uid=NUMBER, imp_uid=PAID.imp_uid, amount=9900, state=RefundState.REFUNDED)


@pytest.mark.parametrize(
    ("read", "outcome", "says"),
    [
        (books(PAID), O.PAID_ONCE, "That period has no other order number."),
        (books(PAID, others=[FAILED]), O.PAID_ONCE, f"order number of that period holds money: {OTHER} declined"),
        (books(PAID, others=None), O.PAID_ONCE, f"{OTHER} never sent"),
        (books(BACK, refunds=(GIVEN,)), O.CONTRADICTED, "The ledger says paid"),
        (books(BACK, refunds=(GIVEN,), charge=sent(CycleState.REFUNDED)), O.GIVEN_BACK, "all went back, by rf."),
        (books(BACK, charge=sent(CycleState.REFUNDED)), O.GIVEN_BACK, "all went back, and not from here."),
        (books(FAILED, charge=sent(CycleState.DECLINED)), O.NOT_PAID, "Nothing was paid: declined once"),
        (books(FAILED, payment(KIM, 1, 2, "failed"), charge=sent(CycleState.DECLINED)), O.NOT_PAID, "declined 2 times"),
        (books(charge=sent(sends=0)), O.NOT_PAID, "Nothing was paid: never sent."),
        (books(charge=sent()), O.OPEN, "sent once, the last time at 2027-01-31 00:00:00 UTC, and PortOne has no"),
        (books(charge=sent(CycleState.UNKNOWN, sends=0)), O.OPEN, "Nobody knows yet"),
        (books(payment(KIM, 1, 0, "ready"), charge=sent(CycleState.DECLINED)), O.OPEN, "PortOne calls imp_1_1_0 ready"),
        (books(PAID, charge=sent()), O.OPEN, "The ledger has not booked it yet: it is planned here."),
        (books(charge=sent(sends=0), there=at_portone(status="scheduled")), O.OPEN, "scheduled at 2027-01-31"),
        (books(charge=sent(sends=0), there=at_portone(status="revoked")), O.NOT_PAID, "its schedule is revoked"),
        (books(PAID, charge=sent(CycleState.DECLINED)), O.CONTRADICTED, "and the ledger says declined."),
        (books(), O.CONTRADICTED, "PortOne holds no money of it."),
        (books(PAID, TWIN), O.CONTRADICTED, "PortOne holds money of 2 payments for it"),
        (books(PAID, others=[UNDER_OTHER]), O.CONTRADICTED, "The same period holds money under 1 other order numbers"),
        (books(replace(PAID, imp_uid="imp_x")), O.CONTRADICTED, "the ledger has booked imp_1_1_0"),
        (books(replace(PAID, amount=Money(1))), O.CONTRADICTED, "1 KRW were taken, and 9,900 KRW were ordered."),
        (books(PAID, strangers=(UNDER_OTHER,)), O.CONTRADICTED, "paid the same amount for somebody else's order"),
        (books(PAID, strangers=(replace(UNDER_OTHER, amount=Money(5)),)), O.PAID_ONCE, "that nobody here knows"),
        (books(PAID, charge=None), O.NOT_OURS, f"is a number of period 1 of {KIM.life}, never opened here"),
        (books(PAID, charge=None, subscription=None), O.NOT_OURS, f"Nobody here ordered {NUMBER}; PortOne has 1 of it"),
    ],
)  # fmt: skip
def test_what_is_proven_and_the_sentence_for_it(read, outcome, says):
    proof = prove(read)
    assert proof.outcome is outcome
    assert says in proof.text


@pytest.mark.parametrize("kind", [ChargeKind.KEY_IN, ChargeKind.CHANGE])
def test_what_is_no_period_has_no_other_order_numbers(kind):
    read = books(PAID, charge=replace(charge(KIM, 1), kind=kind))
    assert prove(read).outcome is O.PAID_ONCE
    assert "period" not in prove(read).text


def rows_of(number):
    statuses = st.sampled_from(("paid", "failed", "ready", "cancelled"))
    return st.lists(st.tuples(statuses, st.sampled_from((0, 100, PRICE.amount))), max_size=3).map(
        lambda drawn: tuple(
            payment(KIM, 1, n, status, merchant_uid=number, imp_uid=f"{number}-{n}", cancelled_amount=back)
            for n, (status, back) in enumerate(drawn)
        )
    )


STATES = st.sampled_from(tuple(CycleState))


@given(rows_of(NUMBER), rows_of(OTHER), STATES, STATES, st.integers(0, 2))
def test_one_payment_is_called_the_only_one_only_where_it_is(rows, others, state, other_state, sends):
    own: Charge = sent(state, sends=sends, imp_uid=f"{NUMBER}-0", sent_at=BEGIN)
    read = books(*rows, others=others or None, charge=own, siblings=(replace(SIBLING, state=other_state),))
    proof = prove(read)
    held = [row for number in (NUMBER, OTHER) for row in read.at_portone(number).holding]
    if proof.outcome is O.PAID_ONCE:
        assert [row.merchant_uid for row in held] == [NUMBER]
        assert state in {CycleState.PAID, CycleState.LATE_PAID, CycleState.REOPENED}
    if len(held) > 1 and any(row.merchant_uid == NUMBER for row in held):
        assert proof.outcome is O.CONTRADICTED
    if proof.outcome in CERTAIN and proof.outcome is not O.PAID_ONCE:
        assert not read.at_portone(NUMBER).holding
    assert proof.text
