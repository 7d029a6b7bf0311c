"""The parts that `gudok up` and `gudok demo` run, each a process of its own, started again when it dies."""

import asyncio
import contextlib
import ctypes
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

from api.data_folder import (
    OWNER_ONLY,
    FolderInUseError,
    claimed,
    empty,
    log_of,
    make_private_folder,
    open_log,
    write_private,
)
from api.parts import LocalStackError, Part, api_part, emulator_part, last_words, temporal_part, worker_part
from api.ports import Ports, choose_ports, free_port, listen_on, remember_ports
from billing.settings import LOCAL_API_KEY

__all__ = ["AUTHORIZATION", "LocalStack", "LocalStackError", "choose_ports", "stop_leftovers"]

RESTART_SECONDS = 0.5
READY_SECONDS = 180.0
"""On a machine that does much else, a part takes a minute to begin."""

MOST_ENDS = 3
"""How often a part may end before it is ready: a port that was taken goes by, a setting that is wrong does not."""

STOP_SECONDS = 40.0
"""A little more than a worker's own time to finish what it is doing."""

AUTHORIZATION = {"Authorization": f"Bearer {LOCAL_API_KEY}"}

_PR_SET_PDEATHSIG = 1
_TOLD_THE_ADDRESS = ("worker", "api")

Say = Callable[[str], None]


@dataclass(slots=True)
class LocalStack:
    """Temporal with its UI, the emulator, a worker and the api, with all their data in one folder.

    `ports` is where they would like to listen, and, once it runs, where they do. `fresh` forgets all data first.
    """

    folder: Path
    ports: Ports
    say: Say
    temporal_address: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
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
        """Everything runs and does its work; a part that dies is started again; at the end all are stopped.

        Raises:
            LocalStackError: another stack runs on the folder; or a part does not come to do its work: the message has
                the end of its log.
        """
        make_private_folder(self.folder)
        with contextlib.ExitStack() as sockets:
            sockets.enter_context(self._claimed())
            stop_leftovers(self.folder)
            if self.fresh:
                empty(self.folder)
            emulator, api = (sockets.enter_context(self._listen(name)) for name in ("emulator", "api"))
            try:
                if self.temporal_address is None:
                    # Those who ask Temporal are told its address when they start, so its ports come first.
                    await self._begin(temporal_part(self.folder, lambda: self.ports))
                remember_ports(self.folder, self.ports)
                await self._begin(
                    emulator_part(self.folder, emulator), worker_part(lambda: self.address), api_part(api)
                )
                yield self
            finally:
                await self._stop()

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[None]:
        try:
            with claimed(self.folder):
                yield
        except FolderInUseError:
            raise LocalStackError(
                f"another `gudok up` or `gudok demo` runs on {self.folder}: stop it, or give another folder with --data"
            ) from None

    def _listen(self, name: str) -> socket:
        wished = getattr(self.ports, name)
        found = listen_on(wished)
        self._moved(name, wished, found.getsockname()[1])
        return found

    def _moved(self, name: str, wished: int, port: int) -> None:
        self.ports = dataclasses.replace(self.ports, **{name: port})
        if wished not in (0, port):
            self.say(f"port {wished} is taken by something else: {name} gets {port}")

    async def _begin(self, *parts: Part) -> None:
        """Start them side by side, and wait until each does its work."""
        for part in parts:
            await self._start(part)
            self._parts.append(part)
            self._watchers.append(asyncio.create_task(self._watch(part)))
        for part in parts:
            await self._ready(part)

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
        if part.name == "temporal":
            self._find_ports_for_temporal()
        with open_log(self.folder, part.name) as log:
            part.log_begins = log.tell()
            part.process = await asyncio.create_subprocess_exec(
                *part.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                pass_fds=() if part.listens is None else (part.listens.fileno(),),
                umask=OWNER_ONLY,
                # Ctrl-C reaches this process alone, which then stops the parts one after the other.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        _remember(self.folder, {each.name: each.process.pid for each in (*self._parts, part) if each.process})

    def _find_ports_for_temporal(self) -> None:
        """Ports that are free now; where it had others before, those who were told of them are started again."""
        before = self.ports
        for name in ("temporal", "temporal_ui"):
            others = {port for other, port in dataclasses.asdict(self.ports).items() if other != name}
            wished = getattr(self.ports, name)
            self._moved(name, wished, free_port(wished, besides=others))
        if self.ports != before and (told := [part for part in self._parts if part.name in _TOLD_THE_ADDRESS]):
            remember_ports(self.folder, self.ports)
            for part in told:
                if part.process is not None and part.process.returncode is None:
                    part.process.terminate()

    async def _watch(self, part: Part) -> None:
        while part.process is not None:
            code = await part.process.wait()
            if self._stopping:
                return
            part.ends += 1
            how = f"killed by signal {-code}" if code < 0 else f"ended with {code}"
            self.say(f"{part.name} was {how}; starting it again (log: {log_of(self.folder, part.name)})")
            await asyncio.sleep(RESTART_SECONDS)
            await self._start(part)

    async def _ready(self, part: Part) -> None:
        loop = asyncio.get_running_loop()
        limit = loop.time() + READY_SECONDS
        while not await part.is_ready():
            for watcher in self._watchers:
                if watcher.done():
                    # It ends by itself only when a part could not be started at all.
                    watcher.result()
            if part.ends >= MOST_ENDS or loop.time() > limit:
                how = (
                    f"ended {part.ends} times"
                    if part.ends >= MOST_ENDS
                    else f"is not ready after {READY_SECONDS:.0f} s"
                )
                words = last_words(self.folder, part)
                raise LocalStackError(f"{part.name} {how}; the end of {log_of(self.folder, part.name)}:\n{words}")
            await asyncio.sleep(0.1)
        part.ends = 0

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
            finally:
                if part.listens is not None:
                    # Nobody answers there any more: those who still ask are to be told so.
                    part.listens.close()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        _remember(self.folder, {})


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
    write_private(folder / "processes.json", json.dumps(pids))


def _die_with_parent() -> None:
    """Linux: a part is told to stop when this process is killed, so that nothing holds its files and ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
