"""What survives a kill: every object is one row of a SQLite file, written before its effect is seen outside.

In memory the objects are plain dictionaries in PortOne's own field names.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Record = dict[str, Any]

KINDS = ("tokens", "keys", "payments", "schedules", "webhooks", "faults", "prepared", "clocks", "counters", "late")


class Store:
    """Dictionaries by kind and id; `put` inside `writing` is on disk when `writing` ends."""

    def __init__(self, path: Path | None) -> None:
        self._database = sqlite3.connect(str(path) if path else ":memory:", isolation_level=None)
        if path is not None:
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))"
        )
        self.kinds: dict[str, dict[str, Record]] = {kind: {} for kind in KINDS}
        for kind, key, body in self._database.execute("SELECT kind, id, body FROM objects ORDER BY rowid"):
            self.kinds.setdefault(kind, {})[key] = json.loads(body)
        self._dirty: dict[tuple[str, str], Record | None] = {}

    def __getitem__(self, kind: str) -> dict[str, Record]:
        return self.kinds[kind]

    def put(self, kind: str, key: str, record: Record) -> Record:
        """Keep a record, new or changed."""
        self.kinds[kind][key] = record
        self._dirty[kind, key] = record
        return record

    def drop(self, kind: str, key: str) -> None:
        """Forget a record."""
        self.kinds[kind].pop(key, None)
        self._dirty[kind, key] = None

    def count(self, name: str) -> int:
        """The next number of a durable counter, from 1."""
        record = self.kinds["counters"].get(name, {"n": 0})
        return int(self.put("counters", name, {"n": record["n"] + 1})["n"])

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One change of the world: all of it is on disk at the end, or none of it."""
        yield
        self.flush()

    def flush(self) -> None:
        """Write what changed."""
        if not self._dirty:
            return
        self._database.execute("BEGIN IMMEDIATE")
        for (kind, key), record in self._dirty.items():
            if record is None:
                self._database.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, key))
            else:
                body = json.dumps(record, ensure_ascii=False)
                self._database.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (kind, key, body))
        self._database.execute("COMMIT")
        self._dirty.clear()

    def close(self) -> None:
        """Write what changed and let go of the file."""
        self.flush()
        self._database.close()
