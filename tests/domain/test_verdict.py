from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.facts import PaymentFact, ScheduleFact
from billing.domain.money import Money
from billing.domain.verdict import Expected, Finding, judge

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
ORDER = "s" * 20 + "00001a"
EXPECTED = Expected(ORDER, Money(9900), "kim-card-1")
PAID = PaymentFact("imps_1", ORDER, "paid", Money(9900), customer_uid="kim-card-1", paid_at=NOW)
FAILED = replace(PAID, imp_uid="imps_2", status="failed", paid_at=None, failed_at=NOW, fail_reason="잔액부족")
READY = replace(PAID, imp_uid="imps_3", status="ready", paid_at=None)
CANCELLED = replace(PAID, imp_uid="imps_4", status="cancelled", cancelled_amount=9900)
PARTLY = replace(CANCELLED, imp_uid="imps_5", cancelled_amount=4000)
SCHEDULED = ScheduleFact(ORDER, "kim-card-1", "scheduled", NOW, Money(9900))
REVOKED = replace(SCHEDULED, status="revoked")
RUN_FAILED = replace(SCHEDULED, status="executed", payment_status="failed", imp_uid="imps_2", fail_reason="한도초과")
RUN_PAID = replace(SCHEDULED, status="executed", payment_status="paid", imp_uid="imps_1")
FOREIGN = {
    "merchant_uid": {"merchant_uid": "s" * 20 + "00002a"},
    "amount": {"amount": Money(9901)},
    "currency": {"amount": Money(9900, "JPY")},
    "customer_uid": {"customer_uid": "lee-card-1"},
}


@pytest.mark.parametrize("field", FOREIGN)
@pytest.mark.parametrize("schedule", [None, SCHEDULED, RUN_PAID])
def test_a_paid_row_that_differs_in_one_field_is_a_mismatch_that_names_it(field, schedule):
    row = replace(PAID, **FOREIGN[field])
    verdict = judge(EXPECTED, [row], schedule)
    assert (verdict.finding, verdict.payment, verdict.mismatches) == (Finding.MISMATCH, row, (field,))
    assert field in verdict.reason


def test_a_paid_row_without_a_billing_key_is_not_the_one_that_was_ordered():
    assert judge(EXPECTED, [replace(PAID, customer_uid=None)]).mismatches == ("customer_uid",)


def test_a_paid_row_that_differs_in_everything_names_everything():
    row = replace(PAID, merchant_uid="other", amount=Money(1, "USD"), customer_uid=None)
    assert judge(EXPECTED, [row]).mismatches == ("merchant_uid", "amount", "currency", "customer_uid")


@pytest.mark.parametrize("amount", [0, 1, 990, 9899, 99_000_000])
def test_another_amount_is_never_booked_as_paid(amount):
    assert judge(EXPECTED, [replace(PAID, amount=Money(amount))]).finding is Finding.MISMATCH


def test_two_paid_rows_are_a_mismatch_even_when_both_are_as_ordered():
    verdict = judge(EXPECTED, [PAID, replace(PAID, imp_uid="imps_9")])
    assert (verdict.finding, verdict.mismatches) == (Finding.MISMATCH, ("payments",))
    assert "imps_1, imps_9" in verdict.reason


def test_a_second_paid_row_that_only_the_webhook_named_counts_too():
    assert judge(EXPECTED, [PAID], reported=replace(PAID, imp_uid="imps_9")).mismatches == ("payments",)


def test_a_second_paid_row_that_differs_is_shown_and_its_fields_are_named():
    other = replace(PAID, imp_uid="imps_9", amount=Money(5))
    verdict = judge(EXPECTED, [PAID, other])
    assert (verdict.payment, verdict.mismatches) == (other, ("payments", "amount"))


def test_a_reported_payment_of_another_order_is_a_mismatch_whatever_else_there_is():
    foreign = replace(PAID, imp_uid="imps_9", merchant_uid="other")
    for payments in ([], [PAID], [FAILED]):
        verdict = judge(EXPECTED, payments, reported=foreign)
        assert (verdict.finding, verdict.payment, verdict.mismatches) == (Finding.MISMATCH, foreign, ("merchant_uid",))


@pytest.mark.parametrize("status", ["ready", "failed", "cancelled"])
def test_a_reported_row_of_another_order_that_took_no_money_says_nothing(status):
    foreign = replace(PAID, imp_uid="imps_9", merchant_uid="other", status=status, cancelled_amount=9900)
    assert judge(EXPECTED, [], reported=foreign).finding is Finding.ABSENT
    assert judge(EXPECTED, [PAID], reported=foreign).finding is Finding.PAID


@pytest.mark.parametrize(
    "row", [CANCELLED, replace(CANCELLED, cancelled_amount=0), replace(PAID, cancelled_amount=9900)]
)
@pytest.mark.parametrize("beside", [[], [FAILED], [READY]])
def test_money_that_went_back_is_a_mismatch_and_no_new_attempt(row, beside):
    verdict = judge(EXPECTED, [*beside, row])
    assert (verdict.finding, verdict.payment, verdict.mismatches) == (Finding.MISMATCH, row, ("status",))
    assert verdict.reason == "refunded elsewhere"


