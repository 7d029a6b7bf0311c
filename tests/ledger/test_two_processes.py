"""Several processes on one SQLite file: whoever comes, reads and goes, the others keep their locks and their log."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from billing.domain.records import LedgerEntry
from billing.ledger import Ledger, LedgerLostError, LedgerUnavailableError
from billing.ledger.engine import reading
from billing.ledger.sqlite_file import holders_of_deleted
from tests.ledger.conftest import Database
from tests.ledger.stories import intent, order

pytestmark = [
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

CONNECTIONS = 5

# A process that keeps several connections open and does one thing for each line that it reads.
PROCESS = """
import asyncio, json, os, sys
from billing.ledger import Ledger
from billing.domain.records import LedgerEntry
from tests.ledger.stories import intent
from tests.ledger.test_two_processes import held, open_connections

async def main(url, file):
    ledger = Ledger(url)
    loop = asyncio.get_running_loop()

    while line := await loop.run_in_executor(None, sys.stdin.readline):
        what, _, cycle = line.strip().partition(" ")
        if what == "open":
            await open_connections(ledger)
        elif what == "write":
            await ledger.record(LedgerEntry(intents=(intent(int(cycle)),)))
        elif what == "end":
            await ledger.aclose()
            return
        charges = [charge.cycle for charge in await ledger.list_charges()]
        print(json.dumps({"charges": charges, **held(os.getpid(), file)}), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def open_connections(ledger: Ledger) -> None:
    """Several connections, each opened while those before it are in use."""
    async with contextlib.AsyncExitStack() as opened:
        for _ in range(CONNECTIONS):
            connection = await opened.enter_async_context(reading(ledger.engine))
            await connection.exec_driver_sql("SELECT count(*) FROM charges")


def held(pid: int, file: str) -> dict[str, object]:
    """What a process holds of a ledger: locks of its own by file, and files that nobody else can see any more."""
    inodes = {Path(f"{file}{ending}").stat().st_ino: ending for ending in ("", "-wal", "-shm")}
    locks = set()
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "POSIX" and int(fields[4]) == pid and int(fields[5].split(":")[2]) in inodes:
            locks.add(inodes[int(fields[5].split(":")[2])])
    deleted = [name for holder, name in holders_of_deleted(Path(file)) if holder == pid]
    return {"locks": sorted(locks), "deleted": deleted}


class Process:
    """A process of its own with the ledger open."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, database: Database) -> "Process":
        """One that has several connections open."""
        arguments = (sys.executable, "-c", PROCESS, database.url, str(database.file))
        pipe = asyncio.subprocess.PIPE
        process = cls(await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe))
        await process.ask("open")
        return process

    async def ask(self, what: str) -> dict[str, object]:
        """Let it do something; what it holds and sees then."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what}\n".encode())
        if what == "end":
            assert await self.process.wait() == 0
            return {}
        answer: dict[str, object] = json.loads(await self.process.stdout.readline())
        return answer

    async def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        await self.process.wait()


@pytest.mark.parametrize("ending", ["ends", "is killed"])
async def test_a_process_that_goes_takes_neither_locks_nor_log_from_those_that_stay(
    database: Database, ending: str
) -> None:
    stays, goes = await Process.start(database), await Process.start(database)
    await stays.ask("write 1")
    assert (await goes.ask("write 2"))["charges"] == [1, 2]
    await (goes.ask("end") if ending == "ends" else goes.kill())
    # Whoever opens and closes the ledger beside it (`gudok reconcile`, `doctor`, `db upgrade`) is such a process too.
    passer_by = await Process.start(database)
    await passer_by.ask("end")
    assert await stays.ask("write 3") == {"charges": [1, 2, 3], "locks": ["", "-shm"], "deleted": []}
    late = await Process.start(database)
    assert (await late.ask("write 4"))["charges"] == [1, 2, 3, 4]
    assert (await stays.ask("write 5"))["charges"] == [1, 2, 3, 4, 5]
    await late.ask("end")
    await stays.ask("end")


async def test_connections_of_one_process_do_not_drop_the_locks_of_each_other(
    database: Database, ledger: Ledger
) -> None:
    await open_connections(ledger)
    assert held(os.getpid(), str(database.file))["locks"] == ["", "-shm"]


@pytest.mark.parametrize("what", ["replaced", "moved", "log deleted"])
async def test_a_ledger_whose_file_or_log_is_no_longer_its_own_is_lost_and_stays_so(
    database: Database, ledger: Ledger, tmp_path: Path, what: str
) -> None:
    await ledger.record(LedgerEntry(intents=(intent(1),)))
    log = Path(f"{database.file}-wal")
    if what == "replaced":
        shutil.copy(database.file, tmp_path / "copy")
        (tmp_path / "copy").replace(database.file)
    elif what == "moved":
        database.file.rename(tmp_path / "elsewhere")
    else:
        kept = log.rename(tmp_path / "kept")
    with pytest.raises(LedgerLostError, match="start it again"):
        await ledger.record(LedgerEntry(intents=(intent(2),)))
    assert (await asyncio.wait_for(ledger.lost(), 5)) is None
    if what == "log deleted":
        kept.rename(log)
    # Not even when the file is back: what was written meanwhile is unknown here.
    with pytest.raises(LedgerUnavailableError, match="start it again"):
        await ledger.get_charge(order())
    if what == "moved":
        assert not database.file.exists(), "an empty file in the place of a lost one hides the loss"


async def test_a_loss_is_seen_from_outside_too(database: Database) -> None:
    process = await Process.start(database)
    await process.ask("write 1")
    assert list(holders_of_deleted(database.file)) == []
    Path(f"{database.file}-wal").unlink()
    assert (process.process.pid, "ledger.db-wal") in set(holders_of_deleted(database.file))
    await process.kill()
