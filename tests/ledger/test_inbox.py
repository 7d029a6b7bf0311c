"""The webhook inbox: every webhook is accounted for, once."""

import asyncio
from datetime import timedelta

from billing.domain.records import Disposition, LedgerEntry, WebhookDisposition
from billing.domain.webhook_bounds import AT_ONCE, MANY, TOGETHER_EVERY, WITHIN
from billing.ledger import InboxReceipt, Ledger, ReceivedWebhook
from tests.ledger.stories import day, intent, order

HOOK = ReceivedWebhook("imps_1", order(), "paid", "token", workflow_id="subscription/kim_1")


async def test_of_fifty_identical_webhooks_one_is_first_and_all_are_counted(ledger: Ledger) -> None:
    receipts = await asyncio.gather(*(ledger.receive_webhook(HOOK, day(0)) for _ in range(50)))
    assert sum(receipt.first for receipt in receipts) == 1
    assert sorted(receipt.count for receipt in receipts) == list(range(1, 51))
    later = await ledger.receive_webhook(HOOK, day(1))
    assert (later.first, later.count, later.workflow_id) == (False, 51, "subscription/kim_1")
    (row,) = await ledger.list_webhooks(order())
    assert (row.count, row.first_at, row.last_at, row.route) == (51, day(0), day(1), "token")


async def test_what_differs_in_anything_is_another_webhook(ledger: Ledger) -> None:
    others = (
        ReceivedWebhook("imps_2", order(), "paid", "token"),
        ReceivedWebhook("imps_1", "other", "paid", "token"),
        ReceivedWebhook("imps_1", order(), "cancelled", "token"),
        ReceivedWebhook("imps_1", order(), "cancelled", "token", "c1"),
        ReceivedWebhook("imps_1", order(), "cancelled", "token", "c2"),
    )
    for hook in (HOOK, *others):
        assert (await ledger.receive_webhook(hook, day(0))).first
    assert len(await ledger.list_webhooks()) == 6


async def test_without_a_token_the_order_leads_to_its_workflow(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=(intent(),)))
    receipt = await ledger.receive_webhook(ReceivedWebhook("imps_1", order(), "paid", "console"), day(0))
    assert receipt == InboxReceipt(receipt.inbox_id, True, 1, "subscription/kim_1")


async def test_an_order_that_nobody_knows_is_counted_and_rings_nothing(ledger: Ledger) -> None:
    stranger = ReceivedWebhook("imps_9", "nobody", "paid", "console")
    assert (await ledger.receive_webhook(stranger, day(0))).workflow_id is None
    assert await ledger.unrung_webhooks() == []
    (row,) = await ledger.list_webhooks("nobody")
    assert row.disposition is Disposition.UNKNOWN_ORDER


async def test_an_order_that_becomes_known_opens_its_webhook_again(ledger: Ledger) -> None:
    early = ReceivedWebhook("imps_1", order(), "paid", "console")
    await ledger.receive_webhook(early, day(0))
    await ledger.record(LedgerEntry(intents=(intent(),)))
    assert (await ledger.receive_webhook(early, day(1))).workflow_id == "subscription/kim_1"
    (row,) = await ledger.unrung_webhooks()
    assert (row.count, row.disposition) == (2, None)


async def test_a_twin_does_not_open_a_closed_webhook_again(ledger: Ledger) -> None:
    await ledger.receive_webhook(HOOK, day(0))
    closing = WebhookDisposition(order(), "imps_1", "paid", Disposition.APPLIED)
    await ledger.record(LedgerEntry(webhooks=(closing,)))
    assert not (await ledger.receive_webhook(HOOK, day(1))).first
    (row,) = await ledger.list_webhooks()
    assert (row.disposition, row.count) == (Disposition.APPLIED, 2)
    assert await ledger.unrung_webhooks() == []


