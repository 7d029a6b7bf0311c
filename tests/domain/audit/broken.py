"""Ways to break one sentence in books in which everything holds, each with the name of the invariant that says it."""

import base64
from dataclasses import replace
from datetime import timedelta

from billing.domain.audit.books import Artefact, Database, Operation, Run
from billing.domain.clock import Clock
from billing.domain.facts import ScheduleFact
from billing.domain.money import Money
from billing.domain.records import ChargeResult
from billing.domain.states import CycleState
from tests.domain.audit.worlds import (
    BEGIN,
    CARD,
    GOOD,
    MONTH,
    PRICE,
    charge,
    instant,
    order,
    payment,
    record,
    swapped,
    with_journal,
    with_ledger,
    with_provider,
)

DECLINED, REFUNDED, ENDED, PARKED = GOOD
HOUR = timedelta(hours=1)


# ---------------------------------------------------------------- ways to break one sentence


def both(books, *rows):
    """PortOne has these payments too, and the ledger knows."""
    books = with_provider(books, payments=(*books.provider.payments, *rows))
    return with_ledger(books, payments=(*books.ledger.payments, *rows))


def paid_twice_under_one_number(books):
    return both(books, payment(DECLINED, 1, 7))


def paid_under_two_numbers(books):
    other = payment(DECLINED, 1, 7, merchant_uid=order(DECLINED, 1, 1))
    books = both(books, other)
    second = charge(DECLINED, 1, merchant_uid=other.merchant_uid, generation=1, state=CycleState.PLANNED, imp_uid=None)
    return with_ledger(books, charges=(*books.ledger.charges, replace(second, paid_at=None, settled_at=None)))


def paid_by_somebody_else_s_order(books):
    return both(books, payment(DECLINED, 2, 9, merchant_uid="old-loop-17"))


def a_period_without_a_fate(books):
    """Period 2 is over, and all there is of it is a plan."""
    number = order(DECLINED, 2)
    rows = tuple(row for row in books.ledger.payments if row.merchant_uid != number)
    changes = {"state": CycleState.PLANNED, "imp_uid": None, "paid_at": None, "settled_at": None}
    books = with_ledger(
        books, payments=rows, charges=swapped(books.ledger.charges, lambda c: c.merchant_uid == number, **changes)
    )
    return with_provider(books, payments=tuple(r for r in books.provider.payments if r.merchant_uid != number))


def a_period_that_nobody_has(books):
    number = order(DECLINED, 2)
    books = with_ledger(
        books,
        charges=tuple(c for c in books.ledger.charges if c.merchant_uid != number),
        results=tuple(r for r in books.ledger.results if r.merchant_uid != number),
        payments=tuple(r for r in books.ledger.payments if r.merchant_uid != number),
    )
    return with_provider(books, payments=tuple(r for r in books.provider.payments if r.merchant_uid != number))


def a_run_that_never_moves_again(books):
    return replace(books, clock=Clock(BEGIN, {**books.clock.ahead, DECLINED.uid: 4 * MONTH}))


def money_that_the_ledger_never_saw(books):
    known = tuple(r for r in books.ledger.payments if r.imp_uid != payment(DECLINED, 1).imp_uid)
    return with_ledger(books, payments=known)


def money_that_portone_never_had(books):
    there = tuple(r for r in books.provider.payments if r.imp_uid != payment(DECLINED, 1).imp_uid)
    return with_provider(books, payments=there)


def a_refund_that_only_portone_knows(books):
    changed = swapped(
        books.provider.payments,
        lambda r: r.imp_uid == payment(DECLINED, 1).imp_uid,
        status="cancelled",
        cancelled_amount=100,
    )
    return with_provider(books, payments=changed)


def charged_after_the_cancel(books):
    at = record(ENDED).ended_at + HOUR
    late = payment(ENDED, 3, paid_at=at)
    books = both(books, late)
    books = replace(books, clock=Clock(BEGIN, {**books.clock.ahead, ENDED.uid: 9 * MONTH}), expected=None)
    later = charge(ENDED, 3, state=CycleState.PAID, imp_uid=late.imp_uid, paid_at=at, settled_at=at)
    told = ChargeResult(later.merchant_uid, CycleState.PAID, at, late.imp_uid)
    books = with_ledger(books, charges=(*books.ledger.charges, later), results=(*books.ledger.results, told))
    # Nobody's key: the sentence about keys is another one.
    keyless = {"customer_uid": "kept_key"}
    books = with_ledger(
        books,
        charges=swapped(books.ledger.charges, lambda c: c.merchant_uid == later.merchant_uid, customer_uid=None),
        payments=swapped(books.ledger.payments, lambda r: r.imp_uid == late.imp_uid, **keyless),
    )
    return with_provider(
        books, payments=swapped(books.provider.payments, lambda r: r.imp_uid == late.imp_uid, **keyless)
    )


