"""What stands parked, what was decided, and what is known of an order that somebody looked up."""

from dataclasses import replace

from billing.domain.known_order import AskedOrder, Known
from billing.domain.parked import Decision, DecisionRecord, ParkedKind, ParkedRecord
from billing.domain.records import LedgerEntry, RefundState
from billing.domain.states import CycleState, SubscriptionStatus
from tests.ledger.stories import LIFE, day, intent, order, paid, refund, result, subscription


def parked(number=1, revision=1, **changes):
    record = ParkedRecord(
        parked_id=f"{LIFE}-{number}",
        kind=ParkedKind.CHARGE_MISMATCH,
        workflow_id="subscription/kim_1",
        customer_uid="kim_1",
        subscription_id=LIFE,
        reason="differs in amount",
        merchant_uid=order(),
        parked_at=day(number),
        revision=revision,
        known=("payment imp_1: 100 KRW paid",),
        imp_uid="imp_1",
    )
    return replace(record, **changes)


def decision(**changes):
    record = DecisionRecord(
        decision_id="d1",
        parked_id=f"{LIFE}-1",
        kind=ParkedKind.REFUND_REFUSED,
        workflow_id="fact/imp_1",
        customer_uid="kim_1",
        subscription_id=LIFE,
        merchant_uid=order(),
        parked_reason="PortOne will not",
        decision=Decision.PAID,
        by="박 대리",
        reason="고객이 원함",
        at=day(2),
        imp_uid="imp_1",
    )
    return replace(record, **changes)


async def test_what_stands_is_listed_oldest_first_page_by_page(ledger):
    await ledger.record(LedgerEntry(parked=tuple(parked(n) for n in (3, 1, 2))))
    first = await ledger.parking.page(limit=2)
    rest = await ledger.parking.page(limit=2, after=first[-1].cursor)
    assert [row.parked_id[-1] for row in (*first, *rest)] == ["1", "2", "3"]
    assert first[0].known == ("payment imp_1: 100 KRW paid",)
    assert await ledger.parking.page(customer_uid="lee") == []


async def test_what_stands_no_longer_is_not_listed_and_an_older_word_does_not_bring_it_back(ledger):
    await ledger.record(LedgerEntry(parked=(parked(),)))
    await ledger.record(LedgerEntry(parked=(parked(revision=2, closed_at=day(2)),)))
    await ledger.record(LedgerEntry(parked=(parked(),)))
    assert await ledger.parking.page() == []


async def test_a_decision_is_kept_once_with_who_and_why(ledger):
    for _ in range(2):
        await ledger.record(LedgerEntry(decisions=(decision(),)))
    assert await ledger.parking.decisions("kim_1") == [decision()]


async def test_of_an_order_all_is_known_that_a_look_is_judged_by(ledger):
    await ledger.record(
        LedgerEntry(subscription=subscription(next_charge_at=day(30), merchant_uid=order()), intents=(intent(),))
    )
    (found,) = await ledger.known_orders.of([AskedOrder(order(), "imp_1")])
    assert (found.customer_uid, found.subscription_id, found.living) == ("kim_1", LIFE, True)
    assert (found.order.is_open, found.order.paid, found.order.state) == (True, False, CycleState.PLANNED)
    await ledger.record(paid())
    back = refund(RefundState.REFUNDED, 2, tax_free=80, vat_amount=75)
    await ledger.record(LedgerEntry(refunds=(back,)))
    (found,) = await ledger.known_orders.of([AskedOrder(order(), "imps_1")])
    assert (found.order.paid, found.refunds[0].tax_free, found.refunds[0].vat_amount) == (True, 80, 75)


async def test_an_order_of_an_ended_subscription_is_open_no_more(ledger):
    ended = subscription(2, status=SubscriptionStatus.CANCELED, ended_at=day(1), end_reason="x")
    await ledger.record(LedgerEntry(subscription=ended, intents=(intent(),)))
    (found,) = await ledger.known_orders.of([AskedOrder(order())])
    assert (found.living, found.order.is_open, found.status) == (False, False, SubscriptionStatus.CANCELED)


async def test_of_a_period_that_is_paid_under_another_number_that_number_is_known(ledger):
    await ledger.record(LedgerEntry(intents=(intent(), intent(generation=1))))
    await ledger.record(paid(generation=1))
    (found,) = await ledger.known_orders.of([AskedOrder(order())])
    assert found.order.period_paid_by == order(1, 1)


async def test_of_a_stray_payment_the_owner_of_its_key_is_known_and_of_other_business_nothing(ledger):
    await ledger.record(LedgerEntry(subscription=subscription(billing_key="kim_1.key2")))
    ours, theirs = await ledger.known_orders.of([AskedOrder("x", "imp_9", "kim_1.key2"), AskedOrder("x", "imp_9", "z")])
    assert (ours.order, ours.customer_uid) == (None, "kim_1")
    assert theirs == Known()


async def test_that_a_person_kept_the_money_is_known(ledger):
    await ledger.record(LedgerEntry(intents=(intent(),), decisions=(decision(),)))
    (found,) = await ledger.known_orders.of([AskedOrder(order(), "imp_1")])
    assert found.kept


async def test_a_second_payment_that_went_back_leaves_the_first_one_paid(ledger):
    await ledger.record(LedgerEntry(intents=(intent(),)))
    await ledger.record(paid())
    await ledger.record(LedgerEntry(results=(result(CycleState.REFUNDED, 3, imp_uid="imp_second"),)))
    assert (await ledger.get_charge(order())).state is CycleState.PAID


async def test_a_refund_is_booked_whatever_clock_its_run_lived_by(ledger):
    await ledger.record(LedgerEntry(intents=(intent(),)))
    await ledger.record(paid())
    imp_uid = (await ledger.get_charge(order())).imp_uid
    await ledger.record(LedgerEntry(results=(result(CycleState.REFUNDED, -9, imp_uid=imp_uid),)))
    assert (await ledger.get_charge(order())).state is CycleState.REFUNDED
