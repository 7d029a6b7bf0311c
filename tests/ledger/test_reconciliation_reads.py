"""What a reconciliation asks of the ledger: whose an order is, what is known of it, pages that leave nothing out."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.both_sides import OrderHere, Refunded
from billing.domain.facts import ScheduleFact
from billing.domain.merchant_uid import cycle_merchant_uid
from billing.domain.money import Money
from billing.domain.records import ChargeKind, LedgerEntry, RefundState
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.windows import Window
from billing.ledger import ChargeRow, Cursor, Ledger
from tests.ledger.stories import LIFE, PRICE, day, intent, key, order, paid, payment, refund, result, subscription

OTHER = "s1123456789abcdefghi"


async def here(ledger: Ledger, merchant_uid: str, customer_uid: str | None = None) -> OrderHere:
    return (await ledger.reconciliation.orders({merchant_uid: customer_uid}))[merchant_uid]


async def test_an_order_comes_with_its_payments_refunds_and_subscription(ledger: Ledger) -> None:
    record = subscription(merchant_uid=order(2), next_charge_at=day(60))
    await ledger.record(LedgerEntry(subscription=record, intents=(intent(), intent(2))))
    await ledger.record(paid())
    for refund_id, state, amount in (
        ("a", RefundState.REFUNDED, 400),
        ("b", RefundState.REFUNDED, 100),
        ("c", RefundState.INTENT, 30),
        ("d", RefundState.UNKNOWN, 7),
        ("e", RefundState.REFUSED, 9000),
    ):
        await ledger.record(LedgerEntry(refunds=(refund(state, refund_id=refund_id, amount=Money(amount)),)))
    first = await here(ledger, order(), "kim_1")
    assert (first.amount, first.state, first.imp_uid, first.kind) == (
        PRICE,
        CycleState.PAID,
        "imps_1",
        ChargeKind.CYCLE,
    )
    assert first.refunds == {"imps_1": Refunded(done=500, in_doubt=37)}
    assert first.knows(payment())
    assert not first.knows(payment(status="cancelled"))
    assert (first.is_ours, first.is_current, first.planned_at) == (True, False, None)
    second = await here(ledger, order(2))
    assert (second.is_current, second.planned_at, second.period_paid_by) == (True, day(60), None)


@pytest.mark.parametrize(
    ("merchant_uid", "customer_uid", "ours"),
    [
        ("shop-1", None, False),
        ("shop-1", "somebody", False),
        ("shop-1", "kim_1", True),
        ("shop-1", "kept", True),
        ("shop-1", "was deleted", False),
        ("shop-1", "second card", True),
        (order(9), "somebody", True),
        (cycle_merchant_uid(OTHER, 1), "somebody", False),
    ],
)
async def test_what_nobody_ordered_is_ours_by_its_number_or_by_its_key(
    ledger: Ledger, merchant_uid: str, customer_uid: str | None, ours: bool
) -> None:
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(),)))
    await ledger.record(LedgerEntry(intents=(intent(2, customer_uid="second card"),)))
    for name in ("kept", "was deleted"):
        await ledger.record(LedgerEntry(billing_key=key(name)))
    await ledger.record(LedgerEntry(deleted_billing_key="was deleted"))
    found = await here(ledger, merchant_uid, customer_uid)
    assert (found.amount, found.is_ours) == (None, ours)
    of_the_life = ours and customer_uid != "kept"
    assert (found.subscription.subscription_id if found.subscription else None) == (LIFE if of_the_life else None)


async def test_a_card_that_was_changed_to_is_known_before_anything_was_charged_with_it(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(subscription=subscription(billing_key="kim_2"), billing_key=key("kim_2")))
    found = await here(ledger, "x", "kim_2")
    assert found.subscription is not None
    (living,) = await ledger.reconciliation.living("", 5)
    assert living.key == "kim_2"


async def test_a_key_belongs_to_the_life_that_lives_or_else_to_the_newest(ledger: Ledger) -> None:
    old = subscription(status=SubscriptionStatus.CANCELED, ended_at=day(3))
    new = subscription(subscription_id=OTHER, started_at=day(9), status=SubscriptionStatus.CANCELED, ended_at=day(10))
    for record in (old, new):
        await ledger.record(LedgerEntry(subscription=record))
    found = await here(ledger, "x", "kim_1")
    assert found.subscription is not None
    assert (found.subscription.subscription_id, found.is_living) == (OTHER, False)
    await ledger.record(LedgerEntry(subscription=replace(old, revision=2, status=SubscriptionStatus.ACTIVE)))
    found = await here(ledger, "x", "kim_1")
    assert found.subscription is not None
    assert (found.subscription.subscription_id, found.is_living) == (LIFE, True)


async def test_another_number_that_holds_the_money_of_the_same_period_is_named(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(), intent(generation=1), intent(2))))
    await ledger.record(paid(generation=1))
    assert (await here(ledger, order())).period_paid_by == order(1, 1)
    assert (await here(ledger, order(1, 2))).period_paid_by == order(1, 1)
    assert (await here(ledger, order(1, 1))).period_paid_by is None
    assert (await here(ledger, order(2))).period_paid_by is None
    await ledger.record(LedgerEntry(results=(result(CycleState.REFUNDED, 2, order(1, 1), imp_uid="imps_1"),)))
    assert (await here(ledger, order())).period_paid_by is None


async def test_a_thousand_orders_are_asked_for_at_once(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(),)))
    asked: dict[str, str | None] = {cycle_merchant_uid(LIFE, number): f"key_{number}" for number in range(1, 1001)}
    found = await ledger.reconciliation.orders(asked)
    assert set(found) == set(asked)
    assert [number for number, each in found.items() if each.amount is not None] == [order()]
    assert await ledger.reconciliation.orders({}) == {}


async def test_living_subscriptions_page_by_their_id_with_the_key_they_charge(ledger: Ledger) -> None:
    lives = [f"s{number}123456789abcdefghi" for number in range(5)]
    for number, life in enumerate(lives):
        record = subscription(subscription_id=life, customer_uid=f"c{number}", merchant_uid=cycle_merchant_uid(life, 1))
        if number == 3:
            record = replace(record, status=SubscriptionStatus.CANCELED, ended_at=day(1))
        await ledger.record(LedgerEntry(subscription=record))
    await ledger.record(LedgerEntry(billing_key=key("c0")))
    # The second one changed its card: its charge stands on another key than it was started under.
    changed = intent(subscription_id=lives[1], customer_uid="c1-new", merchant_uid=cycle_merchant_uid(lives[1], 1))
    await ledger.record(LedgerEntry(intents=(changed,), billing_key=key("c1-new")))
    await ledger.record(LedgerEntry(deleted_billing_key="c1"))
    seen: list[tuple[str, str | None]] = []
    after = ""
    while page := await ledger.reconciliation.living(after, 2):
        seen += [(each.record.customer_uid, each.key) for each in page]
        after = page[-1].record.subscription_id
    assert seen == [("c0", "c0"), ("c1", "c1-new"), ("c2", None), ("c4", None)]
    one = await ledger.reconciliation.subscription(lives[3])
    assert one is not None
    assert (one.record.status, one.key) == (SubscriptionStatus.CANCELED, None)
    assert await ledger.reconciliation.subscription("nobody") is None


Walk = Callable[[Window, Cursor | None, int], Awaitable[list[ChargeRow]]]


async def walked(walk: Walk, window: Window, *, due: bool = False) -> list[str]:
    seen: list[str] = []
    after: Cursor | None = None
    while page := await walk(window, after, 2):
        seen += [row.merchant_uid for row in page]
        at = page[-1].due_at if due else page[-1].settled_at
        assert at is not None
        after = Cursor.decode(Cursor(at, page[-1].merchant_uid).encode())
    return seen


async def test_what_was_settled_in_a_window_pages_oldest_first_with_the_start_inside_and_the_end_not(
    ledger: Ledger,
) -> None:
    for cycle in range(1, 8):
        await ledger.record(LedgerEntry(intents=(intent(cycle),)))
        # Three to an instant.
        await ledger.record(paid(cycle, imp_uid=f"imps_{cycle}", at=cycle // 3))
    await ledger.record(LedgerEntry(intents=(intent(8),), results=(result(CycleState.DECLINED, 1, order(8)),)))
    settled = ledger.reconciliation.settled
    assert await walked(settled, Window(day(0), day(3))) == [order(cycle) for cycle in range(1, 8)]
    assert await walked(settled, Window(day(1), day(2))) == [order(cycle) for cycle in (3, 4, 5)]
    assert await walked(settled, Window(day(1) + timedelta(microseconds=1), day(2))) == []


async def test_one_time_charges_that_were_sent_and_have_no_outcome(ledger: Ledger) -> None:
    for number, sent in (("p1", True), ("p2", False), ("p3", True), ("p4", True)):
        one = replace(
            intent(), merchant_uid=number, kind=ChargeKind.KEY_IN, subscription_id=None, cycle=None, customer_uid=None
        )
        await ledger.record(LedgerEntry(intents=(one,)))
        if sent:
            assert await ledger.mark_sent(number, 1, day(30))
    await ledger.record(LedgerEntry(results=(result(CycleState.DECLINED, 31, "p3"),)))
    await ledger.record(LedgerEntry(subscription=subscription(), intents=(intent(),)))
    unsettled = ledger.reconciliation.unsettled_one_time
    assert await walked(unsettled, Window(day(30), day(31)), due=True) == ["p1", "p4"]
    assert await walked(unsettled, Window(day(31), day(32)), due=True) == []


def schedule(number: str, status: str = "scheduled") -> ScheduleFact:
    return ScheduleFact(number, "kim_1", status, day(30), PRICE)


async def test_what_a_run_has_seen_scheduled_is_not_unseen(ledger: Ledger) -> None:
    see, unseen = ledger.reconciliation.see_schedules, ledger.reconciliation.unseen
    await see("run 1", [schedule("a"), schedule("b"), schedule("a", "revoked")], day(1))
    assert await unseen("run 1", ["a", "b", "c"]) == {"c"}
    assert await unseen("run 2", ["a", "b"]) == {"a", "b"}
    await see("run 2", [schedule("b")], day(2))
    assert await unseen("run 2", ["a", "b"]) == {"a"}
    await see("run 2", [], day(2))
    assert await unseen("run 2", []) == set()