def test_a_schedule_whose_payment_was_refunded_is_a_mismatch_before_its_row_is_listed():
    assert judge(EXPECTED, [], replace(RUN_PAID, payment_status="cancelled")).reason == "refunded elsewhere"


def test_a_partly_refunded_row_is_a_mismatch_that_says_so():
    verdict = judge(EXPECTED, [PARTLY])
    assert (verdict.finding, verdict.mismatches) == (Finding.MISMATCH, ("status", "cancelled_amount"))
    assert "refunded elsewhere" in verdict.reason
    assert judge(EXPECTED, [replace(PARTLY, status="paid")]).mismatches == ("cancelled_amount",)


def test_a_partly_refunded_row_beside_a_paid_one_is_money_taken_twice():
    assert judge(EXPECTED, [PAID, PARTLY]).mismatches == ("payments", "status", "cancelled_amount")


def test_a_fully_refunded_duplicate_leaves_the_other_row_paid():
    assert judge(EXPECTED, [CANCELLED, PAID]).payment == PAID


def test_a_schedule_of_another_order_is_a_mismatch():
    assert judge(EXPECTED, [], replace(SCHEDULED, merchant_uid="other")).mismatches == ("schedule",)


@pytest.mark.parametrize("schedule", [None, SCHEDULED, REVOKED, RUN_FAILED])
def test_a_new_failure_is_a_decline_with_the_words_of_the_pg(schedule):
    verdict = judge(EXPECTED, [FAILED], schedule)
    assert (verdict.finding, verdict.payment, verdict.reason) == (Finding.DECLINED, FAILED, "잔액부족")


def test_of_several_new_failures_the_latest_is_shown():
    later = replace(FAILED, imp_uid="imps_8", failed_at=NOW + timedelta(days=1), fail_reason="분실카드")
    undated = replace(FAILED, imp_uid="imps_7", failed_at=None)
    assert judge(EXPECTED, [FAILED, later, undated]).payment == later


def test_a_failure_that_only_the_schedule_shows_is_a_decline_and_known_the_next_time():
    verdict = judge(EXPECTED, [], RUN_FAILED)
    assert (verdict.finding, verdict.reason) == (Finding.DECLINED, "한도초과")
    assert (verdict.payment.imp_uid, verdict.payment.status, verdict.payment.merchant_uid) == (
        "imps_2",
        "failed",
        ORDER,
    )
    assert judge(EXPECTED, [], RUN_FAILED, known_failures=[verdict.payment.imp_uid]).finding is Finding.ABSENT


def test_a_failed_schedule_that_names_no_payment_is_new_only_while_no_failure_is_known():
    nameless = replace(RUN_FAILED, imp_uid=None)
    assert judge(EXPECTED, [], nameless).finding is Finding.DECLINED
    assert judge(EXPECTED, [], nameless, known_failures={"imps_0"}).finding is Finding.ABSENT


@pytest.mark.parametrize(
    ("schedule", "finding"),
    [(None, Finding.ABSENT), (RUN_FAILED, Finding.ABSENT), (SCHEDULED, Finding.PENDING), (REVOKED, Finding.REVOKED)],
)
def test_a_failure_already_booked_says_nothing_new(schedule, finding):
    assert judge(EXPECTED, [FAILED], schedule, reported=FAILED, known_failures={"imps_2"}).finding is finding


def test_a_late_approval_of_a_row_already_booked_as_failed_is_paid():
    approved = replace(PAID, imp_uid="imps_2")
    assert judge(EXPECTED, [approved], RUN_FAILED, known_failures={"imps_2"}).finding is Finding.PAID


def test_a_late_failure_of_an_earlier_attempt_does_not_unpay():
    assert judge(EXPECTED, [PAID, FAILED], RUN_FAILED, reported=FAILED).payment == PAID


@pytest.mark.parametrize("listed", [READY, FAILED])
def test_the_later_of_two_look_ups_of_one_row_counts_whichever_it_came_by(listed):
    listed = replace(listed, imp_uid="imps_1")
    assert judge(EXPECTED, [listed], reported=PAID).finding is Finding.PAID
    assert judge(EXPECTED, [PAID], reported=listed).finding is Finding.PAID
    refunded = replace(PAID, status="cancelled", cancelled_amount=9900)
    assert judge(EXPECTED, [PAID], reported=refunded).reason == "refunded elsewhere"
    assert judge(EXPECTED, [refunded], reported=PAID).reason == "refunded elsewhere"


def test_two_look_ups_of_one_paid_row_that_disagree_about_the_amount_are_a_mismatch():
    other = replace(PAID, amount=Money(1))
    assert judge(EXPECTED, [PAID], reported=other).mismatches == ("amount",)
    assert judge(EXPECTED, [other], reported=PAID).mismatches == ("amount",)


