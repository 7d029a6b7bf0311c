"""The emulator's state file is its own: made for its owner, locked while it runs, and never quietly another one."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from billing.emulator.store import StateLostError, Store

LOOK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("SELECT count(*) FROM objects").fetchone()
database.close()
"""


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "new" / "emulator.db")
    yield opened
    opened.kinds["counters"].clear()
    opened._before.clear()
    opened.close()


def file_of(store):
    return Path(store._path)


def test_a_new_state_file_and_its_log_are_the_owners_alone(store):
    store.count("payments")
    store.flush()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file_of(store).parent.iterdir()}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_look_at_the_state_from_another_process_takes_neither_locks_nor_log(store):
    store.count("payments")
    store.flush()
    log = Path(f"{file_of(store)}-wal").stat().st_ino
    subprocess.run([sys.executable, "-c", LOOK, str(file_of(store))], check=True)  # noqa: S603 - our own command
    assert Path(f"{file_of(store)}-wal").stat().st_ino == log
    inode = file_of(store).stat().st_ino
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    assert any(int(each[4]) == os.getpid() and int(each[5].split(":")[2]) == inode for each in locks)
    assert store.count("payments") == 2
    store.flush()
    with sqlite3.connect(file_of(store)) as other:
        assert other.execute("SELECT body FROM objects WHERE id = 'payments'").fetchall() == [('{"n": 2}',)]
    other.close()


@pytest.mark.parametrize("what", ["replaced", "deleted", "log deleted"])
def test_a_state_file_that_is_no_longer_the_opened_one_takes_no_more_writes(store, tmp_path, what):
    store.count("payments")
    store.flush()
    if what == "replaced":
        (tmp_path / "copy").write_bytes(b"")
        (tmp_path / "copy").replace(file_of(store))
    else:
        (file_of(store) if what == "deleted" else Path(f"{file_of(store)}-wal")).unlink()
    with pytest.raises(StateLostError, match="start the emulator again"), store.writing():
        store.count("payments")
    assert store["counters"]["payments"] == {"n": 1}
    assert store.lost.is_set()
