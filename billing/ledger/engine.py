"""The database behind the ledger: a SQLite file, or PostgreSQL, by its URL; its transactions, and their errors."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from billing.ledger import sqlite_connection
from billing.ledger.errors import (
    LedgerConflictError,
    LedgerDamagedError,
    LedgerError,
    LedgerLockedError,
    LedgerUnavailableError,
)
from billing.ledger.sqlite_file import SqliteFile
from billing.ledger.write_group import WriteGroup

# What a connection remembers of the file it has open: which one it was before, and which log came with it.
_FILE, _LOG = "gudok_file", "gudok_log"

# The execution option that says how SQLite begins: IMMEDIATE unless told otherwise.
_BEGIN = "gudok_begin"
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

# Longer than any transaction here takes, shorter than the activities' own timeouts.
BUSY_TIMEOUT_SECONDS = 10.0
# A connection that does not come up by then means that the database is away.
_CONNECT_TIMEOUT_SECONDS = 10.0
# A statement waits for row locks of transactions that take milliseconds; beyond this something is broken.
_COMMAND_TIMEOUT_SECONDS = 30.0

_UNIQUE_VIOLATION = "23505"
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
# Classes of SQLSTATE that another try can cure: connection, deadlock and other rollbacks, resources, operator, system.
_RETRYABLE_SQLSTATES = ("08", "40", "53", "55", "57", "58")


def async_url(url: str) -> URL:
    """The URL with the asynchronous driver that this project ships.

    Raises:
        ValueError: not `sqlite:///path`, `sqlite+aiosqlite:///path`, `postgresql://…` or `postgresql+asyncpg://…`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # SQLAlchemy's own words repeat the URL, which may hold a password.
        raise ValueError("not a database URL: use sqlite:///path or postgresql://host/name") from None
    backend = parsed.drivername.split("+")[0]
    if backend not in _DRIVERS:
        raise ValueError(f"no ledger runs on {backend!r}: use sqlite:///path or postgresql://host/name")
    if backend == "sqlite" and (parsed.database in (None, "", ":memory:") or str(parsed.database).startswith("file:")):
        raise ValueError("a ledger is a file: use sqlite:///path")
    return parsed.set(drivername=_DRIVERS[backend])


def open_engine(
    url: str,
    *,
    busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
    command_timeout_seconds: float | None = _COMMAND_TIMEOUT_SECONDS,
    creates: bool = False,
) -> AsyncEngine:
    """An engine for one database; nothing is connected yet. Only one that `creates` makes a missing SQLite file.

    Raises:
        ValueError: see `async_url`.
    """
    parsed = async_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_async_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=10,
            connect_args={"timeout": _CONNECT_TIMEOUT_SECONDS, "command_timeout": command_timeout_seconds},
        )
    engine = create_async_engine(
        parsed,
        hide_parameters=True,
        pool_size=5,
        max_overflow=10,
        connect_args={"timeout": busy_timeout_seconds, "async_creator_fn": sqlite_connection.connect},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    _files[engine.sync_engine] = _watch(engine, SqliteFile(Path(str(parsed.database)), creates=creates))
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def file_of(engine: AsyncEngine) -> SqliteFile | None:
    """The file behind an engine on SQLite; None on PostgreSQL."""
    return _files.get(engine.sync_engine)


_groups: WeakKeyDictionary[Engine, WriteGroup] = WeakKeyDictionary()
_files: WeakKeyDictionary[Engine, SqliteFile] = WeakKeyDictionary()


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction that may write, committed at the end and undone whole on any error.

    Raises:
        LedgerConflictError: the schema's own uniqueness refused it; reached only when two writers race.
        LedgerLostError: the file on disk is no longer the one that this process opened.
        LedgerDamagedError: SQLite calls the file damaged.
        LedgerUnavailableError: the database is away or locked.
        LedgerError: the database refused a value.
    """
    with _without_values():
        if engine.dialect.name != "sqlite":
            async with engine.begin() as connection:
                yield connection
            return
        # SQLite has one writer at a time and lets the others poll: within a process they queue instead, in order.
        async with _groups.setdefault(engine.sync_engine, WriteGroup()).step(engine) as connection:
            yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction that only reads; on SQLite it neither waits for the writer nor keeps it waiting.

    Raises:
        LedgerUnavailableError: the database is away.
    """
    with _without_values():
        async with engine.execution_options(**{_BEGIN: "BEGIN"}).connect() as connection:
            yield connection


async def empty_write_ahead_log(engine: AsyncEngine) -> None:
    """Let SQLite's -wal file forget what was deleted; nothing on PostgreSQL.

    As far as nobody reads at this moment: a long read must not keep a payment waiting. The next call does the rest.
    """
    if engine.dialect.name != "sqlite":
        return
    with _without_values():
        async with engine.execution_options(**{_BEGIN: ""}).connect() as connection:
            await connection.exec_driver_sql("PRAGMA busy_timeout=100")
            try:
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                await connection.exec_driver_sql(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_SECONDS * 1000)}")


