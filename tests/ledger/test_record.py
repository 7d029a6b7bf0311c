"""`Ledger.record`: one step of a story, whole or not at all."""

from dataclasses import replace
from datetime import UTC

import pytest
from sqlalchemy import select

from billing.domain.money import Money
from billing.domain.overdue import due_by
from billing.domain.records import (
    ChargeIntent,
    ChargeKind,
    ChargeRegistered,
    Disposition,
    LedgerEntry,
    SubscriptionRecord,
    WebhookDisposition,
)
from billing.domain.states import CycleState, SubscriptionStatus
from billing.ledger import Ledger, LedgerConflictError, LedgerError, ReceivedWebhook
from billing.ledger.engine import reading
from billing.ledger.tables import subscriptions
from tests.ledger.stories import (
    LIFE,
    PRICE,
    day,
    everything,
    intent,
    key,
    order,
    paid,
    payment,
    refund,
    result,
    subscription,
)

OPEN = LedgerEntry(subscription=subscription(), intents=(intent(),))


# ---------------------------------------------------------------- intents


async def test_an_order_number_stands_for_one_amount(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    before = await everything(ledger)
    with pytest.raises(LedgerConflictError, match=rf"{order()}.* amount"):
        await ledger.record(LedgerEntry(intents=(intent(amount=Money(9901)),)))
    assert await everything(ledger) == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount": Money(9900, "USD")}, "currency"),
        ({"workflow_id": "subscription/lee"}, "workflow_id"),
        ({"cycle": 2}, "cycle"),
        ({"subscription_id": None, "cycle": None}, "subscription_id"),
        ({"tax_free": 0}, "tax_free"),
        ({"kind": ChargeKind.KEY_IN}, "kind"),
    ],
)
async def test_an_order_number_never_comes_to_mean_something_else(ledger: Ledger, changes: dict, named: str) -> None:
    await ledger.record(OPEN)
    with pytest.raises(LedgerConflictError, match=named):
        await ledger.record(LedgerEntry(intents=(replace(intent(), **changes),)))


async def test_one_generation_of_a_cycle_has_one_order_number(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    with pytest.raises(LedgerConflictError, match=r"another order number than 'other'"):
        await ledger.record(LedgerEntry(intents=(intent(merchant_uid="other"),)))


async def test_the_same_intent_again_changes_nothing(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    before = await everything(ledger)
    await ledger.record(OPEN)
    await ledger.record(LedgerEntry(intents=(intent(name="renamed"),)))
    assert await everything(ledger) == before


async def test_an_intent_that_is_only_planned_may_be_due_at_another_time_and_a_settled_one_not(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(LedgerEntry(intents=(intent(due_at=day(99)),)))
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert charge.due_at == day(99)
    await ledger.record(paid())
    await ledger.record(LedgerEntry(intents=(intent(due_at=day(30)),)))
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert charge.due_at == day(99)


async def test_an_opened_charge_reads_back_as_it_was_meant(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert (charge.amount, charge.state, charge.sends, charge.sent_at) == (PRICE, CycleState.PLANNED, 0, None)
    assert (charge.subscription_id, charge.cycle, charge.generation, charge.tax_free) == (LIFE, 1, 0, 100)
    assert charge.due_at == day(30)
    assert charge.due_at.tzinfo is UTC
    assert charge.created_at == charge.updated_at
    assert charge.created_at.tzinfo is UTC


async def test_a_payment_without_a_subscription_has_its_charge_too(ledger: Ledger) -> None:
    key_in = ChargeIntent("p-1", "payment/p-1", ChargeKind.KEY_IN, Money(12345, "USD"), "한 번", day(0), vat_amount=1)
    await ledger.record(LedgerEntry(intents=(key_in,)))
    charge = await ledger.get_charge("p-1")
    assert charge is not None
    assert (charge.amount, charge.subscription_id, charge.cycle, charge.vat_amount) == (
        Money(12345, "USD"),
        None,
        None,
        1,
    )


# ---------------------------------------------------------------- results


async def test_a_result_needs_an_intent(ledger: Ledger) -> None:
    with pytest.raises(LedgerConflictError, match="was never opened"):
        await ledger.record(LedgerEntry(results=(result(CycleState.PAID),)))


async def test_a_cycle_is_paid_once_whatever_its_generation(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1, 0), intent(1, 1))))
    await ledger.record(paid(1, 0, "imps_1"))
    before = await everything(ledger)
    with pytest.raises(LedgerConflictError, match=rf"cycle 1 of '{LIFE}' is already paid by '{order(1, 0)}'"):
        await ledger.record(paid(1, 1, "imps_2"))
    assert await everything(ledger) == before


async def test_one_payment_pays_one_order(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1), intent(2))))
    await ledger.record(paid(1, imp_uid="imps_1"))
    before = await everything(ledger)
    for state in (CycleState.PAID, CycleState.LATE_PAID, CycleState.DECLINED):
        with pytest.raises(LedgerConflictError, match=rf"'imps_1' already belongs to order '{order(1)}'"):
            await ledger.record(LedgerEntry(results=(result(state, 1, order(2), imp_uid="imps_1"),)))
    assert await everything(ledger) == before


