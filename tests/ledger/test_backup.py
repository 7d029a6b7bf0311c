"""A backup of a ledger on SQLite is whole and of one moment, though others write; it is put back when nobody does."""

import asyncio
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from billing.domain.records import LedgerEntry
from billing.ledger import BackupError, Ledger, LedgerUnavailableError, back_up, restore, sqlite_warning
from tests.ledger.conftest import Database
from tests.ledger.stories import day, intent, payment

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def cycles(url: str) -> list[int | None]:
    ledger = Ledger(url)
    try:
        return [charge.cycle for charge in await ledger.list_charges()]
    finally:
        await ledger.aclose()


async def write(ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        await ledger.record(LedgerEntry(intents=(intent(number),), payments=(payment(f"imps_{number}"),)))


async def test_a_backup_made_while_others_write_holds_whole_steps_of_one_moment(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    await write(ledger, 1)
    going_on = asyncio.create_task(write(ledger, *range(2, 40)))
    made = [await asyncio.to_thread(back_up, database.url, tmp_path / f"{number}.db") for number in range(3)]
    await going_on
    for backup in made:
        with sqlite3.connect(backup.path) as copy:
            charges = copy.execute("SELECT count(*) FROM charges").fetchone()
            assert charges == copy.execute("SELECT count(*) FROM payments").fetchone()
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        copy.close()
        assert stat.S_IMODE(backup.path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("[0-9]*")) == ["0.db", "1.db", "2.db"]
    assert await cycles(database.url) == list(range(1, 40))


async def test_a_card_in_the_vault_is_in_no_backup(database: Database, ledger: Ledger, tmp_path: Path) -> None:
    await ledger.card_vault([b"k" * 32]).seal({"card_number": "1"}, day(0))
    async with ledger.engine.connect() as connection:
        ((sealed,),) = (await connection.exec_driver_sql("SELECT sealed FROM card_vault")).all()
    assert sealed in database.files_bytes()
    assert sealed not in back_up(database.url, tmp_path / "backup.db").path.read_bytes()


async def test_a_backup_put_back_is_the_ledger_as_it_was(database: Database, ledger: Ledger, tmp_path: Path) -> None:
    await write(ledger, 1, 2)
    backup = back_up(database.url, tmp_path / "backup.db")
    await write(ledger, 3)
    with pytest.raises(LedgerUnavailableError, match="in use"):
        restore(database.url, backup.path)
    assert [charge.cycle for charge in await ledger.list_charges()] == [1, 2, 3]
    await ledger.aclose()
    restore(database.url, backup.path)
    assert await cycles(database.url) == [1, 2]
    # On a machine that has nothing of the old one.
    elsewhere = f"sqlite:///{tmp_path}/new/machine/ledger.db"
    restore(elsewhere, backup.path)
    assert await cycles(elsewhere) == [1, 2]


async def test_a_ledger_put_back_over_the_log_of_a_killed_process_reads_nothing_of_that_log(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    await write(ledger, 1)
    backup = back_up(database.url, tmp_path / "backup.db")
    await write(ledger, 2)
    # As a kill leaves them: a file, and beside it a log that was never folded in.
    (tmp_path / "killed").mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{database.file}{ending}", tmp_path / f"killed/ledger.db{ending}")
    url = f"sqlite:///{tmp_path}/killed/ledger.db"
    restore(url, backup.path)
    assert await cycles(url) == [1]


async def test_what_is_no_backup_is_refused_and_nothing_is_changed(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    await write(ledger, 1)
    backup = back_up(database.url, tmp_path / "backup.db")
    with pytest.raises(BackupError, match="never replaces"):
        back_up(database.url, backup.path)
    await ledger.aclose()
    (tmp_path / "text").write_text("no database")
    (tmp_path / "damaged").write_bytes(backup.path.read_bytes()[:8192] + b"\xff" * 8192)
    sqlite3.connect(tmp_path / "other").executescript("CREATE TABLE x (y)")
    for name in ("absent", "text", "damaged", "other"):
        with pytest.raises(BackupError, match=name):
            restore(database.url, tmp_path / name)
    assert await cycles(database.url) == [1]
    for url in (f"sqlite:///{tmp_path}/absent.db", "postgresql://localhost/x"):
        with pytest.raises(BackupError):
            back_up(url, tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 50, 7), False), ((3, 51, 2), True),
     ((3, 51, 3), False), ((3, 53, 0), False)],
)  # fmt: skip
def test_a_sqlite_with_the_wal_reset_bug_is_known(
    database: Database, version: tuple[int, int, int], is_affected: bool
) -> None:
    assert (sqlite_warning(version) is not None) is is_affected
