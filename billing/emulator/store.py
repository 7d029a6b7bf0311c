"""What survives a kill: every object is one row of a SQLite file, written before its effect is seen outside.

In memory the objects are plain dictionaries in PortOne's own field names; a stored record is replaced, never mutated.
Without a file there is no database either.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Record = dict[str, Any]

KINDS = (
    "tokens", "keys", "payments", "schedules", "webhooks", "faults", "prepared", "clocks", "counters", "late",
    "switches", "recoveries", "cash_receipts", "certifications", "acts", "sightings", "windows",
    "deliveries", "product_orders",
)  # fmt: skip


_READ_AT_ONCE = 5_000
_OWNER_ONLY = 0o600


Identity = tuple[tuple[int, int] | None, ...]
"""Device and inode of the state file and of its log, as they are on disk; None for one that is not there."""


class StateLostError(Exception):
    """The state file or its log was replaced, moved or deleted under the running emulator: start it again."""


class Store:
    """Dictionaries by kind and id; what is put inside `writing` is on disk when `writing` ends.

    `lost` is set once the file on disk is no longer the one that was opened: nothing is written any more.
    `watcher` is told of every change that has been made: the records as they were before.
    """

    def __init__(self, path: Path | None) -> None:
        self.kinds: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        self.lost = asyncio.Event()
        self.watcher: Callable[[Mapping[tuple[str, str], Record | None]], None] | None = None
        self._path = path
        self._database = _open(path) if path is not None else None
        if self._database is not None:
            self._read(self._database)
        self._opened = self._on_disk()
        self._before: dict[tuple[str, str], Record | None] = {}

    def __getitem__(self, kind: str) -> dict[str, Record]:
        return self.kinds[kind]

    def put(self, kind: str, key: str, record: Record) -> Record:
        """Keep a record, new or changed."""
        self._before.setdefault((kind, key), self.kinds[kind].get(key))
        self.kinds[kind][key] = record
        return record

    def drop(self, kind: str, key: str) -> None:
        """Forget a record."""
        self._before.setdefault((kind, key), self.kinds[kind].pop(key, None))
        self.kinds[kind].pop(key, None)

    def count(self, name: str) -> int:
        """The next number of a durable counter, from 1."""
        record = self.kinds["counters"].get(name, {"n": 0})
        return int(self.put("counters", name, {"n": record["n"] + 1})["n"])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One change of the world: all of it is on disk at the end, or, when it raises, none of it happened.

        The body must not await: whatever others changed meanwhile would be undone with it.
        """
        self.flush()
        try:
            yield
        except BaseException:
            self._undo()
            raise
        self.flush()

    def flush(self) -> None:
        """Write what changed, in one transaction."""
        if not self._before:
            return
        if self._database is not None:
            self._keep(self._database)
        if self.watcher is not None:
            self.watcher(self._before)
        self._before.clear()

    def close(self) -> None:
        """Write what changed and let go of the file."""
        self.flush()
        if self._database is not None:
            self._database.close()

    def _read(self, database: sqlite3.Connection) -> None:
        # One JSON text for many records: within it each field's name is kept once, which halves a large state.
        rows = database.execute("SELECT kind, id, body FROM objects ORDER BY rowid")
        while batch := rows.fetchmany(_READ_AT_ONCE):
            records = json.loads(f"[{','.join(body for _, _, body in batch)}]")
            for (kind, key, _), record in zip(batch, records, strict=True):
                self.kinds.setdefault(kind, {})[key] = record

    def _keep(self, database: sqlite3.Connection) -> None:
        try:
            self._require_file()
            database.execute("BEGIN IMMEDIATE")
            for kind, key in self._before:
                _write(database, kind, key, self.kinds[kind].get(key))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            self._undo()
            raise

    def _require_file(self) -> None:
        if self._on_disk() != self._opened:
            self.lost.set()
        if self.lost.is_set():
            raise StateLostError(
                f"{self._path} or its -wal file was replaced, moved or deleted while the emulator had it open; "
                "nothing more is written to it: start the emulator again"
            )

    def _on_disk(self) -> Identity:
        return () if self._path is None else (_identity(self._path), _identity(Path(f"{self._path}-wal")))

    def _undo(self) -> None:
        for (kind, key), record in self._before.items():
            if record is None:
                self.kinds[kind].pop(key, None)
            else:
                self.kinds[kind][key] = record
        self._before.clear()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Exclusive: a file that is there is opened by SQLite alone. Closing any other descriptor of it would drop SQLite's
    # locks, and whoever looks at the file next would delete its log (https://sqlite.org/howtocorrupt.html, 2.2).
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
    # One event loop works on it, which need not run in the thread that made it.
    database = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))")
    return database


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write(database: sqlite3.Connection, kind: str, key: str, record: Record | None) -> None:
    if record is None:
        database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, key))
        return
    # An upsert keeps the row's place, and with it the order in which objects were made.
    database.execute(
        "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
        (kind, key, json.dumps(record, ensure_ascii=False)),
    )
