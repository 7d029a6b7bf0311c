"""How a reconciliation walks: page by page, and once more through a window that rows have left."""

from datetime import UTC, datetime, timedelta

from billing.domain.windows import Window
from workflows.reconciliation.contracts import Leg, ReconciliationPlan, SliceCompared, Stretch
from workflows.reconciliation.workflow import MOST_REREADS, ReconciliationWalk

AT = datetime(2027, 1, 31, tzinfo=UTC)
WINDOW = Window(AT, AT + timedelta(days=3))


def walk():
    stretches = [Stretch(leg=leg, window=WINDOW) for leg in (Leg.PAYMENTS, Leg.CHARGES)]
    return ReconciliationWalk(
        plan=ReconciliationPlan(begun_at=AT, payments=WINDOW, schedules_end=WINDOW.end, stretches=stretches)
    )


def where(walked):
    return walked.stretch.leg if walked.stretch else None, walked.cursor, walked.page


def test_it_goes_from_page_to_page_and_from_leg_to_leg():
    walked = walk()
    assert where(walked) == (Leg.PAYMENTS, "", 1)
    walked.go_on(SliceCompared(cursor="2", total=3))
    assert where(walked) == (Leg.PAYMENTS, "2", 2)
    walked.go_on(SliceCompared(total=3))
    assert where(walked) == (Leg.CHARGES, "", 1)
    walked.go_on(SliceCompared(cursor="next"))
    assert where(walked) == (Leg.CHARGES, "next", 2)
    walked.go_on(SliceCompared())
    assert where(walked) == (None, "", 1)


def test_a_window_that_grows_is_not_read_again():
    walked = walk()
    walked.go_on(SliceCompared(cursor="2", total=3))
    walked.go_on(SliceCompared(total=5))
    assert where(walked) == (Leg.CHARGES, "", 1)


def test_a_window_that_rows_have_left_is_read_again_from_its_first_page_a_few_times():
    walked = walk()
    total = 100
    for _ in range(MOST_REREADS):
        walked.go_on(SliceCompared(cursor="2", total=total))
        walked.go_on(SliceCompared(cursor="3", total=total - 1))
        assert where(walked) == (Leg.PAYMENTS, "", 1)
        total -= 1
    walked.go_on(SliceCompared(cursor="2", total=total))
    walked.go_on(SliceCompared(total=total - 1))
    assert where(walked) == (Leg.CHARGES, "", 1)
    assert walked.rereads == 0


def test_a_last_page_that_has_gone_is_a_reason_to_read_again():
    walked = walk()
    walked.go_on(SliceCompared(cursor="2", total=2))
    walked.go_on(SliceCompared(total=0))
    assert where(walked) == (Leg.PAYMENTS, "", 1)


def test_what_pages_count_adds_up():
    walked = walk()
    for counts in ({"payments": 2}, {"payments": 3, "examined": 1}):
        walked.count(counts)
    assert walked.counts == {"payments": 5, "examined": 1}