async def test_an_order_is_paid_by_one_payment(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(paid())
    with pytest.raises(LedgerConflictError, match="it cannot be paid by 'imps_2'"):
        await ledger.record(LedgerEntry(results=(result(CycleState.PAID, 1, imp_uid="imps_2"),)))


async def test_a_payment_that_portone_has_under_another_order_pays_nothing(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1),), payments=(payment("imps_9", merchant_uid="theirs"),)))
    with pytest.raises(LedgerConflictError, match="belongs to order 'theirs'"):
        await ledger.record(LedgerEntry(results=(result(CycleState.PAID, imp_uid="imps_9"),)))


async def test_a_mismatch_reports_somebody_elses_payment_without_taking_it(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1), intent(2))))
    theirs = payment("imps_2", merchant_uid=order(2))
    mismatch = result(CycleState.MISMATCH, 0, order(1), imp_uid="imps_2", message="merchant_uid")
    await ledger.record(LedgerEntry(results=(mismatch,), payments=(theirs,)))
    await ledger.record(paid(2, imp_uid="imps_2"))
    first, second = await ledger.list_charges(subscription_id=LIFE)
    assert (first.state, first.imp_uid) == (CycleState.MISMATCH, None)
    assert (second.state, second.imp_uid) == (CycleState.PAID, "imps_2")
    assert [row.imp_uid for row in await ledger.list_results(order(1))] == ["imps_2"]


async def test_paid_is_never_overwritten_by_less(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(paid())
    before = await ledger.get_charge(order())
    for less in set(CycleState) - {CycleState.PAID, CycleState.MISMATCH, CycleState.REFUNDED}:
        await ledger.record(LedgerEntry(results=(result(less, 5, message="late"),)))
        assert await ledger.get_charge(order()) == before


async def test_refunded_is_the_end(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(paid())
    await ledger.record(LedgerEntry(results=(result(CycleState.REFUNDED, 1),)))
    before = await ledger.get_charge(order())
    assert before is not None
    assert (before.state, before.imp_uid, before.paid_at) == (CycleState.REFUNDED, "imps_1", day(0))
    for state in CycleState:
        await ledger.record(LedgerEntry(results=(result(state, 2, imp_uid="imps_1"),)))
    assert await ledger.get_charge(order()) == before


async def test_a_refunded_cycle_may_be_paid_again(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1, 0), intent(1, 1))))
    await ledger.record(paid(1, 0, "imps_1"))
    await ledger.record(LedgerEntry(results=(result(CycleState.REFUNDED, 1, order(1, 0)),)))
    await ledger.record(paid(1, 1, "imps_2", at=2))
    states = [charge.state for charge in await ledger.list_charges(subscription_id=LIFE)]
    assert states == [CycleState.REFUNDED, CycleState.PAID]


async def test_a_paid_charge_in_doubt_keeps_its_cycle(ledger: Ledger) -> None:
    """A console refund or a second paid row makes a paid charge a mismatch: that is no licence to charge again."""
    await ledger.record(LedgerEntry(intents=(intent(1, 0), intent(1, 1))))
    await ledger.record(paid(1, 0, "imps_1"))
    doubt = result(CycleState.MISMATCH, 1, order(1, 0), imp_uid="imps_3", message="refunded elsewhere")
    await ledger.record(LedgerEntry(results=(doubt,)))
    charge = await ledger.get_charge(order(1, 0))
    assert charge is not None
    assert (charge.state, charge.imp_uid, charge.message) == (CycleState.MISMATCH, "imps_1", "refunded elsewhere")
    assert not await ledger.mark_sent(order(1, 1), 1, day(2))
    with pytest.raises(LedgerConflictError, match="already paid"):
        await ledger.record(paid(1, 1, "imps_2", at=2))


