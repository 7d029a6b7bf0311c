"""The mark before the call: whatever is retried around it, a request leaves once for each number."""

import asyncio

import pytest

from billing.domain.records import LedgerEntry, RefundState
from billing.domain.states import CycleState
from billing.ledger import Ledger, LedgerConflictError
from tests.ledger.stories import day, intent, order, paid, refund, result


async def test_nothing_is_sent_without_an_intent(ledger: Ledger) -> None:
    with pytest.raises(LedgerConflictError, match="was never opened"):
        await ledger.mark_sent(order(), 1, day(0))
    with pytest.raises(LedgerConflictError, match="was never opened"):
        await ledger.mark_refund_sent("rf_1", day(0))


async def test_of_fifty_concurrent_senders_exactly_one_may_send(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(),)))
    for send_no in (1, 2):
        marks = await asyncio.gather(*(ledger.mark_sent(order(), send_no, day(send_no)) for _ in range(50)))
        assert sum(marks) == 1
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert (charge.sends, charge.sent_at) == (2, day(2))


async def test_a_send_is_never_repeated_nor_made_after_a_later_one(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(),)))
    found = [await ledger.mark_sent(order(), send_no, day(0)) for send_no in (2, 1, 1, 3, 2, 2, 1)]
    assert found == [True, False, False, True, False, False, False]


@pytest.mark.parametrize("after", [None, CycleState.MISMATCH, CycleState.REFUNDED])
async def test_an_order_that_was_paid_is_never_sent_again(ledger: Ledger, after: CycleState | None) -> None:
    """A workflow that is reset to before its charge counts its sends anew: the ledger does not."""
    await ledger.record(LedgerEntry(intents=(intent(),)))
    assert await ledger.mark_sent(order(), 1, day(0))
    await ledger.record(paid())
    if after is not None:
        await ledger.record(LedgerEntry(results=(result(after, 1),)))
    assert not await ledger.mark_sent(order(), 2, day(2))


async def test_no_other_order_number_is_sent_for_a_cycle_that_is_paid(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1, 0), intent(1, 1), intent(2, 0))))
    await ledger.record(paid(1, 0))
    assert not await ledger.mark_sent(order(1, 1), 1, day(1))
    assert await ledger.mark_sent(order(2, 0), 1, day(1))


async def test_a_decline_may_be_sent_again(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(),)))
    assert await ledger.mark_sent(order(), 1, day(0))
    await ledger.record(LedgerEntry(results=(result(CycleState.DECLINED, imp_uid="imps_1"),)))
    assert await ledger.mark_sent(order(), 2, day(1))


async def test_a_refund_is_sent_once_for_each_number_and_never_after_it_is_done(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(refunds=(refund(),)))
    marks = await asyncio.gather(*(ledger.mark_refund_sent("rf_1", day(0)) for _ in range(50)))
    assert sum(marks) == 1
    assert await ledger.mark_refund_sent("rf_1", day(1), send_no=2)
    await ledger.record(LedgerEntry(refunds=(refund(RefundState.REFUNDED, 2),)))
    assert not await ledger.mark_refund_sent("rf_1", day(3), send_no=3)
    row = await ledger.get_refund("rf_1")
    assert row is not None
    assert (row.sends, row.sent_at) == (2, day(1))
