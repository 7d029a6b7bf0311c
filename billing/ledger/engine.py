"""The database behind the ledger: a SQLite file, or PostgreSQL, by its URL."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

READ_ONLY = {"gudok_read_only": True}
"""Execution options of a transaction that only reads: SQLite then does not wait for the writer."""

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_BUSY_TIMEOUT_SECONDS = 10


def open_engine(url: str) -> AsyncEngine:
    """An engine for `sqlite:///path` or `postgresql://…`; a SQLite file's folder is created.

    Errors never carry the bound values of a statement.
    """
    parsed = async_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_async_engine(parsed, hide_parameters=True, pool_pre_ping=True, pool_size=5, max_overflow=10)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(parsed, hide_parameters=True, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def async_url(url: str) -> URL:
    """The URL with the asynchronous driver that this project ships."""
    parsed = make_url(url)
    backend = parsed.drivername.split("+")[0]
    if backend not in _DRIVERS:
        raise ValueError(f"no ledger runs on {backend!r}: use sqlite:///path or postgresql://host/name")
    return parsed.set(drivername=_DRIVERS[backend])


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own: a deferred one that turns into a write fails at once
    # when another writer is there, whatever the timeout (reliability.md F57).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={_BUSY_TIMEOUT_SECONDS * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("gudok_read_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
