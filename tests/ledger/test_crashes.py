"""What is left when a process dies, a file is locked, or the database goes away: all of a step, or nothing."""

import asyncio
import random
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event

from billing.domain.records import LedgerEntry
from billing.domain.states import CycleState
from billing.ledger import Ledger, LedgerUnavailableError, ReceivedWebhook
from billing.ledger.engine import open_engine, writing
from billing.ledger.writes.entry import write_entry
from tests.ledger.conftest import Database
from tests.ledger.stories import LIFE, day, everything, intent, key, order, paid, payment, refund, result, subscription
from tests.patience import PATIENCE_SECONDS

WHOLE = LedgerEntry(
    subscription=subscription(),
    intents=(intent(1), intent(2)),
    results=(result(CycleState.PAID, imp_uid="imps_1"),),
    payments=(payment(),),
    billing_key=key(),
    refunds=(refund(),),
)

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

DIE = """
import asyncio, os
from tests.ledger.test_crashes import WHOLE
from billing.ledger.engine import open_engine, writing
from billing.ledger.writes.entry import write_entry

async def die():
    async with writing(open_engine({url!r})) as connection:
        await write_entry(connection, WHOLE)
        print("written, not committed", flush=True)
        os._exit(137)

asyncio.run(die())
"""


class PowerCutError(Exception):
    """The process is no more."""


async def test_a_process_killed_before_its_commit_leaves_nothing(ledger: Ledger, database: Database) -> None:
    before = await everything(ledger)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIE.format(url=database.url), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert (process.returncode, said) == (137, b"written, not committed\n")
    assert await everything(ledger) == before
    await ledger.record(WHOLE)
    charge = await ledger.get_charge(order())
    assert charge is not None
    assert charge.state is CycleState.PAID


async def test_whatever_statement_a_step_breaks_at_nothing_of_it_stays(ledger: Ledger) -> None:
    before = await everything(ledger)
    statements = 0

    def break_at(number: int) -> None:
        left = number

        def count(*_arguments: object) -> None:
            nonlocal left, statements
            left -= 1
            statements += 1
            if left < 0:
                raise PowerCutError

        event.listen(ledger.engine.sync_engine, "before_cursor_execute", count)
        broken.append(count)

    broken: list[object] = []
    for number in range(2, 200):
        break_at(number)
        try:
            await ledger.record(WHOLE)
        except PowerCutError:
            event.remove(ledger.engine.sync_engine, "before_cursor_execute", broken.pop())
            assert await everything(ledger) == before
        else:
            event.remove(ledger.engine.sync_engine, "before_cursor_execute", broken.pop())
            break
    assert statements > 50, "the step was not broken anywhere"
    assert await everything(ledger) != before


async def test_a_cancelled_caller_leaves_a_whole_step_or_none_and_no_lock(ledger: Ledger) -> None:
    steps = [LedgerEntry(intents=(intent(cycle),), payments=(payment(f"imps_{cycle}"),)) for cycle in range(1, 31)]
    tasks = [asyncio.create_task(ledger.record(step)) for step in steps]
    chance = random.Random(7)  # noqa: S311 - a repeatable choice, not a secret
    for task in chance.sample(tasks, 20):
        await asyncio.sleep(0.001)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    charges = {row.cycle for row in await ledger.list_charges()}
    payments = {int(row.imp_uid[5:]) for row in await ledger.list_payments(order())}
    assert charges == payments
    for step in steps:
        await ledger.record(step)
    assert len(await ledger.list_charges()) == 30


async def test_concurrent_writers_of_the_same_step_write_it_once(ledger: Ledger) -> None:
    await asyncio.gather(*(ledger.record(WHOLE) for _ in range(20)))
    once = await everything(ledger)
    await ledger.record(WHOLE)
    assert await everything(ledger) == once
    assert len(await ledger.list_charges()) == 2


async def test_two_generations_that_race_to_pay_a_cycle_leave_one_paid(ledger: Ledger) -> None:
    await ledger.record(LedgerEntry(intents=tuple(intent(1, generation) for generation in range(10))))
    ends = await asyncio.gather(
        *(ledger.record(paid(1, generation, f"imps_{generation}")) for generation in range(10)),
        return_exceptions=True,
    )
    assert sum(end == () for end in ends) == 1
    states = [charge.state for charge in await ledger.list_charges()]
    assert (states.count(CycleState.PAID), states.count(CycleState.PLANNED)) == (1, 9)


