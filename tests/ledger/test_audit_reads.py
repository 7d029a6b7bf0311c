"""The ledger as an audit reads it: all that lives, what concerns a window, and what is named; on both databases."""

import contextlib
import sqlite3
from dataclasses import replace

import pytest

from billing.domain.audit.books import Database
from billing.domain.facts import BillingKeyFact
from billing.domain.money import Money
from billing.domain.records import Disposition, LedgerEntry, RefundState, WebhookDisposition
from billing.domain.states import CycleState, SubscriptionStatus
from billing.domain.windows import Window
from billing.ledger import Ledger, ReceivedWebhook, audit
from tests.ledger.stories import LIFE, PRICE, day, intent, key, order, paid, payment, refund, result, subscription
from tests.ledger.test_parking import decision, parked

WINDOW = Window(day(59), day(61))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    """Every border of a page is crossed."""
    monkeypatch.setattr(audit, "PAGE", 2)
    monkeypatch.setattr(audit, "_NAMES", 2)


async def books(ledger, window=WINDOW, orders=(), keys=()):
    told = []
    read = await ledger.audit.books(window, orders, keys, lambda what, rows: told.append((what, rows)))
    assert all(rows > 0 for _, rows in told)
    return read


def numbers(read):
    return sorted(each.merchant_uid for each in read.charges)


async def test_every_living_subscription_is_read_and_an_ended_one_only_where_something_names_it(ledger):
    lives = [f"s{n:019d}" for n in range(5)]
    for n, life in enumerate(lives):
        await ledger.record(LedgerEntry(subscription=subscription(subscription_id=life, customer_uid=f"kim_{n}")))
    gone = {"subscription_id": "s" + "9" * 19, "customer_uid": "lee", "billing_key": "lee_2"}
    ended = subscription(**gone, status=SubscriptionStatus.CANCELED, ended_at=day(3))
    await ledger.record(LedgerEntry(subscription=ended))
    assert sorted(each.subscription_id for each in (await books(ledger)).subscriptions) == lives
    for named in ({"keys": ["lee_2"]}, {"keys": ["lee"]}, {"orders": [order(3, life="s" + "9" * 19)]}):
        assert ended in (await books(ledger, **named)).subscriptions


async def test_what_was_due_or_settled_in_the_window_is_read_with_the_whole_of_its_period(ledger):
    await ledger.record(LedgerEntry(intents=tuple(intent(n) for n in range(1, 6))))
    await ledger.record(LedgerEntry(intents=(intent(2, 1, due_at=day(90)), intent(2, 2, due_at=day(91)))))
    await ledger.record(paid(5, at=60))
    assert numbers(await books(ledger)) == sorted([order(2), order(2, 1), order(2, 2), order(5)])
    assert numbers(await books(ledger, Window(day(200), day(201)))) == []
    assert numbers(await books(ledger, Window(day(200), day(201)), orders=[order(1), "nobody-s"])) == [order(1)]


async def test_the_current_order_of_what_lives_is_read_whenever_it_is_due(ledger):
    await ledger.record(LedgerEntry(subscription=subscription(merchant_uid=order(1)), intents=(intent(1), intent(2))))
    assert numbers(await books(ledger, Window(day(200), day(201)))) == [order(1)]


async def test_all_that_belongs_to_an_order_is_read_as_it_was_written(ledger):
    told = (result(CycleState.DECLINED, 59, order(2), imp_uid="imps_0", code="F400"),)
    await ledger.record(LedgerEntry(intents=(intent(2),), results=told, billing_key=key()))
    await ledger.record(paid(2, imp_uid="imps_2", at=60))
    back = refund(RefundState.REFUNDED, 60, merchant_uid=order(2), imp_uid="imps_2")
    await ledger.record(LedgerEntry(refunds=(back,), parked=(parked(),), decisions=(decision(merchant_uid=order(2)),)))
    read = await books(ledger)
    (charge,) = read.charges
    assert (charge.state, charge.amount, charge.imp_uid, charge.period) == (
        CycleState.PAID, PRICE, "imps_2", (LIFE, 2),
    )  # fmt: skip
    assert [(each.state, each.imp_uid, each.code) for each in read.results] == [
        (CycleState.DECLINED, "imps_0", "F400"), (CycleState.PAID, "imps_2", None),
    ]  # fmt: skip
    assert read.payments == (payment("imps_2", merchant_uid=order(2)),)
    assert [(each.refund_id, each.amount, each.state) for each in read.refunds] == [
        ("rf_1", 4000, RefundState.REFUNDED)
    ]
    assert read.decisions == (decision(merchant_uid=order(2)),)
    assert read.parked == (parked(),)
    assert [(each.customer_uid, each.deleted, each.deleted_at) for each in read.keys] == [("kim_1", False, None)]


async def test_a_key_that_was_deleted_says_since_when(ledger):
    await ledger.record(LedgerEntry(billing_key=BillingKeyFact("old", "nice")))
    await ledger.record(LedgerEntry(deleted_billing_key="old"))
    (read,) = (await books(ledger, keys=["old"])).keys
    assert read.deleted
    assert read.deleted_at is not None


async def test_a_webhook_is_read_when_it_came_in_the_window_or_came_to_nothing(ledger):
    for n in range(5):
        await ledger.receive_webhook(
            ReceivedWebhook(f"imp_{n}", f"o{n}", "paid", "token", workflow_id="w"), day(10 * n + 30)
        )
    for n in range(5):
        if n != 4:
            done = WebhookDisposition(f"o{n}", f"imp_{n}", "paid", Disposition.APPLIED)
            await ledger.record(LedgerEntry(webhooks=(done,)))
    read = await books(ledger)
    assert [(each.imp_uid, each.count, each.disposition) for each in read.webhooks] == [
        ("imp_3", 1, Disposition.APPLIED), ("imp_4", 1, None),
    ]  # fmt: skip


async def test_another_amount_or_currency_is_read_as_it_stands(ledger):
    await ledger.record(LedgerEntry(intents=(replace(intent(2), amount=Money(12, "USD")),)))
    (charge,) = (await books(ledger)).charges
    assert charge.amount == Money(12, "USD")


async def test_a_whole_database_reads_through_and_a_postgresql_without_its_tool_says_nothing(ledger, database):
    expected = Database(whole=True) if database.backend == "sqlite" else None
    assert await ledger.audit.integrity() == expected


async def test_a_file_whose_index_lacks_a_row_is_not_whole(sqlite_template, tmp_path):
    file = tmp_path / "ledger.db"
    file.write_bytes(sqlite_template.read_bytes())
    ledger = Ledger(f"sqlite:///{file}")
    await ledger.record(LedgerEntry(intents=(intent(1),)))
    await ledger.aclose()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (where,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'ix_charges_due_at_merchant_uid'"
        ).fetchone()
        connection.execute("PRAGMA writable_schema=ON")
        less = f"{where} WHERE due_at IS NULL"
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'ix_charges_due_at_merchant_uid'", (less,))
        connection.commit()
    damaged = Ledger(f"sqlite:///{file}")
    said = await damaged.audit.integrity()
    await damaged.aclose()
    assert not said.whole
    assert "ix_charges_due_at_merchant_uid" in said.says