async def test_a_doubt_that_proves_unpaid_frees_the_cycle(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1, 0), intent(1, 1))))
    await ledger.record(paid(1, 0, "imps_1"))
    for at, state in enumerate((CycleState.MISMATCH, CycleState.DECLINED), start=1):
        await ledger.record(LedgerEntry(results=(result(state, at, order(1, 0)),)))
    await ledger.record(paid(1, 1, "imps_2", at=3))
    assert [charge.paid_at for charge in await ledger.list_charges(subscription_id=LIFE)] == [None, day(3)]


async def test_an_older_look_that_arrives_late_changes_nothing(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(LedgerEntry(results=(result(CycleState.DECLINED, 5, message="한도 초과"),)))
    before = await ledger.get_charge(order())
    await ledger.record(LedgerEntry(results=(result(CycleState.UNKNOWN, 4),)))
    assert await ledger.get_charge(order()) == before
    assert [row.state for row in await ledger.list_results(order())] == [CycleState.DECLINED, CycleState.UNKNOWN]


async def test_money_that_moved_is_booked_whatever_was_thought_meanwhile(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(LedgerEntry(results=(result(CycleState.UNKNOWN, 5),)))
    await ledger.record(paid(at=4))
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert charge.state is CycleState.PAID


async def test_a_late_approval_is_booked_beside_the_charge_that_paid(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1, 0), intent(1, 1))))
    await ledger.record(LedgerEntry(results=(result(CycleState.DECLINED, 0, order(1, 0), imp_uid="imps_1"),)))
    await ledger.record(paid(1, 1, "imps_2", at=1))
    late = result(CycleState.LATE_PAID, 2, order(1, 0), imp_uid="imps_1")
    await ledger.record(LedgerEntry(results=(late,)))
    states = [charge.state for charge in await ledger.list_charges(subscription_id=LIFE)]
    assert states == [CycleState.LATE_PAID, CycleState.PAID]


async def test_the_retries_of_one_order_leave_every_attempt_to_be_read(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    for attempt in (1, 2):
        declined = result(CycleState.DECLINED, attempt, imp_uid=f"imps_{attempt}", code="51", message="한도 초과")
        await ledger.record(LedgerEntry(results=(declined,), payments=(payment(f"imps_{attempt}", "failed"),)))
    await ledger.record(paid(imp_uid="imps_3", at=3))
    found = [(row.state, row.imp_uid, row.at) for row in await ledger.list_results(order())]
    assert found == [
        (CycleState.DECLINED, "imps_1", day(1)),
        (CycleState.DECLINED, "imps_2", day(2)),
        (CycleState.PAID, "imps_3", day(3)),
    ]
    assert [row.status for row in await ledger.list_payments(order())] == ["failed", "failed", "paid"]


async def test_a_charge_is_opened_and_settled_in_one_step(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1), intent(2)), results=paid().results, payments=paid().payments))
    assert [charge.state for charge in await ledger.list_charges()] == [CycleState.PAID, CycleState.PLANNED]


# ---------------------------------------------------------------- subscriptions


async def test_only_a_higher_revision_replaces_a_subscriptions_row(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(subscription=subscription(2)))
    before = await everything(ledger)
    for revision in (1, 2):
        late = subscription(revision, status=SubscriptionStatus.CANCELED, metadata={})
        await ledger.record(LedgerEntry(subscription=late))
    assert await everything(ledger) == before
    ended = subscription(
        3, status=SubscriptionStatus.CANCELED, ended_at=day(3), end_reason="해지", customer_uid="kim_2", metadata={}
    )
    await ledger.record(LedgerEntry(subscription=ended))
    row = await ledger.get_subscription("kim_2")
    assert row is not None
    assert row.record == ended