async def test_many_subscriptions_write_at_once(ledger: Ledger) -> None:
    async def life(number: int) -> None:
        for cycle in (1, 2):
            made = intent(cycle, subscription_id=f"{LIFE[:-2]}{number:02}")
            await ledger.record(LedgerEntry(intents=(made,)))
            assert await ledger.mark_sent(made.merchant_uid, 1, day(0))
            await ledger.receive_webhook(ReceivedWebhook("i", made.merchant_uid, "paid", "console"), day(0))

    await asyncio.gather(*(life(number) for number in range(25)))
    assert [charge.sends for charge in await ledger.list_charges()] == [1] * 50


# ---------------------------------------------------------------- away and locked


@pytest.fixture
async def locked(database: Database) -> AsyncIterator[sqlite3.Connection]:
    """Another process in the middle of a write."""
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@on_sqlite
async def test_a_locked_file_is_waited_for(ledger: Ledger, locked: sqlite3.Connection) -> None:
    writing_now = asyncio.create_task(ledger.record(WHOLE))
    await asyncio.sleep(0.2)
    assert not writing_now.done()
    locked.execute("COMMIT")
    await writing_now
    assert len(await ledger.list_charges()) == 2


@on_sqlite
async def test_a_file_that_stays_locked_is_unavailable_and_nothing_is_written(
    database: Database, ledger: Ledger, locked: sqlite3.Connection
) -> None:
    before = await everything(ledger)
    impatient = open_engine(database.url, busy_timeout_seconds=0.05)
    with pytest.raises(LedgerUnavailableError, match="SQLITE_BUSY") as unavailable:
        async with writing(impatient) as connection:
            await write_entry(connection, WHOLE)
    assert unavailable.value.__cause__ is None
    await impatient.dispose()
    locked.execute("ROLLBACK")
    assert await everything(ledger) == before


@on_sqlite
async def test_reading_does_not_wait_for_a_writer(ledger: Ledger, locked: sqlite3.Connection) -> None:
    # Whoever waited for the writer would be told that the file is locked: it ends after the test.
    assert await ledger.list_charges() == []


@on_sqlite
async def test_a_long_reader_does_not_keep_a_card_from_being_discarded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waits for the reader waits as long as SQLite lets it, and longer than this test.
    monkeypatch.setitem(open_engine.__kwdefaults__ or {}, "busy_timeout_seconds", 2.0 * PATIENCE_SECONDS)
    ledger = Ledger(database.url)
    vault = ledger.card_vault([b"k" * 32])
    handle = await vault.seal({"card_number": "1"}, day(0))
    reader = sqlite3.connect(database.file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM card_vault").fetchall()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await vault.discard(handle)
    reader.close()
    await ledger.aclose()


@on_sqlite
async def test_sqlite_is_set_up_to_lose_nothing_and_to_be_read_by_its_owner_alone(
    ledger: Ledger, database: Database
) -> None:
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 10000}
    async with writing(ledger.engine) as connection:
        found = {name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in pragmas}
    assert found == pragmas


async def test_a_new_file_is_the_owners_alone(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/new/folder/ledger.db")
    await ledger.migrate()
    await ledger.record(LedgerEntry(intents=(intent(),)))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new/folder").iterdir()}
    assert set(modes.values()) == {0o600}, modes
    await ledger.aclose()


@pytest.mark.parametrize(
    "url", ["postgresql://postgres@127.0.0.1:1/none", "sqlite:////proc/nowhere/ledger.db"], ids=["refused", "no folder"]
)
async def test_a_database_that_is_away_is_unavailable(url: str) -> None:
    ledger = Ledger(url)
    for ask in (ledger.check, ledger.migrate, ledger.list_charges):
        with pytest.raises(LedgerUnavailableError):
            await ask()
    with pytest.raises(LedgerUnavailableError):
        await ledger.record(WHOLE)
    await ledger.aclose()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_connection_that_breaks_is_unavailable_and_the_next_one_works(ledger: Ledger) -> None:
    async def broken_off() -> None:
        async with writing(ledger.engine) as connection:
            await write_entry(connection, WHOLE)
            await connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(LedgerUnavailableError):
        await broken_off()
    assert await ledger.list_charges() == []
    await ledger.record(WHOLE)
    assert len(await ledger.list_charges()) == 2