async def test_a_bell_that_was_not_rung_waits_to_be_rung_once(ledger: Ledger) -> None:
    receipts = [
        await ledger.receive_webhook(ReceivedWebhook(f"imps_{n}", order(), "paid", "token", "", "w"), day(n))
        for n in range(4)
    ]
    await ledger.mark_rung(receipts[1].inbox_id, day(5))
    await ledger.mark_rung(receipts[1].inbox_id, day(6))
    waiting = await ledger.unrung_webhooks()
    assert [row.imp_uid for row in waiting] == ["imps_0", "imps_2", "imps_3"]
    assert [row.imp_uid for row in await ledger.unrung_webhooks(limit=1)] == ["imps_0"]
    old = await ledger.unrung_webhooks(older_than=day(2) + timedelta(seconds=1))
    assert [row.imp_uid for row in old] == ["imps_0", "imps_2"]
    rung = next(row for row in await ledger.list_webhooks() if row.imp_uid == "imps_1")
    assert rung.rung_at == day(5)


async def test_the_inbox_is_read_page_by_page(ledger: Ledger) -> None:
    for number in range(5):
        await ledger.receive_webhook(ReceivedWebhook(f"imps_{number}", order(), "paid", "token"), day(number))
    seen: list[str] = []
    after = None
    while page := await ledger.list_webhooks(order(), limit=2, after=after):
        seen += [row.imp_uid for row in page]
        after = page[-1].inbox_id
    assert seen == ["imps_4", "imps_3", "imps_2", "imps_1", "imps_0"]


# ---------------------------------------------------------------- more than an order can have


def said(number: int, merchant_uid: str = order()) -> ReceivedWebhook:
    return ReceivedWebhook(f"imp_{number}", merchant_uid, "paid", "token", workflow_id="subscription/kim_1")


async def test_of_one_order_no_more_are_kept_apart_than_the_bound_and_all_are_counted(ledger: Ledger) -> None:
    receipts = [await ledger.receive_webhook(said(n), day(0)) for n in range(3 * AT_ONCE)]
    assert [receipt.coalesced for receipt in receipts] == [False] * AT_ONCE + [True] * 2 * AT_ONCE
    assert not any(receipt.first for receipt in receipts[AT_ONCE:])
    rows = {row.imp_uid: row for row in await ledger.list_webhooks(order())}
    assert len(rows) == AT_ONCE + 1
    many = rows[MANY]
    assert (many.count, many.disposition, many.workflow_id) == (2 * AT_ONCE, "coalesced", "subscription/kim_1")
    assert len(await ledger.unrung_webhooks()) == AT_ONCE, "the row that counts is no webhook to ring for"
    assert not (await ledger.receive_webhook(said(0, "another"), day(0))).coalesced
    twin = await ledger.receive_webhook(said(0), day(0))
    assert (twin.coalesced, twin.first, twin.count) == (False, False, 2)


async def test_an_hour_later_webhooks_are_kept_apart_again(ledger: Ledger) -> None:
    for number in range(AT_ONCE + 1):
        await ledger.receive_webhook(said(number), day(0))
    assert (await ledger.receive_webhook(said(98), day(0) + WITHIN - timedelta(seconds=1))).coalesced
    assert not (await ledger.receive_webhook(said(99), day(0) + WITHIN)).coalesced


async def test_an_order_with_too_many_is_looked_at_at_once_and_then_once_in_a_while(ledger: Ledger) -> None:
    assert await ledger.orders_to_look_at(day(0)) == []
    for number in range(AT_ONCE + 5):
        await ledger.receive_webhook(said(number), day(0))
    (due,) = await ledger.orders_to_look_at(day(0))
    await ledger.mark_looked_at(due.inbox_id, day(0))
    assert await ledger.orders_to_look_at(day(1)) == [], "nothing came since"
    await ledger.receive_webhook(said(900), day(0) + timedelta(seconds=1))
    assert await ledger.orders_to_look_at(day(0) + TOGETHER_EVERY - timedelta(seconds=1)) == []
    (again,) = await ledger.orders_to_look_at(day(0) + TOGETHER_EVERY)
    assert (again.merchant_uid, again.count) == (order(), 6)
