"""The emulator at size: `gudok bench emulator`.

A million schedules are registered over HTTP, ten thousand of them come due in the same minute, and a receiver on this
machine counts their webhooks. With a state file a second minute follows, in the middle of which the emulator is killed.
The emulator is a process of its own, so that its memory is what is stated.
"""

import asyncio
import contextlib
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[1]
KEY = {
    "imp_key": "imp_apikey",
    "imp_secret": "ekKoeW8RyKuT0zgaZsUtXXTLQ4AhPFW3ZGseDA6bkA5lamv9OqDMnxyeB9wqOsuO9W3Mx9YSJ4dTqJ3f",
}
CARD = {"card_number": "4518-4212-3456-7890", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
DAY = 86_400
PER_KEY, PER_MINUTE = 50, 60
FIRST_MINUTE, SECOND_MINUTE, OTHERS = 1, 2, range(10, 80)
"""The days on which the two minutes lie, and those on which everything else is due."""
PROBES, CALLERS = 100, 8
SMALL = 2_000
PATIENCE_SECONDS = 900

_SERVER = """
import socket, sys
from pathlib import Path
import uvicorn
from billing.emulator import EmulatorSettings, create_emulator
listener = socket.create_server(("127.0.0.1", 0))
state = Path(sys.argv[1]) if sys.argv[1] else None
app = create_emulator(EmulatorSettings(state_file=state, webhook_url=sys.argv[2]))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])
"""

Progress = Callable[[str], None]


@dataclass(slots=True)
class Receiver:
    """Counts every webhook by order number."""

    url: str = ""
    arrived: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """One webhook."""
        self.arrived[(await request.json())["merchant_uid"]] += 1
        self.changed.set()
        return web.Response()

    async def have(self, orders: list[str], count: int) -> None:
        """Wait until so many of these orders have been told of."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum(1 for order in orders if order in self.arrived) < count:
                self.changed.clear()
                await self.changed.wait()
                # Looking costs more than taking: thousands arrive between two looks.
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port of this machine."""
        app = web.Application()
        app.router.add_post("/hook", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        try:
            yield
        finally:
            await runner.cleanup()


class Emulator:
    """One emulator process on a port of its own."""

    def __init__(self, state_file: Path | None, webhook_url: str) -> None:
        self._arguments = (str(state_file or ""), webhook_url)
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None
        self._headers: dict[str, str] = {}
        self.url = ""

    async def start(self) -> float:
        """Start, and answer after how many seconds the first call was answered."""
        begun = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SERVER, *self._arguments, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(await self._process.stdout.readline())}"
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        self._http = aiohttp.ClientSession(self.url, timeout=timeout, connector=aiohttp.TCPConnector(limit=CALLERS * 2))
        await self.control("GET", "clock")
        return time.monotonic() - begun

    async def kill(self) -> None:
        """Kill -9."""
        if self._http is not None:
            await self._http.close()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    def megabytes(self, name: str = "VmRSS") -> int:
        """Memory of the process, or with VmHWM the most it has held."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) // 1024

    async def log_in(self) -> None:
        """Take a token; a clock that was moved has ended the one before."""
        answer = await self._call("POST", "/users/getToken", json=KEY)
        self._headers = {"Authorization": f"Bearer {answer['response']['access_token']}"}

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """One call of PortOne's; anything but a success ends the bench."""
        answer = await self._call(method, path, headers=self._headers, **options)
        assert answer["code"] == 0, answer
        return answer["response"]

    async def control(self, method: str, path: str, **options: Any) -> Any:
        """One call of the emulator's own."""
        return await self._call(method, f"/emulator/{path}", **options)

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        assert self._http is not None
        async with self._http.request(method, path, **options) as answer:
            return await answer.json()


@dataclass(slots=True)
class Figures:
    """What is printed at the end; `lost` and `twice` must be 0."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    lost: int = 0
    twice: int = 0

    def add(self, what: str, figure: str) -> None:
        """One line of the table."""
        self.rows.append((what, figure))

    @property
    def clean(self) -> bool:
        """Whether every webhook arrived, and no order was charged twice."""
        return not self.lost and not self.twice

    def table(self, title: str) -> Table:
        """The figures as a table."""
        table = Table(title=title, title_justify="left", show_header=False)
        for what, figure in self.rows:
            table.add_row(what, figure)
        return table


class Bench:
    """One run: fill, look up, let a minute come due, kill."""

    def __init__(self, emulator: Emulator, receiver: Receiver, count: int, due: int, say: Progress) -> None:
        self._emulator = emulator
        self._receiver = receiver
        self._count = count
        self._due = due
        self._say = say
        self._begin = 0
        self.figures = Figures()

    async def fill(self) -> None:
        """Register `count` schedules, `due` of them in the first minute; compare look-ups when few with when all."""
        await self._emulator.log_in()
        clock = await self._emulator.control("GET", "clock")
        self._begin = int(_unix(clock["now"]))
        empty = self._emulator.megabytes()
        await self._register_minute("a", FIRST_MINUTE)
        others = range((self._count - self._due) // PER_KEY)
        few = min(SMALL // PER_KEY, len(others))
        begun = time.monotonic()
        await self._register_others(others[:few])
        first_rate = few * PER_KEY / (time.monotonic() - begun)
        small = await self._look_ups()
        slices = [
            others[few + (len(others) - few) * n // 10 : few + (len(others) - few) * (n + 1) // 10] for n in range(10)
        ]
        last_rate = first_rate
        for keys in slices:
            if not keys:
                continue
            begun = time.monotonic()
            await self._register_others(keys)
            last_rate = len(keys) * PER_KEY / (time.monotonic() - begun)
            self._say(f"{keys.stop * PER_KEY:,} schedules, {last_rate:,.0f}/s, {self._emulator.megabytes():,} MiB")
        held = len(others) * PER_KEY + self._due
        memory = self._emulator.megabytes() - empty
        self.figures.add("schedules held", f"{held:,}")
        self.figures.add(
            "memory of the process", f"{self._emulator.megabytes():,} MiB ({memory * 1024 / held:.1f} KiB each)"
        )
        self.figures.add("registered", f"{first_rate:,.0f}/s when empty, {last_rate:,.0f}/s at the end")
        for name, seconds in (await self._look_ups()).items():
            ratio = seconds / small[name]
            figure = f"{seconds * 1000:.2f} ms, {ratio:.2f} times that among {few * PER_KEY + self._due:,}"
            self.figures.add(name, figure)

    async def minute(self) -> None:
        """The first minute comes due: every webhook arrives once, and calls are answered meanwhile."""
        orders = self._orders("a")
        slowest = asyncio.create_task(self._slowest_answer())
        begun = time.monotonic()
        await self._to(FIRST_MINUTE)
        await self._receiver.have(orders, len(orders))
        seconds = time.monotonic() - begun
        slowest.cancel()
        lost, again = self._told(orders)
        self._say(f"{len(orders) - lost:,} webhooks have arrived after {seconds:.1f} s")
        self.figures.lost += lost
        self.figures.twice += again + await self._charged_twice()
        self.figures.add(
            f"{self._due:,} due in one minute", f"{seconds:.1f} s until the last webhook, {lost} lost, {again} twice"
        )
        self.figures.add("slowest answer meanwhile", f"{await slowest * 1000:.0f} ms")
        self.figures.add("most memory", f"{self._emulator.megabytes('VmHWM'):,} MiB")

    async def killed_minute(self, state_file: Path) -> None:
        """A second minute, and kill -9 in its middle: after a restart nothing is lost, and nothing is charged twice."""
        await self._emulator.log_in()
        await self._register_minute("b", SECOND_MINUTE)
        orders = self._orders("b")
        self._say(f"{self._due:,} more come due in one minute")
        moving = asyncio.create_task(self._to(SECOND_MINUTE))
        await self._receiver.have(orders, len(orders) // 2)
        await self._emulator.kill()
        with contextlib.suppress(aiohttp.ClientError):
            await moving
        size = sum(path.stat().st_size for path in state_file.parent.glob(f"{state_file.name}*")) // 2**20
        told = sum(1 for order in orders if order in self._receiver.arrived)
        self._say(f"killed when {told:,} of {len(orders):,} webhooks had arrived; starting again on {size:,} MiB")
        starting = await self._emulator.start()
        await self._emulator.log_in()
        await self._to(SECOND_MINUTE)
        await self._receiver.have(orders, len(orders))
        lost, again = self._told(orders)
        twice = await self._charged_twice()
        books = await self._emulator.control("GET", "books")
        missing = self._due * 2 - books["totals"]["charges"]
        self.figures.lost += lost + missing
        self.figures.twice += twice
        self.figures.add(
            "killed in the middle",
            f"{lost} webhooks lost, {missing} charges lost, {twice} charged twice, {again} told again",
        )
        self.figures.add(
            "state file", f"{size:,} MiB; {starting:.1f} s to start on it, {self._emulator.megabytes():,} MiB then"
        )

    # -------------------------------------------------------------- parts

    def _orders(self, name: str) -> list[str]:
        return [f"{name}{number:08d}" for number in range(self._due)]

    async def _register_minute(self, name: str, day: int) -> None:
        start = self._begin + day * DAY

        async def one(number: int) -> None:
            item = _item(f"{name}{number:08d}", start + number % PER_MINUTE)
            await self._schedule(f"{name}{number:08d}", [item])

        await _all(one, range(self._due))

    async def _register_others(self, keys: range) -> None:
        async def one(number: int) -> None:
            items = []
            for place in range(PER_KEY):
                serial = number * PER_KEY + place
                # Spread evenly over the days; a golden step, so that neighbours are not due together.
                at = self._begin + OTHERS.start * DAY + serial * 40_503 % (len(OTHERS) * DAY)
                items.append(_item(f"o{serial:08d}", at))
            await self._schedule(f"o{number:08d}", items)

        await _all(one, keys)

    async def _schedule(self, customer_uid: str, items: list[dict[str, Any]]) -> None:
        body = {"customer_uid": customer_uid, "checking_amount": 0, **CARD, "schedules": items}
        await self._emulator.call("POST", "/subscribe/payments/schedule", json=body)

    async def _look_ups(self) -> dict[str, float]:
        """Median seconds of each kind of look-up, one after another."""
        minute = self._begin + FIRST_MINUTE * DAY
        narrow = {"schedule_from": minute, "schedule_to": minute + 1, "limit": 20}
        path = "/subscribe/payments/schedule"
        asked: dict[str, Callable[[int], Coroutine[Any, Any, Any]]] = {
            "one schedule": lambda n: self._emulator.call("GET", f"{path}/a{n % self._due:08d}"),
            "a key's schedules": lambda n: self._emulator.call(
                "GET",
                f"{path}/customers/a{n % self._due:08d}",
                params={"schedule_from": minute, "schedule_to": minute + DAY},
            ),
            "schedules of one second": lambda _: self._emulator.call("GET", path, params=narrow),
            "the clock": lambda _: self._emulator.control("GET", "clock"),
        }
        medians = {}
        for name, ask in asked.items():
            seconds = []
            for number in range(PROBES):
                begun = time.perf_counter()
                await ask(number)
                seconds.append(time.perf_counter() - begun)
            medians[name] = statistics.median(seconds)
        return medians

    async def _slowest_answer(self) -> float:
        slowest = 0.0
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                begun = time.monotonic()
                await self._emulator.control("GET", "faults")
                slowest = max(slowest, time.monotonic() - begun)
                await asyncio.sleep(0.02)
        return slowest

    async def _to(self, day: int) -> None:
        # In one go past the minute: time passes from instant to instant in between.
        clock = await self._emulator.control("GET", "clock")
        ahead = self._begin + day * DAY + PER_MINUTE - _unix(clock["now"])
        await self._emulator.control("POST", "clock", json={"advance_seconds": max(0.0, ahead)})

    def _told(self, orders: list[str]) -> tuple[int, int]:
        counts = [self._receiver.arrived[order] for order in orders]
        return counts.count(0), sum(count > 1 for count in counts)

    async def _charged_twice(self) -> int:
        return len((await self._emulator.control("GET", "books"))["totals"]["charged_twice"])


async def run(count: int, due: int, state_file: Path | None, say: Progress) -> Figures:
    """The whole bench; with a state file, which must be new, the second minute too."""
    receiver = Receiver()
    async with receiver.listening():
        emulator = Emulator(state_file, receiver.url)
        try:
            await emulator.start()
            bench = Bench(emulator, receiver, count, due, say)
            await bench.fill()
            say(f"{due:,} come due in one minute")
            await bench.minute()
            if state_file is not None:
                await bench.killed_minute(state_file)
        finally:
            await emulator.kill()
    return bench.figures


async def _all(one: Callable[[int], Coroutine[Any, Any, None]], numbers: range) -> None:
    """Do it for each number, by a few callers side by side."""

    async def caller(first: int) -> None:
        for number in numbers[first::CALLERS]:
            await one(number)

    await asyncio.gather(*(caller(first) for first in range(CALLERS)))


def _item(merchant_uid: str, at: int) -> dict[str, Any]:
    return {"merchant_uid": merchant_uid, "schedule_at": at, "currency": "KRW", "amount": 9900, "name": "월간 이용권"}


def _unix(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
