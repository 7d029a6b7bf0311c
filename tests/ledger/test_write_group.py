"""Steps that are committed together: each whole or not at all, none back before it is on disk, none left behind."""

import asyncio
import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text

from billing.domain.records import LedgerEntry
from billing.ledger import Ledger, LedgerConflictError, LedgerLockedError, LedgerUnavailableError
from billing.ledger.engine import open_engine, writing
from billing.ledger.write_group import MOST_STEPS
from tests.ledger.conftest import Database
from tests.ledger.stories import intent
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

MANY = 3 * MOST_STEPS


@pytest.fixture
def commits(ledger: Ledger) -> list[object]:
    seen: list[object] = []
    event.listen(ledger.engine.sync_engine, "commit", seen.append)
    return seen


def _life(number: int) -> str:
    return f"s{number:019d}"


def _entry(number: int, **changes: Any) -> LedgerEntry:
    return LedgerEntry(intents=(replace(intent(subscription_id=_life(number)), **changes),))


def _stored(database: Database) -> set[str]:
    """The lives that another process sees a charge of."""
    other = sqlite3.connect(f"file:{database.file}?mode=ro", uri=True)
    try:
        return {row[0] for row in other.execute("SELECT subscription_id FROM charges")}
    finally:
        other.close()


async def test_steps_that_wait_together_are_committed_together(ledger: Ledger, database: Database, commits) -> None:
    await asyncio.gather(*(ledger.record(_entry(number)) for number in range(MANY)))
    assert len(commits) <= MANY // MOST_STEPS + 1
    assert _stored(database) == {_life(number) for number in range(MANY)}


async def test_a_step_alone_is_committed_alone(ledger: Ledger, database: Database, commits) -> None:
    for number in range(3):
        await ledger.record(_entry(number))
        assert len(commits) == number + 1
        assert _life(number) in _stored(database)


async def test_no_step_is_back_before_another_process_sees_it(ledger: Ledger, database: Database) -> None:
    async def one(number: int) -> bool:
        await ledger.record(_entry(number))
        return _life(number) in _stored(database)

    assert all(await asyncio.gather(*(one(number) for number in range(MANY))))


async def test_a_step_that_is_refused_takes_none_of_the_others_with_it(ledger: Ledger, database: Database) -> None:
    await ledger.record(_entry(0))
    # The first of a transaction, one in its middle, and the last.
    refused = (0, MOST_STEPS // 2, MANY - 1)

    async def one(number: int) -> str:
        if number not in refused:
            await ledger.record(_entry(number + 1))
            return "written"
        # What is fine of it is undone with what is not.
        fine, wrong = _entry(number + 1000), _entry(0, name="other", workflow_id="subscription/other")
        with pytest.raises(LedgerConflictError, match="workflow_id"):
            await ledger.record(LedgerEntry(intents=(*fine.intents, *wrong.intents)))
        return "refused"

    answers = await asyncio.gather(*(one(number) for number in range(MANY)))
    assert [number for number, answer in enumerate(answers) if answer == "refused"] == list(refused)
    written = {_life(number + 1) for number in range(MANY) if number not in refused}
    assert _stored(database) == written | {_life(0)}


async def test_a_commit_that_fails_is_told_to_every_step_of_it(ledger: Ledger, database: Database) -> None:
    def fails(_connection: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    event.listen(ledger.engine.sync_engine, "commit", fails)
    try:
        answers = await asyncio.gather(
            *(ledger.record(_entry(number)) for number in range(MOST_STEPS)), return_exceptions=True
        )
    finally:
        event.remove(ledger.engine.sync_engine, "commit", fails)
    assert all(isinstance(answer, Exception) for answer in answers)
    assert _stored(database) == set()
    await ledger.record(_entry(1))
    assert _stored(database) == {_life(1)}


async def test_where_sqlite_undoes_the_whole_transaction_nobody_of_it_is_told_that_it_is_written(
    ledger: Ledger, database: Database
) -> None:
    joined = asyncio.Event()

    async def first() -> None:
        async with writing(ledger.engine) as connection:
            joined.set()
            # The others come to wait for their turn meanwhile.
            await asyncio.sleep(0)
            await connection.execute(text("INSERT INTO health_checks VALUES ('first', 1, '2027-01-31')"))

    async def undoes_all() -> None:
        await joined.wait()
        with pytest.raises(LedgerConflictError, match="the disk is full"):
            async with writing(ledger.engine) as connection:
                # As SQLite does by itself where the disk is full.
                await connection.exec_driver_sql("ROLLBACK")
                raise LedgerConflictError("the disk is full")

    answers = await asyncio.gather(first(), undoes_all(), return_exceptions=True)
    assert isinstance(answers[0], LedgerUnavailableError)
    assert answers[1] is None
    await ledger.record(_entry(1))
    assert _stored(database) == {_life(1)}


async def test_a_step_whose_follower_is_cancelled_is_committed_all_the_same(ledger: Ledger, database: Database) -> None:
    may_end, follower = asyncio.Event(), []

    async def first() -> None:
        async with writing(ledger.engine) as connection:
            await connection.execute(text("SELECT 1"))
            follower.append(asyncio.create_task(ledger.record(_entry(2))))
            await may_end.wait()

    leading = asyncio.create_task(first())
    while not follower:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    may_end.set()
    # It has been promised the turn, and is cancelled before it takes it.
    while not leading.done() and not follower[0].cancelling():
        await asyncio.sleep(0)
        follower[0].cancel()
    await asyncio.wait_for(leading, PATIENCE_SECONDS)
    await asyncio.gather(follower[0], return_exceptions=True)
    await asyncio.wait_for(ledger.record(_entry(3)), PATIENCE_SECONDS)
    assert _life(3) in _stored(database)


async def test_a_step_that_is_cancelled_in_its_middle_is_undone_alone(ledger: Ledger, database: Database) -> None:
    inside = asyncio.Event()

    async def cancelled() -> None:
        async with writing(ledger.engine) as connection:
            await connection.execute(text("INSERT INTO health_checks VALUES ('gone', 1, '2027-01-31')"))
            inside.set()
            await asyncio.Event().wait()

    before = asyncio.create_task(ledger.record(_entry(1)))
    await asyncio.sleep(0)
    middle = asyncio.create_task(cancelled())
    await inside.wait()
    after = asyncio.create_task(ledger.record(_entry(2)))
    middle.cancel()
    await asyncio.wait_for(asyncio.gather(before, after), PATIENCE_SECONDS)
    with pytest.raises(asyncio.CancelledError):
        await middle
    assert _stored(database) == {_life(1), _life(2)}
    other = sqlite3.connect(f"file:{database.file}?mode=ro", uri=True)
    assert other.execute("SELECT count(*) FROM health_checks WHERE name = 'gone'").fetchone() == (0,)
    other.close()


async def test_who_waits_in_vain_for_another_process_is_told_that_it_is_locked_and_wrote_nothing(
    ledger: Ledger, database: Database
) -> None:
    engine = open_engine(database.url, busy_timeout_seconds=0.2)
    other = sqlite3.connect(database.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LedgerLockedError):
            async with writing(engine) as connection:
                await connection.execute(text("SELECT 1"))
        other.execute("ROLLBACK")
        # It waits for its turn as long as ever afterwards, and gets it.
        async with writing(engine) as connection:
            assert (await connection.execute(text("PRAGMA busy_timeout"))).scalar() == 200
    finally:
        other.close()
        await engine.dispose()
