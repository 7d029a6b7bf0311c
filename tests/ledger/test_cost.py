"""What a step of the ledger does once and not again, counted: statements put together, ways to SQLite's thread."""

import asyncio
import gc
from dataclasses import replace

import aiosqlite
import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError

from billing.domain.records import LedgerEntry
from billing.ledger import CardVault, Ledger, upsert
from billing.ledger.engine import reading, writing
from billing.ledger.tables import charges, subscriptions
from billing.process import keep_what_is_loaded
from tests.ledger.conftest import Database
from tests.ledger.stories import START, day, intent, order, subscription

CARD = {"card_number": "4330-1212-3456-7890", "expiry": "2031-12", "birth": "881231", "pwd_2digit": "73"}


@pytest.fixture
def vault(ledger: Ledger) -> CardVault:
    return ledger.card_vault([b"k" * 32])


def _entry(life: str, customer_uid: str) -> LedgerEntry:
    record = replace(subscription(), subscription_id=life, customer_uid=customer_uid, workflow_id=f"w/{customer_uid}")
    opened = intent(subscription_id=life, customer_uid=customer_uid, workflow_id=f"w/{customer_uid}")
    return LedgerEntry(subscription=record, intents=(opened,))


async def test_a_second_step_of_the_same_kind_puts_no_insert_together(ledger: Ledger) -> None:
    await ledger.record(_entry("s0123456789abcdefgha", "kim_a"))
    made = [kept.cache_info().misses for kept in (upsert._insert_once, upsert._upsert)]
    await ledger.record(_entry("s0123456789abcdefghb", "kim_b"))
    assert [kept.cache_info().misses for kept in (upsert._insert_once, upsert._upsert)] == made
    for life, customer_uid in (("s0123456789abcdefgha", "kim_a"), ("s0123456789abcdefghb", "kim_b")):
        row = await ledger.get_subscription(customer_uid)
        assert row is not None
        assert row.record == _entry(life, customer_uid).subscription
        charge = await ledger.get_charge(order(life=life))
        assert charge is not None
        assert (charge.customer_uid, charge.updated_at) == (customer_uid, charge.created_at)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_statement_goes_to_the_thread_of_its_connection_once(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.record(_entry("s0123456789abcdefgha", "kim_a"))
    ways = []
    there = aiosqlite.Connection._execute

    async def counted(self, work, *arguments, **options):
        ways.append(work)
        return await there(self, work, *arguments, **options)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    async with reading(ledger.engine) as connection:
        # The transaction begins with its first statement.
        await connection.execute(select(subscriptions.c.customer_uid))
        before = len(ways)
        rows = (await connection.execute(select(charges.c.customer_uid))).all()
        assert len(ways) - before == 1
    assert [tuple(row) for row in rows] == [("kim_a",)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_many_rows_counts_and_refusals_come_back_as_they_were(ledger: Ledger, database: Database) -> None:
    await ledger.record(_entry("s0123456789abcdefgha", "kim_a"))
    async with writing(ledger.engine) as connection:
        row = dict((await connection.execute(select(subscriptions))).mappings().one())
        more = [{**row, "subscription_id": f"s{number:020d}", "customer_uid": f"k{number}"} for number in range(300)]
        await connection.execute(subscriptions.insert(), more)
        renamed = subscriptions.update().where(subscriptions.c.customer_uid != "kim_a").values(end_reason="x")
        assert (await connection.execute(renamed)).rowcount == 300
        nobody = subscriptions.delete().where(subscriptions.c.customer_uid == "nobody")
        assert (await connection.execute(nobody)).rowcount == 0
    async with reading(ledger.engine) as connection:
        found = await connection.execute(select(subscriptions.c.customer_uid).order_by(subscriptions.c.subscription_id))
        assert [found.first()] == [("k0",)]
        assert len((await connection.execute(select(subscriptions))).all()) == 301
        with pytest.raises(IntegrityError):
            await connection.execute(subscriptions.insert(), [row])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_cards_that_are_discarded_together_are_forgotten_together_and_all_of_them(
    ledger: Ledger, database: Database, vault: CardVault
) -> None:
    handles = [await vault.seal(CARD, day(0)) for _ in range(20)]
    emptied = []

    @event.listens_for(ledger.engine.sync_engine, "before_cursor_execute")
    def count(_connection, _cursor, statement, *_rest):
        if "wal_checkpoint" in statement:
            emptied.append(statement)

    await asyncio.gather(*(vault.discard(handle) for handle in handles))
    assert 1 <= len(emptied) < len(handles) // 2
    left = database.files_bytes()
    assert not [handle for handle in handles if handle.encode() in left]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_card_that_is_discarded_while_another_is_being_forgotten_waits_for_a_turn_of_its_own(
    ledger: Ledger, database: Database, vault: CardVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = [await vault.seal(CARD, START) for _ in range(2)]
    begun, may_go = asyncio.Event(), asyncio.Event()
    turns = []

    async def slow(_engine):
        turns.append(len(turns))
        begun.set()
        await may_go.wait()

    monkeypatch.setattr("billing.ledger.vault.empty_write_ahead_log", slow)
    forgetting = asyncio.create_task(vault.discard(first))
    await begun.wait()
    late = asyncio.create_task(vault.discard(second))
    while vault._asked < 2:
        await asyncio.sleep(0)
    may_go.set()
    await asyncio.gather(forgetting, late)
    assert turns == [0, 1]


def test_a_collection_goes_through_nothing_that_was_loaded_before() -> None:
    try:
        keep_what_is_loaded()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
