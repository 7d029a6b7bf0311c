"""The file behind a ledger on SQLite: made once for its owner alone, and the same one for as long as it is open.

Nothing of this project opens the file, its `-wal` or its `-shm` beside SQLite: POSIX drops every lock that a process
holds on a file when the process closes any descriptor of it, and a process without its locks is overlooked by the next
one that closes the database and deletes the log. Files are looked at by `stat` alone.
Source: https://sqlite.org/howtocorrupt.html, section 2.2.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from billing.ledger.errors import LedgerLostError, LedgerUnavailableError

OWNER_ONLY = 0o600
_LOOK_SECONDS = 5.0

Identity = tuple[int, int] | None
"""Device and inode of a file; None when there is none."""


class SqliteFile:
    """One database file as one process has it open.

    `lost` is set when the file or its log is no longer the one that was opened: what this process would write or read
    from then on is not what other processes see.
    """

    def __init__(self, path: Path, *, creates: bool) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}-wal")
        self.lost = asyncio.Event()
        self._creates = creates
        self._opened: Identity = None

    def before_opening(self) -> Identity:
        """Which file a connection is about to open; made first, its owner's alone, where there is none and it may be.

        SQLite gives its other files the same mode.

        Raises:
            LedgerLostError: it is another than this process had open, or gone: an empty one would hide the loss.
            LedgerUnavailableError: there is none.
        """
        if self._creates and self._opened is None:
            self._create()
        now = identity(self.path)
        if self._opened is not None:
            self.compare(self._opened, now)
        elif now is None:
            raise LedgerUnavailableError(f"there is no ledger at {self.path}: `gudok db upgrade` makes one")
        return now

    def expect(self) -> None:
        """Take the file that is on disk now for the one that every connection of this process has to open."""
        if self._opened is None:
            self._opened = identity(self.path)

    async def until_lost(self) -> None:
        """Return once the file is found lost: by a transaction, or by a look now and then where there is none."""
        while not self.lost.is_set():
            if self._opened is not None and identity(self.path) != self._opened:
                self.lost.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.lost.wait(), _LOOK_SECONDS)

    def _create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive: a file that is there is not opened, so none of its locks can be dropped by closing it.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))

    def opened(self, before: Identity) -> Identity:
        """Note that a connection has opened the file; answers which log it has, to be compared with later.

        Raises:
            LedgerLostError: the file changed while it was being opened, or is another than earlier connections have.
        """
        now = identity(self.path)
        self.compare(before, now)
        if self._opened is None:
            self._opened = now
        self.compare(self._opened, now)
        return identity(self.log)

    def check(self, log: Identity) -> None:
        """Raise unless file and log on disk are those that a connection has open.

        Raises:
            LedgerLostError: one of them was replaced, moved or deleted.
        """
        self.compare(self._opened, identity(self.path))
        self.compare(log, identity(self.log))

    def compare(self, had: Identity, found: Identity) -> None:
        """Raise, for good, unless two identities are the same.

        Raises:
            LedgerLostError: they differ, or a difference was found earlier.
        """
        if had != found:
            self.lost.set()
        if (loss := self.loss) is not None:
            raise loss

    @property
    def loss(self) -> LedgerLostError | None:
        """What to say of a file that is lost; None while it is not."""
        if not self.lost.is_set():
            return None
        return LedgerLostError(
            f"{self.path} or its -wal file was replaced, moved or deleted while this process had it open; "
            "nothing more is written by this process: start it again"
        )


def identity(path: Path) -> Identity:
    """Which file a path names now, without opening it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def holders_of_deleted(path: Path) -> Iterator[tuple[int, str]]:
    """Processes that have this ledger's file, or a file beside it, open although it is deleted: `(pid, file name)`.

    Each of them goes on with data that no other process sees. Linux alone tells (`/proc`); elsewhere nothing is found.
    """
    gone = {f"{path.resolve()}{ending} (deleted)" for ending in ("", "-wal", "-shm")}
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            name = str(entry.readlink())
        except OSError:
            continue
        if name in gone:
            yield int(entry.parts[2]), Path(name.removesuffix(" (deleted)")).name