@contextmanager
def _without_values() -> Iterator[None]:
    """Turn a driver's error into one of the ledger's, unchained: PostgreSQL puts whole rows into its details."""
    try:
        yield
    except IntegrityError as error:
        raise _refused(error) from None
    except DBAPIError as error:
        raise _failed(error) from None
    except SQLAlchemyError as error:
        # A pool that is exhausted, or a value that a column type refused before it was sent.
        if isinstance(error.__cause__, ValueError | TypeError):
            raise LedgerError(f"a value cannot be stored: {error.__cause__}") from None
        raise LedgerUnavailableError(f"the database cannot be used: {type(error).__name__}") from None
    except OverflowError:
        raise LedgerError("a number is too large for the database") from None
    except OSError as error:
        # asyncpg raises the socket's own error, and TimeoutError, while it connects or waits.
        raise LedgerUnavailableError(f"the database does not answer: {type(error).__name__}") from None


def _refused(error: IntegrityError) -> LedgerError:
    driver = error.orig.__cause__ if error.orig is not None and error.orig.__cause__ else error.orig
    rule = getattr(driver, "constraint_name", None) or str(driver).partition(": ")[2] or type(driver).__name__
    sqlite_name = getattr(driver, "sqlite_errorname", "")
    unique = getattr(driver, "sqlstate", None) == _UNIQUE_VIOLATION or sqlite_name.endswith(("_UNIQUE", "_PRIMARYKEY"))
    if unique:
        return LedgerConflictError(f"the step contradicts what another writer has just written: {rule}")
    return LedgerError(f"the schema refuses the step: {rule}")


def _failed(error: DBAPIError) -> LedgerError:
    sqlstate = str(getattr(error.orig, "sqlstate", None) or "")
    name = getattr(error.orig, "sqlite_errorname", None) or sqlstate or type(error.orig).__name__
    if name.startswith(_DAMAGED):
        return LedgerDamagedError(f"the database file is damaged ({name}): restore a backup, docs/runbooks/backup.md")
    if name.startswith("SQLITE_BUSY"):
        return LedgerLockedError(f"the database is locked: {name}")
    away = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    if (away and not sqlstate) or sqlstate.startswith(_RETRYABLE_SQLSTATES):
        return LedgerUnavailableError(f"the database is away or locked: {name}")
    return LedgerError(f"the database refuses the statement: {name}")


def _watch(engine: AsyncEngine, file: SqliteFile) -> SqliteFile:
    """Let every connection be one to the same file, and every transaction begin by making sure that it still is."""

    def create(_dialect: object, record: ConnectionPoolEntry, _arguments: list[Any], _options: dict[str, Any]) -> None:
        record.info[_FILE] = file.before_opening()

    def note_log(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_LOG] = file.opened(record.info[_FILE])

    def check(connection: Connection) -> None:
        file.check(connection.info[_LOG])

    event.listen(engine.sync_engine, "do_connect", create)
    event.listen(engine.sync_engine, "connect", note_log)
    event.listen(engine.sync_engine, "begin", check)
    return file


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions of its own: a deferred one that turns into a write fails at once
    # when another writer is there, whatever the timeout (reliability.md F57).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    # The first read opens the log.
    cursor.execute("SELECT count(*) FROM sqlite_master")
    cursor.fetchall()
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    if statement := connection.get_execution_options().get(_BEGIN, sqlite_connection.BEGIN_TO_WRITE):
        connection.exec_driver_sql(statement)