def charged_by_a_stranger_after_the_end(books):
    at = record(ENDED).ended_at + 2 * HOUR
    stranger = payment(ENDED, 2, 9, merchant_uid="old-loop-18", paid_at=at, amount=Money(77))
    books = both(books, stranger)
    books = with_ledger(books, keys=swapped(books.ledger.keys, lambda k: k.deleted, deleted=False))
    return replace(books, clock=Clock(BEGIN, {**books.clock.ahead, ENDED.uid: 9 * MONTH}))


def scheduled_after_the_end(books):
    left = ScheduleFact(order(ENDED, 3), ENDED.uid, "scheduled", BEGIN + 9 * MONTH, PRICE)
    books = with_ledger(books, keys=swapped(books.ledger.keys, lambda k: k.deleted, deleted=False))
    return with_provider(books, schedules=(*books.provider.schedules, left))


def booked_in_another_amount(books):
    def wanted(row):
        return row.merchant_uid == order(DECLINED, 1)

    less = Money(PRICE.amount - 1)
    books = with_provider(books, payments=swapped(books.provider.payments, wanted, amount=less))
    return with_ledger(books, payments=swapped(books.ledger.payments, wanted, amount=less))


def tried_after_it_was_paid(books):
    return both(books, payment(DECLINED, 1, 9, "failed", failed_at=instant(1) + HOUR))


def tried_sixteen_times(books):
    rows = [payment(PARKED, 2, n, "failed", failed_at=BEGIN + timedelta(hours=n)) for n in range(16)]
    return both(with_journal(books, operations=(*books.journal.operations, *by_hand(20))), *rows)


def by_hand(times):
    return [Operation(name="retry", at=BEGIN, status=402, customer_uid=PARKED.uid) for _ in range(times)]


def tried_more_often_than_the_policy_says(books):
    return both(books, *(payment(PARKED, 2, n, "failed", failed_at=BEGIN + timedelta(hours=n)) for n in range(6)))


def refunded_beyond_what_was_paid(books):
    (refund,) = books.ledger.refunds
    return with_ledger(books, refunds=(refund, replace(refund, refund_id="rf9", amount=PRICE.amount)))


def refunded_twice_for_one_request(books):
    (row,) = [r for r in books.provider.payments if r.cancellations]
    twice = (*row.cancellations, replace(row.cancellations[0], cancellation_id="c2"))
    return with_provider(books, payments=swapped(books.provider.payments, lambda r: r is row, cancellations=twice))


def charged_to_another_key(books):
    """The key that was charged is not the one that was ordered from, and nobody compared it when it was booked."""
    number = order(DECLINED, 1)
    return with_ledger(
        books, charges=swapped(books.ledger.charges, lambda c: c.merchant_uid == number, customer_uid="new_card")
    )


def scheduled_on_a_deleted_key(books):
    left = ScheduleFact(order(ENDED, 3), ENDED.uid, "scheduled", BEGIN + 9 * MONTH, PRICE)
    return with_provider(books, schedules=(*books.provider.schedules, left))


def an_answer_that_was_forgotten(books):
    lost = Operation(name="refund", at=BEGIN, status=200, refund_id="rf_lost", merchant_uid=order(DECLINED, 1))
    return with_journal(books, operations=(*books.journal.operations, lost))


def one_key_with_two_answers(books):
    other = replace(books.journal.operations[0], body="another")
    return with_journal(books, operations=(*books.journal.operations, other))


def a_webhook_that_comes_to_nothing(books):
    hook = replace(books.ledger.webhooks[0], disposition=None)
    return with_ledger(books, webhooks=(hook, *books.ledger.webhooks[1:]))


def a_webhook_that_was_dropped(books):
    return with_ledger(books, webhooks=books.ledger.webhooks[1:])


def a_run_that_outgrew(books):
    return replace(books, runs=swapped(books.runs, lambda r: r.workflow_id == "fact/imp_1", events=9_999))


def a_card_in_a_log(books):
    leak = Artefact("worker.log", b"x" + base64.b64encode(b"ab" + CARD.encode() + b"cd"))
    return with_journal(books, artefacts=(*books.journal.artefacts, leak))


def a_stranger_who_is_looked_up_for(books):
    return with_journal(books, look_ups_for_strangers=1)


def a_forged_payment_that_is_booked(books):
    return with_journal(books, forged=frozenset({payment(DECLINED, 1).imp_uid}))


def a_path_that_nobody_meant(books):
    return with_journal(books, requests=(*books.journal.requests, ("GET", "/subscribe/customers/a/../b")))


def paid_out_of_turn(books):
    return with_ledger(
        books,
        charges=swapped(
            books.ledger.charges, lambda c: c.merchant_uid == order(DECLINED, 1), paid_at=instant(3) + HOUR
        ),
    )