@pytest.mark.parametrize("status", ["ready", "authorized", ""])
@pytest.mark.parametrize("schedule", [None, REVOKED, RUN_FAILED, SCHEDULED])
def test_a_row_in_progress_or_of_an_unknown_status_is_waited_for(status, schedule):
    row = replace(READY, status=status)
    for payments in ([row], [FAILED, row]):
        verdict = judge(EXPECTED, payments, schedule, known_failures={"imps_2"} if schedule else ())
        assert (verdict.finding, verdict.payment) == (Finding.PENDING, row)


@pytest.mark.parametrize(
    "schedule",
    [SCHEDULED, RUN_PAID, replace(RUN_PAID, payment_status=None), replace(SCHEDULED, status="paused")],
)
def test_what_portone_will_do_or_has_not_shown_yet_is_waited_for(schedule):
    assert judge(EXPECTED, [], schedule).finding is Finding.PENDING


def test_a_revoked_schedule_is_revoked_and_nothing_at_all_is_absent():
    assert judge(EXPECTED, [], REVOKED).finding is Finding.REVOKED
    assert judge(EXPECTED, []).finding is Finding.ABSENT


@pytest.mark.parametrize("reported", [None, PAID])
@pytest.mark.parametrize("payments", [[PAID], [FAILED, PAID], [PAID, FAILED, CANCELLED], [PAID, PAID]])
def test_one_paid_row_as_ordered_is_paid(payments, reported):
    verdict = judge(EXPECTED, payments, RUN_PAID, reported)
    assert (verdict.finding, verdict.payment, verdict.mismatches) == (Finding.PAID, PAID, ())


def test_a_reported_paid_row_is_enough_while_the_list_lags():
    assert judge(EXPECTED, [], SCHEDULED, reported=PAID).payment == PAID


def test_a_key_in_payment_without_a_billing_key_is_not_held_against_one():
    for customer_uid in (None, "kim-card-1"):
        row = replace(PAID, customer_uid=customer_uid)
        assert judge(Expected(ORDER, Money(9900)), [row]).finding is Finding.PAID


rows = st.builds(
    PaymentFact,
    imp_uid=st.sampled_from(["imps_1", "imps_2", "imps_3"]),
    merchant_uid=st.sampled_from([ORDER, ORDER, ORDER, "other"]),
    status=st.sampled_from(["ready", "paid", "paid", "failed", "cancelled", "new"]),
    amount=st.sampled_from([Money(9900), Money(9900), Money(9901), Money(9900, "USD")]),
    cancelled_amount=st.sampled_from([0, 0, 0, 4000, 9900]),
    customer_uid=st.sampled_from(["kim-card-1", "kim-card-1", None]),
)
schedules = st.none() | st.sampled_from([SCHEDULED, REVOKED, RUN_FAILED, RUN_PAID])


@given(st.lists(rows, max_size=4), schedules, st.none() | rows, st.sets(st.sampled_from(["imps_1", "imps_2"])))
def test_paid_is_said_only_of_exactly_one_row_that_is_all_that_was_ordered(payments, schedule, reported, known):
    verdict = judge(EXPECTED, payments, schedule, reported, known)
    seen = [*payments, *([reported] if reported else [])]
    if verdict.finding is Finding.PAID:
        row = verdict.payment
        assert row in seen
        assert (row.status, row.merchant_uid, row.amount, row.customer_uid, row.cancelled_amount) == (
            *("paid", ORDER, Money(9900), "kim-card-1"),
            0,
        )
        returned = {other.imp_uid for other in seen if other.status == "cancelled"} | {row.imp_uid}
        assert not any(
            other.status == "paid" for other in seen if other.imp_uid not in returned and not other.cancelled_amount
        )
    elif verdict.finding is not Finding.MISMATCH:
        assert not any(other.status == "paid" for other in payments)
    assert bool(verdict.mismatches) == (verdict.finding is Finding.MISMATCH)


@given(st.lists(rows, max_size=4), schedules, st.none() | rows, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_change_the_finding(payments, schedule, reported, random):
    shuffled = list(payments)
    random.shuffle(shuffled)
    assert (
        judge(EXPECTED, payments, schedule, reported).finding is judge(EXPECTED, shuffled, schedule, reported).finding
    )


def test_a_row_that_names_another_order_is_written_down_under_neither():
    wrong = replace(PAID, imp_uid="imps_9", merchant_uid="other")
    assert judge(EXPECTED, [wrong]).rows == ()
    assert judge(EXPECTED, [wrong]).own_payment is None
    assert judge(EXPECTED, [], reported=wrong).rows == ()
    assert judge(EXPECTED, [PAID, wrong]).rows == (PAID,)
    assert judge(EXPECTED, [PAID, wrong]).own_payment is None
    assert judge(EXPECTED, [PAID]).own_payment == PAID
