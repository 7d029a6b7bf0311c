"""`Ledger.record`: payments, billing keys, refunds and webhooks, which only move the way PortOne moved them."""

from dataclasses import replace

import pytest

from billing.domain.facts import BillingKeyFact
from billing.domain.money import Money
from billing.domain.records import (
    Disposition,
    LedgerEntry,
    RefundState,
    WebhookDisposition,
)
from billing.domain.states import CycleState
from billing.ledger import Ledger, LedgerConflictError, LedgerError, ReceivedWebhook
from tests.ledger.stories import (
    day,
    everything,
    intent,
    key,
    order,
    payment,
    refund,
    result,
    subscription,
)

OPEN = LedgerEntry(subscription=subscription(), intents=(intent(),))


# ---------------------------------------------------------------- payments


async def test_a_payment_never_moves_to_another_order(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(payments=(payment("imps_1"),)))
    before = await everything(ledger)
    with pytest.raises(LedgerConflictError, match=rf"'imps_1' belongs to order '{order()}'"):
        await ledger.record(LedgerEntry(payments=(payment("imps_1", merchant_uid="other"),)))
    assert await everything(ledger) == before


async def test_a_payment_that_settled_an_order_is_not_anothers(ledger: Ledger) -> None:
    await ledger.record(OPEN)
    await ledger.record(LedgerEntry(results=(result(CycleState.PAID, imp_uid="imps_1"),)))
    with pytest.raises(LedgerConflictError, match="belongs to order"):
        await ledger.record(LedgerEntry(payments=(payment("imps_1", merchant_uid="other"),)))


async def test_a_payment_moves_the_way_portone_moved_it(ledger: Ledger) -> None:
    seen = (
        payment(status="ready"),
        payment(status="failed", failed_at=day(1), fail_reason="Internal error", receipt_url="https://x.test/r"),
        payment(status="paid", paid_at=day(2)),
        payment(status="cancelled", cancelled_amount=4000, paid_at=None, card_name=None),
        payment(status="cancelled", cancelled_amount=9900),
    )
    for number, fact in enumerate(seen):
        await ledger.record(LedgerEntry(payments=(fact,)))
        for older in seen[:number]:
            await ledger.record(LedgerEntry(payments=(older,)))
        (row,) = await ledger.list_payments(order())
        assert (row.status, row.cancelled_amount) == (fact.status, fact.cancelled_amount)
    assert row.fact == replace(
        seen[-1], failed_at=day(1), fail_reason="Internal error", receipt_url="https://x.test/r", paid_at=day(0)
    )


async def test_what_a_later_look_is_silent_about_is_kept(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(payments=(payment(paid_at=day(2)),)))
    await ledger.record(LedgerEntry(payments=(payment(status="cancelled", cancelled_amount=9900, paid_at=None),)))
    (row,) = await ledger.list_payments(order())
    assert (row.status, row.paid_at) == ("cancelled", day(2))


async def test_a_status_nobody_knew_yet_is_kept_as_it_is(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(payments=(payment(status="partially_settled"),)))
    await ledger.record(LedgerEntry(payments=(payment(status="paid"),)))
    await ledger.record(LedgerEntry(payments=(payment(status="held"),)))
    assert [row.status for row in await ledger.list_payments(order())] == ["held"]


# ---------------------------------------------------------------- billing keys


async def test_a_billing_key_is_kept_masked_and_stays_readable_when_deleted(ledger: Ledger) -> None:
    leaked = key(card_number="4330121234561234")
    await ledger.record(LedgerEntry(billing_key=leaked, payments=(payment(card_number="4330-1212-3456-1234"),)))
    await ledger.record(LedgerEntry(deleted_billing_key="kim_1"))
    row = await ledger.get_billing_key("kim_1")
    assert row is not None
    assert (row.key, row.deleted) == (key(), True)
    assert "433012" not in str(await everything(ledger))
    assert "4330-12" not in str(await everything(ledger))
    assert await ledger.get_billing_key("nobody") is None


async def test_a_key_that_is_issued_again_is_there_again(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(billing_key=key(), deleted_billing_key="kim_1"))
    await ledger.record(LedgerEntry(billing_key=key(inserted_at=day(1), card_number="****-****-****-9999")))
    row = await ledger.get_billing_key("kim_1")
    assert row is not None
    assert (row.deleted, row.key.card_number) == (False, "****-****-****-9999")
    await ledger.record(LedgerEntry(billing_key=key(inserted_at=day(0))))
    assert await ledger.get_billing_key("kim_1") == row


