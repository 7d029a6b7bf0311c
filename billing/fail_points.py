"""Named places in our own code where a process can be made to die, or to stand still: for whoever breaks it on purpose.

Nothing at all unless `GUDOK_FAIL_POINTS` names a folder, and never in production mode: both are read once, at import,
and a place that is off asks for `ARE_ON` and goes on. A file of the folder arms one place once, for whom it names.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

VARIABLE = "GUDOK_FAIL_POINTS"
ACTS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
"""What a process does to itself there."""

_PARTS = 4


def folder_of(environment: "os._Environ[str] | dict[str, str]") -> Path | None:
    """The folder that arms places; None where nothing may be armed: without the variable, and in production."""
    named = environment.get(VARIABLE)
    return Path(named) if named and environment.get("GUDOK_MODE") in ("local", "test") else None


def arm(folder: Path, point: str, act: str, whom: str, number: int) -> Path:
    """Arm a place once, for the first process that comes there on behalf of `whom` (a name's beginning; all if empty).

    Answers the file that stands for it: it is renamed to `.taken.PID` by the process that takes it, before it acts.
    """
    path = folder / "@".join((quote(point, safe=""), act, quote(whom, safe=""), str(number)))
    path.touch()
    return path


class FailPoints:
    """The places of one process.

    Args:
        folder: of the files that arm them.
        act: what is done with the number of a signal: to this process.
    """

    def __init__(self, folder: Path, act: Callable[[int], None]) -> None:
        self._folder = folder
        self._act = act

    def reach(self, point: str, *names: str) -> None:
        """Die or stand still here, where that was armed for one of these names."""
        for path in sorted(self._folder.glob(f"{glob_safe(point)}@*")):
            parts = path.name.split("@")
            if len(parts) != _PARTS or ".taken." in path.name:
                continue
            _, act, whom, _ = map(unquote, parts)
            if whom and not any(name.startswith(whom) for name in names):
                continue
            try:
                path.rename(path.with_name(f"{path.name}.taken.{os.getpid()}"))
            except FileNotFoundError:
                continue  # another process was first
            self._act(ACTS[act])
            return


def glob_safe(point: str) -> str:
    """The name of a place as the beginning of a file's name."""
    return quote(point, safe="")


_FOLDER = folder_of(os.environ)

ARE_ON = _FOLDER is not None
"""Whether anything can be armed in this process; a place asks before it does anything else."""

_HERE = FailPoints(_FOLDER, lambda number: os.kill(os.getpid(), number)) if _FOLDER is not None else None


def reach(point: str, *names: str) -> None:
    """Come to a place on behalf of these customers, orders or lives."""
    if _HERE is not None:
        _HERE.reach(point, *names)