def due_before_its_day(books):
    return with_ledger(
        books,
        charges=swapped(
            books.ledger.charges, lambda c: c.merchant_uid == order(DECLINED, 2), due_at=BEGIN + MONTH - HOUR
        ),
    )


def input_that_breaks(books):
    broken = Operation(name="start", at=BEGIN, status=500, bad_input=True)
    return with_journal(books, operations=(*books.journal.operations, broken))


def an_amount_beyond_the_bound(books):
    return replace(books, max_amount=PRICE.amount - 1)


def nothing_rests(books):
    due = DECLINED.paid_until
    ahead = {**books.clock.ahead, DECLINED.uid: due + HOUR - BEGIN}
    return replace(books, clock=Clock(BEGIN, ahead))


def a_token_for_each_call(books):
    return with_journal(books, tokens=99)


def a_history_that_does_not_replay(books):
    return replace(books, runs=swapped(books.runs, lambda r: r.workflow_id == "fact/imp_1", replays=False))


def a_state_without_a_story(books):
    number = order(DECLINED, 1)
    return with_ledger(books, results=tuple(r for r in books.ledger.results if r.merchant_uid != number))


def a_decision_of_nobody(books):
    return with_ledger(books, decisions=swapped(books.ledger.decisions, lambda _: True, by=" "))


def a_ghost(books):
    """It lives here, and nothing runs."""
    return replace(books, runs=tuple(r for r in books.runs if r.workflow_id != f"subscription/{DECLINED.uid}"))


def a_zombie(books):
    """It runs, and nobody knows it."""
    return replace(books, runs=(*books.runs, Run(workflow_id="subscription/lee", running=True, started_at=BEGIN)))


def another_life_in_its_place(books):
    of_it = f"subscription/{DECLINED.uid}"
    return replace(books, runs=swapped(books.runs, lambda r: r.workflow_id == of_it, subscription_id="another"))


def a_damaged_file(books):
    return with_ledger(books, database=Database(whole=False, says="row 7 missing from index"))


BROKEN = (
    ("paid_at_most_once", paid_twice_under_one_number),
    ("paid_at_most_once", paid_under_two_numbers),
    ("paid_by_one_order", paid_by_somebody_else_s_order),
    ("one_fate", a_period_without_a_fate),
    ("one_fate", a_period_that_nobody_has),
    ("nothing_due_unlisted", a_run_that_never_moves_again),
    ("books_agree", money_that_the_ledger_never_saw),
    ("books_agree", money_that_portone_never_had),
    ("books_agree", a_refund_that_only_portone_knows),
    ("no_charge_after_cancel", charged_after_the_cancel),
    ("no_charge_on_an_ended_key", charged_by_a_stranger_after_the_end),
    ("nothing_left_scheduled", scheduled_after_the_end),
    ("paid_as_ordered", booked_in_another_amount),
    ("cards_not_hammered", tried_after_it_was_paid),
    ("cards_not_hammered", tried_sixteen_times),
    ("cards_not_hammered", tried_more_often_than_the_policy_says),
    ("refunded_at_most_once", refunded_beyond_what_was_paid),
    ("refunded_at_most_once", refunded_twice_for_one_request),
    ("right_key", charged_to_another_key),
    ("right_key", scheduled_on_a_deleted_key),
    ("acknowledged_is_kept", an_answer_that_was_forgotten),
    ("acknowledged_is_kept", one_key_with_two_answers),
    ("webhooks_accounted", a_webhook_that_comes_to_nothing),
    ("webhooks_accounted", a_webhook_that_was_dropped),
    ("runs_bounded", a_run_that_outgrew),
    ("no_card_data", a_card_in_a_log),
    ("authentic", a_stranger_who_is_looked_up_for),
    ("authentic", a_forged_payment_that_is_booked),
    ("known_routes", a_path_that_nobody_meant),
    ("in_turn", paid_out_of_turn),
    ("in_turn", due_before_its_day),
    ("no_input_breaks", input_that_breaks),
    ("amounts_in_bounds", an_amount_beyond_the_bound),
    ("rests_after_faults", nothing_rests),
    ("tokens_kept", a_token_for_each_call),
    ("replays", a_history_that_does_not_replay),
    ("every_state_told", a_state_without_a_story),
    ("every_state_told", a_decision_of_nobody),
    ("no_run_astray", a_ghost),
    ("no_run_astray", a_zombie),
    ("no_run_astray", another_life_in_its_place),
    ("database_whole", a_damaged_file),
)

BESIDE = {
    # A life that never moves again does not come to rest either, and what another key paid was not paid as ordered.
    a_run_that_never_moves_again: {"rests_after_faults"},
    charged_to_another_key: {"paid_as_ordered"},
}