async def test_a_superseded_step_neither_revives_nor_deletes_a_key(ledger: Ledger) -> None:
    issued = LedgerEntry(subscription=subscription(1), billing_key=key())
    deleted = LedgerEntry(subscription=subscription(2), deleted_billing_key="kim_1")
    reissued = LedgerEntry(subscription=subscription(3), billing_key=key())
    await ledger.record(issued)
    await ledger.record(deleted)
    await ledger.record(issued)
    row = await ledger.get_billing_key("kim_1")
    assert row is not None
    assert row.deleted
    await ledger.record(reissued)
    await ledger.record(deleted)
    row = await ledger.get_billing_key("kim_1")
    assert row is not None
    assert not row.deleted


async def test_a_key_we_never_saw_can_be_noted_as_deleted(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(deleted_billing_key="kim_9"))
    row = await ledger.get_billing_key("kim_9")
    assert row is not None
    assert (row.key, row.deleted) == (BillingKeyFact("kim_9"), True)


# ---------------------------------------------------------------- refunds


async def test_a_refund_of_zero_is_refused_by_the_schema(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="amount") as refused:
        await ledger.record(LedgerEntry(refunds=(refund(amount=Money(0)),)))
    assert not isinstance(refused.value, LedgerConflictError)


async def test_a_refund_stands_for_one_payment_and_amount(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(refunds=(refund(),)))
    before = await everything(ledger)
    for changes in ({"amount": Money(1)}, {"imp_uid": "imps_2"}, {"merchant_uid": "other"}):
        with pytest.raises(LedgerConflictError, match=f"another {next(iter(changes))}"):
            await ledger.record(LedgerEntry(refunds=(refund(RefundState.REFUNDED, 1, **changes),)))
    assert await everything(ledger) == before


async def test_one_cancellation_is_one_refund(ledger: Ledger) -> None:
    done = refund(RefundState.REFUNDED, cancellation_id="cancel_1")
    await ledger.record(LedgerEntry(refunds=(done,)))
    with pytest.raises(LedgerConflictError, match="'cancel_1' already belongs to refund 'rf_1'"):
        await ledger.record(LedgerEntry(refunds=(replace(done, refund_id="rf_2"),)))


async def test_a_refund_goes_from_its_intent_to_its_end_and_never_back(ledger: Ledger) -> None:
    story = (
        refund(RefundState.INTENT, 0),
        refund(RefundState.UNKNOWN, 1, message="no answer"),
        refund(RefundState.NOT_EXECUTED, 2),
        refund(RefundState.REFUNDED, 3, cancellation_id="cancel_1"),
    )
    for number, step in enumerate(story):
        await ledger.record(LedgerEntry(refunds=(step,)))
        for older in story[: number + 1]:
            await ledger.record(LedgerEntry(refunds=(older,)))
        row = await ledger.get_refund("rf_1")
        assert row is not None
        assert row.record == step
    await ledger.record(LedgerEntry(refunds=(refund(RefundState.REFUSED, 9),)))
    (row,) = await ledger.list_refunds(order())
    assert (row.state, row.requested_at, row.at) == (RefundState.REFUNDED, day(0), day(3))


# ---------------------------------------------------------------- webhooks


async def test_a_step_closes_the_webhooks_it_answers_and_no_others(ledger: Ledger) -> None:
    for hook in (
        ReceivedWebhook("imps_1", order(), "paid", "token", workflow_id="w"),
        ReceivedWebhook("imps_1", order(), "cancelled", "token", "c1", "w"),
        ReceivedWebhook("imps_1", order(), "cancelled", "token", "c2", "w"),
    ):
        await ledger.receive_webhook(hook, day(0))
    closing = WebhookDisposition(order(), "imps_1", "cancelled", Disposition.APPLIED)
    await ledger.record(LedgerEntry(webhooks=(closing,)))
    await ledger.record(LedgerEntry(webhooks=(replace(closing, disposition=Disposition.STALE),)))
    found = [(row.status, row.disposition) for row in await ledger.list_webhooks()]
    assert found == [("cancelled", Disposition.APPLIED), ("cancelled", Disposition.APPLIED), ("paid", None)]
