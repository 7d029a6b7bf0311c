"""The folder that the local stack keeps its data in: buyers' names are in it, so it is its owner's alone."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

OWNER_ONLY = 0o077
"""The umask of everything that writes there: nothing for the group, nothing for others."""

_FOLDER, _FILE = 0o700, 0o600
_DATABASES = ("temporal.db", "emulator.db", "ledger.db")


class FolderInUseError(Exception):
    """Another process works on the folder."""


def make_private_folder(folder: Path) -> None:
    """Make the folder, and those above it that are missing, for the owner alone.

    One that an earlier version made more open, with the files in it, is closed; one that holds anything else keeps
    its own mode, since it may be a folder of others.
    """
    if not folder.exists():
        for parent in reversed(folder.parents):
            parent.mkdir(mode=_FOLDER, exist_ok=True)
        folder.mkdir(mode=_FOLDER, exist_ok=True)
        return
    ours = [folder / name for name in ("ports.json", "processes.json", "logs")]
    ours += [*(folder / "logs").glob("*.log"), *(path for name in _DATABASES for path in folder.glob(f"{name}*"))]
    found = [path for path in ours if path.exists()]
    if found or not any(folder.iterdir()):
        for path in (folder, *found):
            path.chmod(_FOLDER if path.is_dir() else _FILE)


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep the folder for this process until the block ends, or the process does; Windows keeps none.

    Raises:
        FolderInUseError: another process has it.
    """
    held = os.open(folder, os.O_RDONLY)
    try:
        if sys.platform != "win32":
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise FolderInUseError(folder) from None
    finally:
        os.close(held)


def empty(folder: Path) -> None:
    """Delete everything in the folder; it itself stays, with whoever has claimed it."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_private(path: Path, text: str) -> None:
    """Write a file whole, for the owner alone; who reads it at the same moment reads the old one or the new one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE), "w") as file:
        file.write(text)
    draft.replace(path)


def open_log(folder: Path, name: str) -> BinaryIO:
    """The log of a part, to be written on at its end."""
    logs = folder / "logs"
    logs.mkdir(mode=_FOLDER, exist_ok=True)
    return os.fdopen(os.open(log_of(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, _FILE), "ab")


def log_of(folder: Path, name: str) -> Path:
    """Where the log of a part is."""
    return folder / "logs" / f"{name}.log"
