"""What survives a kill: every object is one row of a SQLite file, written before its effect is seen outside.

In memory the objects are plain dictionaries in PortOne's own field names; a stored record is replaced, never mutated.
Without a file there is no database either.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Record = dict[str, Any]

KINDS = (
    "tokens", "keys", "payments", "schedules", "webhooks", "faults", "prepared", "clocks", "counters", "late",
    "switches", "recoveries", "cash_receipts", "certifications", "acts", "sightings", "windows",
    "deliveries",
)  # fmt: skip


_READ_AT_ONCE = 5_000


class Store:
    """Dictionaries by kind and id; what is put inside `writing` is on disk when `writing` ends."""

    def __init__(self, path: Path | None) -> None:
        self.kinds: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        self._database = _open(path) if path is not None else None
        if self._database is not None:
            self._read(self._database)
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
            database.execute("BEGIN IMMEDIATE")
            for kind, key in self._before:
                _write(database, kind, key, self.kinds[kind].get(key))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            self._undo()
            raise

    def _undo(self) -> None:
        for (kind, key), record in self._before.items():
            if record is None:
                self.kinds[kind].pop(key, None)
            else:
                self.kinds[kind][key] = record
        self._before.clear()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One event loop works on it, which need not run in the thread that made it.
    database = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))")
    return database


def _write(database: sqlite3.Connection, kind: str, key: str, record: Record | None) -> None:
    if record is None:
        database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, key))
        return
    # An upsert keeps the row's place, and with it the order in which objects were made.
    database.execute(
        "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
        (kind, key, json.dumps(record, ensure_ascii=False)),
    )
