"""Copies of a ledger on SQLite, made through SQLite while the ledger is in use, and put back when it is not.

A copy of the file made beside SQLite (`cp`, `tar`, a snapshot of one file) lacks what is still in the `-wal`, and may
hold pages of two moments. PostgreSQL has its own tools: `pg_dump`, or its continuous archiving.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from billing.ledger.engine import async_url
from billing.ledger.errors import LedgerError, LedgerUnavailableError
from billing.ledger.sqlite_file import OWNER_ONLY

_SQLITE = "sqlite"
_LOCK_SECONDS = 10.0


class BackupError(LedgerError):
    """There is no backup, or it was not put back; the ledger is as it was."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was read through from end to end: where it is, its bytes, and the migration of its schema."""

    path: Path
    size_bytes: int
    migration: str


def back_up(url: str, path: Path) -> Backup:
    """Copy the ledger as it is at one moment to a new file of the owner's alone, while others read and write it.

    Cards in the one-time vault are left out: they live for minutes, and a backup for years.

    Raises:
        BackupError: not a SQLite file, no ledger there, `path` exists, or the copy is not whole.
        LedgerUnavailableError: the file cannot be read now.
    """
    source = _file(url)
    if not source.exists():
        raise BackupError(f"there is no ledger at {source}")
    if path.exists():
        raise BackupError(f"{path} exists; a backup never replaces a file")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
        _copy(source, unfinished)
        inspect(unfinished)
        unfinished.rename(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise LedgerUnavailableError(f"no backup was made: {_reason(error)}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return inspect(path)


def _copy(source: Path, target: Path) -> None:
    with closing(_open(source)) as ledger:
        ledger.execute("VACUUM INTO ?", (str(target),))
    with closing(_open(target)) as copy:
        # A backup is one file: in WAL mode, opening it would make a log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        copy.execute("PRAGMA secure_delete=ON")
        copy.execute("DELETE FROM card_vault")
        copy.execute("VACUUM")


def inspect(path: Path) -> Backup:
    """Read a backup through from end to end.

    Raises:
        BackupError: it is damaged, or not a ledger.
    """
    if not path.is_file():
        raise BackupError(f"there is no backup at {path}")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            ((verdict,), *_) = copy.execute("PRAGMA integrity_check").fetchall()
            ((migration,),) = copy.execute("SELECT version_num FROM alembic_version").fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise BackupError(f"{path} is no backup of a ledger: {_reason(error)}") from None
    if verdict != "ok":
        raise BackupError(f"{path} is damaged: {verdict}")
    return Backup(path, path.stat().st_size, migration)


def restore(url: str, path: Path) -> Backup:
    """Put a backup in the place of the ledger, in one transaction of SQLite's, while nobody else has it open.

    What happened since the backup is known to PortOne and the workflows alone: see docs/runbooks/backup.md.

    Raises:
        BackupError: not a SQLite file, or the backup is damaged or no ledger.
        LedgerUnavailableError: somebody has the ledger open.
    """
    target = _file(url)
    backup = inspect(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
    try:
        with closing(_open(target)) as ledger:
            _require_alone(ledger, target)
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as copy:
                copy.backup(ledger)
    except sqlite3.Error as error:
        raise LedgerUnavailableError(f"the backup was not put back: {_reason(error)}") from None
    return backup


def _require_alone(ledger: sqlite3.Connection, target: Path) -> None:
    # Only the one connection there is can leave WAL mode, which folds the log into the file and deletes it.
    try:
        ledger.execute("PRAGMA busy_timeout=200")
        ledger.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise LedgerUnavailableError(f"{target} is in use: stop whatever has it open first") from None
        raise BackupError(f"{target} is damaged: move it and its -wal and -shm away, and restore again") from None


def _file(url: str) -> Path:
    parsed = async_url(url)
    if parsed.get_backend_name() != _SQLITE:
        raise BackupError("PostgreSQL is backed up with its own tools: pg_dump, or continuous archiving")
    return Path(str(parsed.database))


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None)


def _reason(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", None) or str(error) or type(error).__name__