async def test_a_subscription_reads_back_as_it_was_written(ledger: Ledger) -> None:
    written = subscription(
        7,
        current_period_start=day(0),
        current_period_end=day(31),
        next_charge_at=day(31),
        merchant_uid=order(2),
        failed_attempts=2,
        cancel_at_period_end=True,
        parked_reason="금액 불일치",
        last_failure="한도 초과",
        pg_provider="nice",
        card="Shinhan ****1234",
    )
    await ledger.record(LedgerEntry(subscription=written))
    row = await ledger.get_subscription("kim_1")
    assert row is not None
    assert row.record == written
    assert row.next_charge_at is not None
    assert row.next_charge_at.tzinfo is UTC
    assert await ledger.get_subscription("nobody") is None


def to_be_registered(**changes) -> SubscriptionRecord:
    """The row of a subscription whose charge is on its way to PortOne."""
    planned = {"next_charge_at": day(31), "merchant_uid": order(1), "waits_until": day(2), "last_failure": "한도 초과"}
    return replace(subscription(6, **planned), **changes)


async def test_a_charge_that_is_registered_shows_as_if_the_whole_row_had_been_written(ledger: Ledger) -> None:
    row = to_be_registered()
    registered = replace(row, cycle_state=CycleState.REGISTERED, waits_until=None, revision=7)
    await ledger.record(LedgerEntry(subscription=row, intents=(intent(),)))
    assert await ledger.record_registered(ChargeRegistered(LIFE, order(1), 7)) is True
    shown = await ledger.get_subscription("kim_1")
    assert shown is not None
    assert shown.record == registered
    async with reading(ledger.engine) as connection:
        assert (await connection.execute(select(subscriptions.c.due_by))).scalar_one() == due_by(registered)
    assert [charge.due_at for charge in await ledger.list_charges()] == [day(31)]


@pytest.mark.parametrize(
    "stands",
    [
        to_be_registered(revision=7),
        to_be_registered(revision=5),
        to_be_registered(merchant_uid=order(1, 1)),
        to_be_registered(next_charge_at=None),
        to_be_registered(ended_at=day(2), end_reason="해지"),
    ],
    ids=["written since", "never written", "another order", "no charge to come", "ended"],
)
async def test_a_charge_is_shown_as_registered_on_the_row_before_alone(ledger: Ledger, stands) -> None:
    registered = ChargeRegistered(LIFE, order(1), 7)
    assert await ledger.record_registered(registered) is False
    await ledger.record(LedgerEntry(subscription=stands, intents=(intent(),)))
    before = await everything(ledger)
    assert await ledger.record_registered(registered) is False
    assert await everything(ledger) == before


async def test_that_a_charge_is_registered_is_written_once(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(subscription=to_be_registered(), intents=(intent(),)))
    written = [await ledger.record_registered(ChargeRegistered(LIFE, order(1), 7)) for _ in range(2)]
    assert written == [True, False]


# ---------------------------------------------------------------- the whole step


async def test_a_step_whose_last_part_contradicts_leaves_nothing_of_itself(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(refunds=(refund(),), billing_key=key("lee")))
    await ledger.receive_webhook(ReceivedWebhook("imps_1", order(), "paid", "token", workflow_id="w"), day(0))
    before = await everything(ledger)
    whole = LedgerEntry(
        subscription=subscription(),
        intents=(intent(1), intent(2)),
        results=(result(CycleState.PAID, imp_uid="imps_1"),),
        payments=(payment(),),
        billing_key=key(),
        deleted_billing_key="lee",
        refunds=(refund(amount=Money(1)),),
        webhooks=(WebhookDisposition(order(), "imps_1", "paid", Disposition.APPLIED),),
    )
    with pytest.raises(LedgerConflictError):
        await ledger.record(whole)
    assert await everything(ledger) == before
    await ledger.record(replace(whole, refunds=()))
    after = await everything(ledger)
    assert all(after[table] != before[table] for table in ("subscriptions", "charges", "payments", "webhook_inbox"))


async def test_the_words_of_a_gateway_never_keep_a_decline_from_being_booked(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    strange = "한도\x00초과 \ud800 " + "x" * 5000
    await ledger.record(LedgerEntry(results=(result(CycleState.DECLINED, message=strange, code="c" * 200),)))
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert charge.message == "한도\ufffd초과 \ufffd " + "x" * 5000


async def test_an_instant_without_a_zone_is_refused(ledger: Ledger) -> None:
    naive = day(0).replace(tzinfo=None)
    with pytest.raises(LedgerError, match="instants are aware"):
        await ledger.receive_webhook(ReceivedWebhook("imps_1", order(), "paid", "token"), naive)
    assert await ledger.list_webhooks() == []
