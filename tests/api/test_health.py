"""Ready means that the ledger on disk takes a write and gives it back; who has lost the ledger says so and ends."""

import asyncio
import os
import shutil
import sqlite3
import stat
import sys
from contextlib import closing

import pytest
from typer.testing import CliRunner

from api.cli import app
from billing.ledger import Ledger

RUNNER = CliRunner()
NOTHING_ANSWERS = "http://127.0.0.1:9"


async def migrated(url):
    ledger = Ledger(url)
    await ledger.migrate()
    await ledger.aclose()


def checks(file):
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT checks FROM health_checks").fetchall()


async def test_ready_means_that_a_page_was_written_and_read_back(stack):
    answer = await stack.api.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "ledger": "ok", "temporal": "ok"})
    assert checks(stack.ledger.file) == [(1,)]
    # Whoever asks again and again costs no write each time.
    await asyncio.gather(*(stack.api.get("/readyz") for _ in range(20)))
    assert checks(stack.ledger.file) in ([(1,)], [(2,)])


async def test_a_ledger_that_takes_no_write_is_not_ready(stack):
    with closing(sqlite3.connect(stack.ledger.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await stack.api.get("/readyz")
        other.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["ledger"]) == (503, "unavailable")
    assert (await stack.api.get("/healthz")).status_code == 200


async def test_an_api_whose_ledger_was_replaced_is_not_ready_and_starts_nothing(stack, tmp_path):
    assert (await stack.api.get("/readyz")).status_code == 200
    shutil.copy(stack.ledger.file, tmp_path / "copy")
    (tmp_path / "copy").replace(stack.ledger.file)
    answer = await stack.api.post("/v1/plans", json={"plan_id": "p", "name": "n", "amount": 1000, "interval": "month"})
    assert answer.status_code == 503
    assert stack.ledger.loss is not None


@pytest.mark.parametrize("command", ["api", "worker"])
async def test_a_process_that_lost_its_ledger_ends_and_says_why(command, tmp_path, dev_server):
    url = f"sqlite:///{tmp_path}/ledger.db"
    await migrated(url)
    address = dev_server.client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", command, *(["--port", "0"] if command == "api" else [])),
        env={**os.environ, "GUDOK_DATABASE_URL": url, "TEMPORAL_ADDRESS": address, "GUDOK_MODE": "local"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    while b"running" not in (line := await process.stderr.readline()):
        assert line, "it has not started"
    # What is moved while nobody asks anything of it is noticed, too; and no empty file takes its place.
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere")
    said = (await process.stderr.read()).decode()
    assert await process.wait() == 1
    assert "start it again" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "ledger.db").exists()


def examine(monkeypatch, file):
    monkeypatch.setenv("GUDOK_DATABASE_URL", f"sqlite:///{file}")
    monkeypatch.setenv("GUDOK_PORTONE_URL", NOTHING_ANSWERS)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("COLUMNS", "200")
    return RUNNER.invoke(app, ["doctor"])


def test_doctor_says_part_by_part_what_answers(monkeypatch, tmp_path):
    asyncio.run(migrated(f"sqlite:///{tmp_path}/ledger.db"))
    told = examine(monkeypatch, tmp_path / "ledger.db")
    assert told.exit_code == 1
    assert "ok      ledger\n" in told.output
    assert "failed  PortOne" in told.output
    assert "failed  Temporal" in told.output
    assert f"SQLite {sqlite3.sqlite_version}" in told.output
    assert checks(tmp_path / "ledger.db") == [(1,)]


def test_doctor_says_what_is_wrong_with_a_ledger_file(monkeypatch, tmp_path):
    assert "failed  ledger: there is no ledger at" in examine(monkeypatch, tmp_path / "new" / "ledger.db").output
    (tmp_path / "ledger.db").write_bytes(b"not a database at all, and longer than the header of one: " * 20)
    (tmp_path / "ledger.db").chmod(0o644)
    told = examine(monkeypatch, tmp_path / "ledger.db")
    assert "damaged (SQLITE_NOTADB): restore a backup" in told.output
    assert "can be read by others" in told.output
    assert stat.S_IMODE((tmp_path / "ledger.db").stat().st_mode) == 0o644


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_doctor_names_the_processes_that_work_on_a_deleted_file(monkeypatch, tmp_path):
    asyncio.run(migrated(f"sqlite:///{tmp_path}/ledger.db"))
    holder = sqlite3.connect(tmp_path / "ledger.db")
    holder.execute("SELECT count(*) FROM charges").fetchone()
    (tmp_path / "ledger.db-wal").unlink()
    assert (
        f"process {os.getpid()} works on a ledger.db-wal that is deleted"
        in examine(monkeypatch, tmp_path / "ledger.db").output
    )
    holder.close()


def test_a_backup_and_the_way_back_on_the_command_line(monkeypatch, tmp_path):
    monkeypatch.setenv("GUDOK_DATABASE_URL", f"sqlite:///{tmp_path}/ledger.db")
    assert RUNNER.invoke(app, ["db", "upgrade"]).exit_code == 0
    made = RUNNER.invoke(app, ["db", "backup", str(tmp_path / "copy.db")])
    assert (made.exit_code, "read through without a fault" in made.output) == (0, True)
    assert RUNNER.invoke(app, ["db", "backup", str(tmp_path / "copy.db")]).exit_code == 1
    assert RUNNER.invoke(app, ["db", "restore", str(tmp_path / "copy.db")]).exit_code == 0
    refused = RUNNER.invoke(app, ["db", "restore", str(tmp_path / "none.db")])
    assert (refused.exit_code, "Traceback" in refused.output) == (1, False)
    monkeypatch.setenv("GUDOK_DATABASE_URL", "postgresql://127.0.0.1:9/none")
    assert "pg_dump" in RUNNER.invoke(app, ["db", "backup", str(tmp_path / "other.db")]).output
