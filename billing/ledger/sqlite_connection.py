"""A connection to SQLite that goes to its thread once for each statement.

aiosqlite goes there four times: for a cursor, to execute, to fetch, to close. Each way costs several times what a
statement of ours costs SQLite, and a step of the ledger is a dozen statements.
"""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Self

import aiosqlite

Parameters = Sequence[Any]

BEGIN_TO_WRITE = "BEGIN IMMEDIATE"

LOOK_SECONDS = 0.002
"""How often a connection looks whether it may write: more than once in the pause that others make."""


def connect(path: str, **options: Any) -> "Connection":
    """A connection that SQLAlchemy's dialect for aiosqlite awaits and then uses (its `async_creator_fn`)."""
    connection = Connection(partial(sqlite3.connect, path, **options), iter_chunk_size=64)
    connection.busy_seconds = options.get("timeout", connection.busy_seconds)
    # As the dialect does with its own: a connection that nobody closed keeps no process from ending.
    connection._thread.daemon = True  # noqa: SLF001 - aiosqlite has no other way
    return connection


class Connection(aiosqlite.Connection):
    """aiosqlite's, but for its cursors, and for how it waits for its turn to write."""

    busy_seconds = 5.0

    def begin_to_write(self) -> None:
        """Begin a transaction that writes, as soon as no other process does; called in the connection's thread.

        SQLite itself looks ten times a second when it has waited for a while: it would miss for seconds the moments in
        which a process with many writes lets go (`write_group.PAUSE_SECONDS`).
        """
        connection, last = self._conn, time.monotonic() + self.busy_seconds
        connection.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    connection.execute(BEGIN_TO_WRITE)
                except sqlite3.OperationalError as error:
                    if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > last:
                        raise
                    time.sleep(LOOK_SECONDS)
                else:
                    return
        finally:
            connection.execute(f"PRAGMA busy_timeout={int(self.busy_seconds * 1000)}")

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """A cursor that is nothing yet but a place for one statement's answer."""
        return Cursor(self)


class Cursor:
    """What one statement answered, all of its rows.

    It has of a cursor what SQLAlchemy's adapter asks for.
    """

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Parameters = ()) -> Self:
        """Execute, fetch every row, and close what SQLite keeps of it."""
        return await self._there(self._execute, statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Parameters]) -> Self:
        """Execute with one set of parameters after the other; there are no rows."""
        return await self._there(self._executemany, statement, parameters)

    async def fetchall(self) -> list[Any]:
        """The rows that were not fetched yet."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Forget the rows; SQLite keeps nothing of it since it was executed."""
        self._rows = []

    async def _there(self, work: Any, *arguments: Any) -> Self:
        await self._connection._execute(work, *arguments)  # type: ignore[no-untyped-call]  # noqa: SLF001 - as aiosqlite's own cursor does
        return self

    def _execute(self, statement: str, parameters: Parameters) -> None:
        if statement == BEGIN_TO_WRITE:
            self._connection.begin_to_write()
            return
        self._take(self._connection._conn.execute(statement, parameters))  # noqa: SLF001 - as above

    def _executemany(self, statement: str, parameters: Iterable[Parameters]) -> None:
        self._take(self._connection._conn.executemany(statement, parameters))  # noqa: SLF001 - as above

    def _take(self, cursor: sqlite3.Cursor) -> None:
        try:
            self._rows = cursor.fetchall() if cursor.description else []
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()
