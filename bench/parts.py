"""The parts of the local stack under measurement: their processes, what each has used of a core, when they rest."""

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from temporalio.client import Client

from api.processes import AUTHORIZATION, LocalStack, choose_ports
from billing.temporal import connect

CARD = {"card_number": "4518-4212-3456-1234", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
PLAN = {"name": "월간 이용권", "amount": 9900, "interval": "month"}

Answer = TypeVar("Answer")

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS, _RESTS_BELOW, _LOOKS_AT_REST, _REST_LIMIT_SECONDS = 0.5, 0.15, 3, 30.0


def cpu_seconds(pid: int) -> float:
    """What a process has used of a core since it began, user and system (Linux: `/proc`)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@dataclass(slots=True)
class Parts:
    """A local stack that runs, and whoever asks it.

    `others` are processes beside the stack's own that are counted too, by name. `idle` is what each uses of a core
    while nobody asks anything.
    """

    stack: LocalStack
    temporal: Client
    http: aiohttp.ClientSession
    others: dict[str, int] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)

    def pids(self) -> dict[str, int]:
        """Every process that is counted, by name."""
        own: dict[str, int] = json.loads((self.stack.folder / "processes.json").read_text(encoding="utf-8"))
        return {**own, **self.others}

    def cpu(self) -> dict[str, float]:
        """What each has used so far, in seconds."""
        return {name: cpu_seconds(pid) for name, pid in self.pids().items()}

    async def rest(self) -> None:
        """Return once nobody works any more: what follows a last answer is part of what it costs."""
        calm, begun = 0, time.monotonic()
        while calm < _LOOKS_AT_REST and time.monotonic() - begun < _REST_LIMIT_SECONDS:
            before = sum(self.cpu().values())
            await asyncio.sleep(_LOOK_SECONDS)
            calm = calm + 1 if sum(self.cpu().values()) - before < _RESTS_BELOW * _LOOK_SECONDS else 0

    async def measure_idle(self, seconds: float = 10.0) -> None:
        """Learn what polls and sweeps use, so that a measurement that takes longer does not count more of them."""
        await self.rest()
        before = self.cpu()
        await asyncio.sleep(seconds)
        self.idle = {name: (used - before[name]) / seconds for name, used in self.cpu().items()}

    async def used_ms(self, work: int, working: Awaitable[Answer]) -> tuple[dict[str, float], Answer]:
        """Milliseconds of CPU for each unit of work, by process, until all rest again; beyond what they use idle."""
        await self.rest()
        begun, before = time.monotonic(), self.cpu()
        answer = await working
        await self.rest()
        seconds, after = time.monotonic() - begun, self.cpu()
        used = {name: after[name] - before[name] - self.idle.get(name, 0.0) * seconds for name in before}
        return {name: round(each * 1000 / work, 2) for name, each in used.items()}, answer

    async def start(self, customer_uid: str, **more: Any) -> tuple[int, float]:
        """Start a subscription by card; answers the HTTP status and how many seconds it took."""
        body = {
            "customer_uid": customer_uid,
            "plan": PLAN,
            "payment_method": {"card": CARD},
            "customer": {"id": customer_uid, "name": "홍길동"},
            **more,
        }
        begun = time.monotonic()
        async with self.http.post(f"{self.stack.api_url}/v1/subscriptions", json=body, headers=AUTHORIZATION) as answer:
            await answer.read()
            return answer.status, time.monotonic() - begun

    async def emulator(self, path: str) -> Any:
        """What the emulator says of itself, under `/emulator`."""
        async with self.http.get(f"{self.stack.emulator_url}/emulator/{path}") as answer:
            return await answer.json()

    def ledger(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the ledger; read beside the processes that write it."""
        path = self.stack.folder / "ledger.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
            return database.execute(query, values).fetchall()


@contextlib.asynccontextmanager
async def running_parts(folder: Path, settings: Mapping[str, str] | None = None) -> AsyncIterator[Parts]:
    """Temporal, emulator, worker and api as `gudok up` runs them, on free ports, with an empty folder."""
    ports = choose_ports(folder, wanted={}, preferred=None)
    stack = LocalStack(folder=folder, ports=ports, say=print, settings=settings or {}, fresh=True)
    patient = aiohttp.ClientTimeout(total=600)
    async with stack.running():
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=patient) as http:
            parts = Parts(stack, await connect(stack.address), http)
            await parts.rest()
            yield parts
