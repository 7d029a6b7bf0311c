"""Applying mutants: each to a copy of the tree, never to the checkout, and then its catcher alone is run there."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

from chaos.mutants.checking import catcher_is_gone, text_is_gone
from chaos.mutants.mutant import Mutant

TEST_SECONDS = 120
"""A test that takes longer has been waiting for what the mutant keeps from coming."""

_FAILED = 1
"""pytest's exit code where tests ran and failed; every other one says that they did not run."""

_PROCESS_SECONDS = 5 * TEST_SECONDS

_ticks = count(1)


class Outcome(StrEnum):
    """What became of a mutant.

    CAUGHT: its catcher fails. ALIVE: its catcher passes, so nothing notices it. STALE: it does not fit the tree any
    more. UNTOLD: its catcher did not run, or fails without it too, so nothing is known.
    """

    CAUGHT = "caught"
    ALIVE = "alive"
    STALE = "stale"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one mutant, in how many seconds, and the words that say why."""

    mutant: Mutant
    outcome: Outcome
    seconds: float
    why: str

    def as_json(self) -> dict[str, object]:
        """As it is kept in the report."""
        told = {"outcome": self.outcome.value, "seconds": round(self.seconds, 1), "why": self.why}
        return {**asdict(self.mutant), **told}


@contextmanager
def a_copy(root: Path) -> Iterator[Path]:
    """A copy of what git knows of the checkout, and of what is new in it, for as long as it is used."""
    with tempfile.TemporaryDirectory(prefix="gudok-mutants-") as folder:
        copy = Path(folder) / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
            cwd=root, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            source, target = root / name, copy / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        yield copy


def try_each(
    root: Path, mutants: Sequence[Mutant], tell: Callable[[Tried], None], *, are_green: bool = False
) -> list[Tried]:
    """Try every mutant; a catcher that fails in the unbroken tree proves nothing, and is run there first.

    With `are_green` the caller has just seen all of them pass.
    """
    tried = []
    with a_copy(root) as copy:
        sound: dict[str, str | None] = {mutant.caught_by: None for mutant in mutants} if are_green else {}
        for mutant in mutants:
            one = _try(copy, mutant, sound)
            tried.append(one)
            tell(one)
    return tried


def _try(copy: Path, mutant: Mutant, sound: dict[str, str | None]) -> Tried:
    begun = time.monotonic()

    def told(outcome: Outcome, why: str) -> Tried:
        return Tried(mutant, outcome, time.monotonic() - begun, why)

    gone = text_is_gone(copy, mutant) or catcher_is_gone(copy, mutant)
    if gone is not None:
        return told(Outcome.STALE, gone)
    if mutant.caught_by not in sound:
        sound[mutant.caught_by] = _why_unsound(copy, mutant.caught_by)
    unsound = sound[mutant.caught_by]
    if unsound is not None:
        return told(Outcome.UNTOLD, unsound)
    begun = time.monotonic()
    with _applied(copy, mutant):
        code, said = _run(copy, mutant.caught_by)
    if code == _FAILED:
        return told(Outcome.CAUGHT, _reason(said))
    if code == 0:
        return told(Outcome.ALIVE, "its catcher passes")
    return told(Outcome.UNTOLD, f"its catcher did not run (exit code {code}): {_reason(said)}")


@contextmanager
def _applied(copy: Path, mutant: Mutant) -> Iterator[None]:
    file = copy / mutant.file
    whole = file.read_text()
    _put(file, whole.replace(mutant.text, mutant.replacement))
    try:
        yield
    finally:
        _put(file, whole)


def _put(file: Path, text: str) -> None:
    """Written at another second each time: Python knows a compiled module by that and by its size."""
    file.write_text(text)
    at = time.time() + next(_ticks)
    os.utime(file, (at, at))


def _why_unsound(copy: Path, node_id: str) -> str | None:
    code, said = _run(copy, node_id)
    return None if code == 0 else f"its catcher fails without it too (exit code {code}): {_reason(said)}"


def _run(copy: Path, node_id: str) -> tuple[int, str]:
    """The catcher in the copy, whose modules come before those of the checkout that is installed."""
    command = [
        *(sys.executable, "-m", "pytest", "-n", "0", "-q", "-x", "-m", "not soak", "--no-header", "--tb=line"),
        # A test that hangs is ended with its process: what it waits for would keep its fixtures, too.
        *("-p", "no:cacheprovider", "--timeout", str(TEST_SECONDS), "--timeout-method", "thread", node_id),
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Into a file: a server that a killed test leaves behind would keep a pipe open.
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=copy, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(_PROCESS_SECONDS)
        except subprocess.TimeoutExpired:
            return _FAILED, "E   it did not end"
        finally:
            # Servers that the test had started are in its group.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        return code, said.read()


def _reason(said: str) -> str:
    """The line of pytest's that says what failed."""
    lines = [line.strip() for line in said.splitlines()]
    told = [line for line in lines if line.startswith("E  ") or "Error: " in line or "Failed: " in line]
    if any("+ Timeout +" in line for line in lines):
        told.append(f"it had not ended after {TEST_SECONDS} s")
    return (told[0] if told else next((line for line in reversed(lines) if line), "nothing was said"))[:200]
