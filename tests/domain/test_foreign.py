"""What a payment says that nobody here ordered: judged against what is known, and nothing is new twice."""

import pytest

from billing.domain.facts import CancellationFact, PaymentFact
from billing.domain.foreign import Unexpected, judge_foreign, tell_refunds_apart
from billing.domain.known_order import Known, KnownOrder, KnownRefund
from billing.domain.money import Money
from billing.domain.records import ChargeKind, RefundState
from billing.domain.refund_mark import mark_of, marked
from billing.domain.states import CycleState

WON = Money(9900)


def payment(status="paid", *, imp_uid="imp_1", back=0, cancellations=()):
    return PaymentFact(imp_uid, "order", status, WON, back, cancellations=tuple(cancellations))


def order(state, **changes):
    kind = changes.pop("kind", ChargeKind.CYCLE)
    return KnownOrder(merchant_uid="order", kind=kind, amount=WON, state=state, **changes)


def known(state=None, refunds=(), **changes):
    found = order(state, **changes) if state is not None else None
    return Known(order=found, customer_uid="kim", subscription_id="s1", refunds=tuple(refunds))


def cancellation(amount, name="c1", reason=None):
    return CancellationFact(name, amount, reason)


def refund(amount, refund_id="r1", state=RefundState.REFUNDED, cancellation_id=None):
    return KnownRefund(refund_id, amount, state, cancellation_id=cancellation_id)


# ---------------------------------------------------------------- money that pays for nothing


@pytest.mark.parametrize(
    "state", [CycleState.DECLINED, CycleState.REVOKED, CycleState.SKIPPED, CycleState.NOT_EXECUTED, CycleState.UNKNOWN]
)
def test_money_for_an_order_that_was_given_up_is_late(state):
    assert judge_foreign(payment(), known(state)).unexpected is Unexpected.LATE


def test_money_that_is_booked_late_and_still_held_is_late_until_it_has_gone_back():
    late = known(CycleState.LATE_PAID, imp_uid="imp_1")
    assert judge_foreign(payment(), late).unexpected is Unexpected.LATE
    gone = payment("cancelled", back=9900, cancellations=[cancellation(9900)])
    assert judge_foreign(gone, late).unexpected is None


def test_the_payment_that_an_order_is_booked_with_is_no_news():
    fact = judge_foreign(payment(), known(CycleState.PAID, paid=True, imp_uid="imp_1"))
    assert not fact.says_something


@pytest.mark.parametrize(
    "paid",
    [
        {"paid": True, "imp_uid": "imp_0"},
        {"period_paid_by": "another"},
    ],
)
def test_money_for_what_is_paid_already_is_a_second_payment(paid):
    state = CycleState.PAID if "paid" in paid else CycleState.SKIPPED
    assert judge_foreign(payment(), known(state, **paid)).unexpected is Unexpected.SECOND


def test_money_for_an_order_that_went_back_is_a_second_payment():
    assert judge_foreign(payment(), known(CycleState.REFUNDED, imp_uid="imp_0")).unexpected is Unexpected.SECOND


def test_a_failed_or_unfinished_payment_says_nothing():
    for status in ("failed", "ready"):
        assert not judge_foreign(payment(status), known(CycleState.DECLINED)).says_something


def test_a_payment_by_card_that_stands_as_mismatch_is_its_callers_to_settle():
    fact = judge_foreign(payment(), known(CycleState.MISMATCH, kind=ChargeKind.KEY_IN))
    assert fact.unexpected is None


def test_a_payment_without_an_order_on_our_key_is_said_once():
    ours = Known(customer_uid="kim", subscription_id="s1")
    assert judge_foreign(payment(), ours).unexpected is Unexpected.STRAY
    seen = Known(customer_uid="kim", subscription_id="s1", seen=("paid", 0))
    assert judge_foreign(payment(), seen).unexpected is None


def test_what_is_neither_an_order_nor_a_key_of_ours_is_nobodys_business():
    refunded = payment("cancelled", back=9900, cancellations=[cancellation(9900)])
    assert not judge_foreign(payment(), Known()).says_something
    assert not judge_foreign(refunded, Known()).says_something


def test_what_a_person_decided_to_keep_is_not_unexpected_any_more():
    kept = Known(order=order(CycleState.LATE_PAID, imp_uid="imp_1"), customer_uid="kim", kept=True)
    assert judge_foreign(payment(), kept).unexpected is None


# ---------------------------------------------------------------- refunds, ours and elsewhere


def test_a_refund_with_our_mark_is_ours_and_one_without_is_not():
    found = payment(
        "cancelled",
        back=5000,
        cancellations=[cancellation(2000, "c1", marked("왜", "r1")), cancellation(3000, "c2", "콘솔")],
    )
    own, elsewhere = tell_refunds_apart(found, [refund(2000, state=RefundState.UNKNOWN)])
    assert [(name, each.amount) for name, each in own] == [("r1", 2000)]
    assert [each.cancellation_id for each in elsewhere] == ["c2"]


def test_a_refund_of_ours_that_is_booked_is_no_news():
    found = payment("cancelled", back=2000, cancellations=[cancellation(2000, "c1", marked(None, "r1"))])
    assert tell_refunds_apart(found, [refund(2000)]) == ((), ())
    assert tell_refunds_apart(found, [refund(2000, "elsewhere-c1", cancellation_id="c1")]) == ((), ())


def test_a_foreign_refund_of_the_same_amount_is_not_taken_for_ours():
    both = payment(
        "cancelled",
        back=4000,
        cancellations=[cancellation(2000, "c1", marked(None, "r1")), cancellation(2000, "c2", "콘솔")],
    )
    own, elsewhere = tell_refunds_apart(both, [refund(2000)])
    assert (own, [each.cancellation_id for each in elsewhere]) == ((), ["c2"])


def test_a_refund_from_before_there_were_marks_is_known_by_its_amount():
    found = payment("cancelled", back=2000, cancellations=[cancellation(2000, "c1", "고객 요청")])
    assert tell_refunds_apart(found, [refund(2000)]) == ((), ())
    # But only one that is proven: a request that may never have arrived explains nothing.
    _, elsewhere = tell_refunds_apart(found, [refund(2000, state=RefundState.UNKNOWN)])
    assert [each.amount for each in elsewhere] == [2000]


def test_what_portone_counts_and_does_not_list_is_one_refund_more():
    _, elsewhere = tell_refunds_apart(payment("cancelled", back=5000), [refund(2000)])
    assert [each.amount for each in elsewhere] == [3000]
    _, none = tell_refunds_apart(payment("cancelled", back=2000), [refund(2000)])
    assert none == ()
    _, whole = tell_refunds_apart(payment("cancelled"), [])
    assert [each.amount for each in whole] == [9900]


# ---------------------------------------------------------------- the mark


@pytest.mark.parametrize("reason", [None, "", "  ", "고객 요청", "x" * 400, "ends with [brackets]", "two\nlines"])
def test_a_mark_is_read_back_whatever_the_reason(reason):
    text = marked(reason, "r0123abc")
    assert mark_of(text) == "r0123abc"
    assert len(text) <= 256


@pytest.mark.parametrize("reason", [None, "", "고객 요청", "[r1] in front", "half [r1", "spaced [r 1]"])
def test_a_reason_of_somebody_else_has_no_mark(reason):
    assert mark_of(reason) is None


def test_an_id_that_could_not_be_read_back_is_refused():
    with pytest.raises(ValueError, match="can be a mark"):
        marked("왜", "r 1]")
