"""The library of invariants: silent where everything holds, and each one speaks where its own sentence is broken."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain import audit
from billing.domain.audit import INVARIANTS, Book, judge, violations
from billing.domain.audit.books import Artefact, Run, Webhook
from billing.domain.audit.calls import is_known
from billing.domain.audit.secrets import spellings
from billing.domain.clock import Clock
from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.domain.parked import ParkedKind
from billing.domain.records import RefundState
from billing.domain.refund_mark import marked
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.windows import Window
from tests.domain.audit.broken import (
    BESIDE,
    BROKEN,
    DECLINED,
    ENDED,
    both,
    charged_after_the_cancel,
    charged_by_a_stranger_after_the_end,
    money_that_portone_never_had,
    paid_twice_under_one_number,
    refunded_twice_for_one_request,
)
from tests.domain.audit.worlds import (
    BEGIN,
    CARD,
    GOOD,
    MONTH,
    PRICE,
    order,
    payment,
    swapped,
    with_journal,
    with_ledger,
    with_provider,
    world,
    worlds,
)


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[broken.__name__ for _, broken in BROKEN])
def test_a_broken_sentence_is_found_by_its_own_invariant_and_by_no_other(name, broken):
    good = world(*GOOD)
    assert violations(good) == []
    found = violations(broken(good))
    assert name in {each for each, _ in found}
    assert {each for each, _ in found} - {name} <= BESIDE.get(broken, set())


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[broken.__name__ for _, broken in BROKEN])
def test_without_its_invariant_nothing_else_would_have_found_it(name, broken):
    others = [each for each in INVARIANTS if each.name != name]
    found = [each for judged in judge(broken(world(*GOOD)), invariants=others) for each in judged.violations]
    assert (found != []) == bool(BESIDE.get(broken))


def test_every_invariant_is_seen_to_speak():
    assert {name for name, _ in BROKEN} == {each.name for each in INVARIANTS}
    assert len(INVARIANTS) == len({each.name for each in INVARIANTS}) == 27


@given(worlds())
def test_where_everything_holds_nothing_is_found_whatever_the_stories(books):
    assert violations(books) == []


@given(worlds(), st.randoms(use_true_random=False))
def test_a_second_payment_of_any_period_is_found_whatever_its_order_number(books, random):
    held = [row for row in books.held() if books.period_of(row.merchant_uid)]
    row = random.choice(held)
    number = random.choice((row.merchant_uid, row.merchant_uid[:-1] + "b"))
    twin = replace(row, imp_uid="imp_twin", merchant_uid=number)
    found = violations(both(books, twin))
    assert "paid_at_most_once" in {name for name, _ in found}
    (where,) = [each for name, each in found if name == "paid_at_most_once"]
    assert set(where.imp_uids) == {row.imp_uid, "imp_twin"}
    assert (where.subscription_id, where.cycle) == books.period_of(row.merchant_uid)


@given(worlds(), st.randoms(use_true_random=False))
def test_whatever_payment_one_side_loses_is_found(books, random):
    row = random.choice([row for row in books.held() if books.is_ours(row.merchant_uid)])
    here = tuple(each for each in books.ledger.payments if each.imp_uid != row.imp_uid)
    there = tuple(each for each in books.provider.payments if each.imp_uid != row.imp_uid)
    for broken in (with_ledger(books, payments=here), with_provider(books, payments=there)):
        assert "books_agree" in {name for name, _ in violations(broken)}


@given(worlds(), st.randoms(use_true_random=False))
def test_whatever_life_stops_moving_is_found_unless_it_stands_in_a_list(books, random):
    story = random.choice(books.ledger.subscriptions)
    books = replace(books, clock=Clock(BEGIN, {**books.clock.ahead, story.customer_uid: 99 * MONTH}))
    found = {each.subscription_id for name, each in violations(books) if name == "nothing_due_unlisted"}
    listed = story.status is SubscriptionStatus.CANCELED or story.cycle_state is CycleState.MISMATCH
    assert found == (set() if listed else {story.subscription_id})


# ---------------------------------------------------------------- what is no violation


def test_what_was_not_read_is_not_judged_and_never_counts_as_fine():
    books = replace(world(*GOOD), provider=None, runs=None, journal=None, expected=None)
    judged = {each.invariant.name: each for each in judge(books)}
    assert judged["paid_at_most_once"].holds is None
    assert judged["paid_at_most_once"].missing == (Book.PROVIDER,)
    assert judged["replays"].missing == (Book.REPLAYS,)
    assert judged["runs_bounded"].missing == (Book.RUNS,)
    assert judged["no_card_data"].missing == (Book.JOURNAL,)
    assert judged["nothing_due_unlisted"].holds is True
    assert [each.name for each in INVARIANTS if not each.needs] == [
        "one_fate", "nothing_due_unlisted", "webhooks_accounted", "in_turn", "amounts_in_bounds", "every_state_told",
    ]  # fmt: skip


def test_money_that_is_being_settled_at_this_moment_is_no_violation():
    young = payment(DECLINED, 4, paid_at=DECLINED.paid_until)
    books = world(*GOOD)
    ahead = {**books.clock.ahead, DECLINED.uid: DECLINED.paid_until - BEGIN + timedelta(minutes=5)}
    books = with_provider(replace(books, clock=Clock(BEGIN, ahead)), payments=(*books.provider.payments, young))
    assert violations(books) == []
    older = replace(books, clock=Clock(BEGIN, {**ahead, DECLINED.uid: ahead[DECLINED.uid] + timedelta(minutes=6)}))
    assert {name for name, _ in violations(older)} == {"books_agree"}


def test_what_went_back_after_an_end_and_what_a_person_decided_is_no_violation():
    books = charged_after_the_cancel(world(*GOOD))
    assert violations(books) != []
    back = {"status": "cancelled", "cancelled_amount": PRICE.amount}
    number = order(ENDED, 3)
    given = with_provider(books, payments=swapped(books.provider.payments, lambda r: r.merchant_uid == number, **back))
    given = with_ledger(given, payments=swapped(given.ledger.payments, lambda r: r.merchant_uid == number, **back))
    assert [name for name, _ in violations(given)] == []
    decided = with_ledger(books, decisions=swapped(books.ledger.decisions, lambda _: True, merchant_uid=number))
    assert [name for name, _ in violations(decided)] == []


def test_a_payment_before_the_window_that_was_asked_for_is_not_called_missing():
    books = money_that_portone_never_had(world(*GOOD))
    later = Window(BEGIN + MONTH, BEGIN + 9 * MONTH)
    assert violations(with_provider(books, window=later)) == []
    assert violations(with_provider(books, window=Window(BEGIN, BEGIN + MONTH))) != []


def test_two_payments_that_wait_for_a_person_are_in_that_list():
    books = paid_twice_under_one_number(world(*GOOD))
    waits = replace(books.ledger.parked[0], parked_id="p9", merchant_uid=order(DECLINED, 1))
    assert violations(with_ledger(books, parked=(*books.ledger.parked, waits))) == []


@pytest.mark.parametrize(("kind", "is_told"), [(ParkedKind.SECOND_PAYMENT, False), (ParkedKind.REFUND_REFUSED, True)])
def test_a_payment_that_portone_has_not_is_told_unless_a_second_one_stands_parked_in_its_place(kind, is_told):
    books = money_that_portone_never_had(world(*GOOD))
    missing = next(each for each in books.ledger.charges if each.imp_uid and each.imp_uid not in books.their_payments)
    item = replace(books.ledger.parked[0], parked_id="p9", kind=kind, merchant_uid=missing.merchant_uid, closed_at=None)
    found = violations(with_ledger(books, parked=(*books.ledger.parked, item)))
    assert bool(found) is is_told


def test_the_merchant_s_other_business_is_nobody_s_concern():
    rows = [PaymentFact(f"imp_s{n}", "shop-1", "paid", Money(-5), customer_uid="shop", paid_at=BEGIN) for n in (1, 2)]
    books = world(*GOOD)
    assert violations(with_provider(books, payments=(*books.provider.payments, *rows))) == []


def test_a_refund_that_was_refused_is_none():
    books = world(*GOOD)
    (refund,) = books.ledger.refunds
    refused = replace(refund, refund_id="rf9", amount=PRICE.amount, state=RefundState.REFUSED)
    assert violations(with_ledger(books, refunds=(refund, refused))) == []


def test_a_start_that_was_refused_ends_nothing_on_a_key_that_somebody_else_charges():
    def never_began(record):
        return record.subscription_id == ENDED.life

    books = charged_by_a_stranger_after_the_end(world(*GOOD))
    assert "no_charge_on_an_ended_key" in {name for name, _ in violations(books)}
    expired = SubscriptionStatus.INCOMPLETE_EXPIRED
    refused = with_ledger(books, subscriptions=swapped(books.ledger.subscriptions, never_began, status=expired))
    assert "no_charge_on_an_ended_key" not in {name for name, _ in violations(refused)}


def test_a_run_that_has_just_begun_may_be_ahead_of_the_ledger():
    books = world(*GOOD)
    fresh = Run(workflow_id="subscription/lee", running=True, started_at=books.clock.latest() - timedelta(minutes=1))
    assert violations(replace(books, runs=(*books.runs, fresh))) == []


def test_a_webhook_may_wait_as_long_as_the_leeway():
    books = world(*GOOD)
    hook = Webhook(
        imp_uid="i", merchant_uid="m", status="paid", cancellation_id="", count=1, disposition=None,
        last_at=books.clock.latest() - timedelta(minutes=59),
    )  # fmt: skip
    books = with_journal(books, deliveries={**books.journal.deliveries, hook.identity: 1})
    assert violations(with_ledger(books, webhooks=(*books.ledger.webhooks, hook))) == []


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("how", list(spellings(CARD)))
def test_a_card_number_is_found_however_it_is_spelled(how):
    leak = Artefact("x", b"before " + spellings(CARD)[how] + b" behind")
    books = world(*GOOD)
    found = violations(with_journal(books, artefacts=(leak,)))
    assert [name for name, _ in found] == ["no_card_data"]
    assert CARD not in found[0][1].sentence


@pytest.mark.parametrize("offset", range(3))
@pytest.mark.parametrize("length", range(3))
def test_base64_of_something_around_it_is_found_at_every_offset(offset, length):
    coded = base64.b64encode(b"x" * offset + CARD.encode() + b"y" * length)
    assert any(needle in coded for needle in spellings(CARD).values())


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("GET", "/payments/findAll/s1/all", True),
        ("GET", "/payments/findAll/s1/else", False),
        ("DELETE", "/subscribe/customers/kim@example.com", True),
        ("DELETE", "/subscribe/customers/", False),
        ("GET", "/subscribe/customers/a%2F..%2Fb", False),
        ("POST", "/payments/cancel", True),
        ("DELETE", "/payments/cancel", False),
        ("GET", "//evil.example/payments", False),
    ],
)
def test_only_what_this_project_calls_is_known(method, path, known):
    assert is_known(method, path) is known


def test_a_mark_is_what_tells_two_refunds_of_the_same_amount_apart():
    books = refunded_twice_for_one_request(world(*GOOD))
    (row,) = [r for r in books.provider.payments if r.cancellations]
    apart = (row.cancellations[0], replace(row.cancellations[1], reason=marked("ask", "rf_other")))
    assert (
        violations(
            with_provider(books, payments=swapped(books.provider.payments, lambda r: r is row, cancellations=apart))
        )
        == []
    )


def test_the_library_is_pure():
    assert all(each.check.__module__.startswith(audit.__name__) for each in INVARIANTS)
