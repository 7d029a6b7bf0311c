"""`gudok demo`: several subscribers live through years of billing in a couple of minutes, and every won is checked."""

import asyncio
import base64
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from temporalio.client import Client

from api.clock import Step, advance
from api.local import links
from api.processes import AUTHORIZATION, LocalStack, choose_ports
from billing.temporal import connect

CARD = "4518-4212-3456-"
DAYS_A_YEAR = 365
LOG_COLUMNS = 120


class DemoFailedError(Exception):
    """A step of the story did not go as told."""


@dataclass(frozen=True, slots=True)
class Story:
    """One subscriber's life: what is told, how long it goes, what it must come to."""

    title: str
    customer_uid: str
    expected_charges: int
    expected_status: str
    live: Callable[["Teller", "Story"], Awaitable[None]]


@dataclass(slots=True)
class Ending:
    """What a story came to, from three books that were kept apart."""

    story: Story
    charged: int
    written: int
    amount: int
    duplicates: int
    status: str
    agree: bool

    @property
    def is_right(self) -> bool:
        """Whether charged by PortOne, written in the ledger and expected are all equal."""
        return (
            self.agree
            and self.charged == self.written == self.story.expected_charges
            and self.duplicates == 0
            and self.status == self.story.expected_status
        )


class Teller:
    """Tells the stories against a running stack."""

    def __init__(self, stack: LocalStack, temporal: Client, session: aiohttp.ClientSession, progress: Progress) -> None:
        self._stack = stack
        self._temporal = temporal
        self._session = session
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    async def tell(self, story: Story) -> None:
        """Live through one story, its bar moving with its own clock."""
        self._bars[story.customer_uid] = self._progress.add_task(story.title, total=1.0, now="")
        await story.live(self, story)
        self._progress.update(self._bars[story.customer_uid], completed=1.0)

    async def subscribe(self, story: Story, last_four: str, **plan: Any) -> None:
        """Start a subscription by card over the API."""
        terms = {"name": "월간 이용권", "amount": 9900, "interval": "month", **plan}
        card = {"card_number": CARD + last_four, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
        body = {
            "customer_uid": story.customer_uid,
            "plan": terms,
            "payment_method": {"card": card},
            "customer": {"id": story.customer_uid, "name": "홍길동"},
        }
        await self._post("/v1/subscriptions", body, 201)

    async def pay(self, story: Story, last_four: str) -> None:
        """Pay once by card number."""
        card = {"card_number": CARD + last_four, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
        body = {"merchant_uid": story.customer_uid, "name": "전화 주문", "amount": 33000, "card": card}
        await self._post("/v1/payments", body, 201)

    async def cancel(self, story: Story) -> None:
        """Cancel at period end."""
        told = await self._post(f"/v1/subscriptions/{story.customer_uid}/cancel", {"at": "period_end"}, 200)
        if told["charge"] != "revoked":
            raise DemoFailedError(f"{story.title}: the next charge was not revoked but {told['charge']}")

    async def lose_webhooks(self, story: Story) -> None:
        """Let PortOne send this subscriber's webhooks nowhere."""
        fault = {"path": "webhook", "kind": "drop_webhook", "customer_uid": story.customer_uid}
        async with self._session.post(f"{self._stack.emulator_url}/emulator/faults", json=fault) as answer:
            answer.raise_for_status()

    async def go_on(self, story: Story, days: int, *, begin: float = 0.0, end: float = 1.0) -> None:
        """Let time go on for this subscriber alone, from due to due."""
        bar, started = self._bars[story.customer_uid], None

        def moved(step: Step) -> None:
            nonlocal started
            now, snapshot = step.at, step.snapshot
            started = started or now
            done = min(1.0, (now - started).days / days)
            self._progress.update(bar, completed=begin + (end - begin) * done, now=f"{now:%Y-%m-%d} {snapshot.status}")

        distance = timedelta(days=days)
        await advance(self._temporal, self._stack.emulator_url, story.customer_uid, distance, moved)

    async def ending(self, story: Story) -> Ending:
        """Compare PortOne's books with the ledger, order number by order number."""
        one_time = story.live is key_in
        query = {"merchant_uid": story.customer_uid} if one_time else {"customer_uid": story.customer_uid}
        async with self._session.get(f"{self._stack.emulator_url}/emulator/books", params=query) as answer:
            books = (await answer.json())["charges"]
        if one_time:
            shown = await self._get(f"/v1/payments/{story.customer_uid}")
            rows, status = [shown], shown["state"]
        else:
            rows = (await self._get(f"/v1/subscriptions/{story.customer_uid}/charges"))["charges"]
            status = (await self._get(f"/v1/subscriptions/{story.customer_uid}"))["status"]
        charged = [(row["merchant_uid"], row["imp_uid"], row["amount"]) for row in books]
        written = [(row["merchant_uid"], row["imp_uid"], row["amount"]) for row in rows if row["state"] == "paid"]
        # Two order numbers that paid for one period are a double charge as well.
        periods = {row["merchant_uid"]: row.get("cycle") and (row["subscription_id"], row["cycle"]) for row in rows}
        paid_for = {periods.get(number) or number for number, _, _ in charged}
        return Ending(
            story=story,
            charged=len(charged),
            written=len(written),
            amount=sum(amount for _, _, amount in charged),
            duplicates=len(charged) - len(paid_for),
            status=status,
            agree=sorted(charged) == sorted(written),
        )

    async def _get(self, path: str) -> Any:
        async with self._session.get(self._stack.api_url + path, headers=AUTHORIZATION) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def _post(self, path: str, body: Any, expected: int) -> Any:
        async with self._session.post(self._stack.api_url + path, json=body, headers=AUTHORIZATION) as answer:
            told = await answer.json(content_type=None)
            if answer.status != expected:
                raise DemoFailedError(f"POST {path} answered {answer.status}: {told.get('detail')}")
            return told


async def plain_years(teller: Teller, story: Story) -> None:
    """Two years, one charge a month."""
    await teller.subscribe(story, "7890")
    await teller.go_on(story, 2 * DAYS_A_YEAR - 15)


async def lost_webhooks(teller: Teller, story: Story) -> None:
    """Half a year in which no webhook arrives."""
    await teller.lose_webhooks(story)
    await teller.subscribe(story, "7891")
    await teller.go_on(story, 170)


async def decline_and_recovery(teller: Teller, story: Story) -> None:
    """A card that is declined twice after the trial, and then accepted."""
    await teller.subscribe(story, "0004", trial_days=7)
    await teller.go_on(story, 7 + 80)


async def lost_answer(teller: Teller, story: Story) -> None:
    """PortOne charges, and its answer gets lost on the way."""
    await teller.subscribe(story, "0005")
    await teller.go_on(story, 170)


async def cancel_at_period_end(teller: Teller, story: Story) -> None:
    """Three paid months, a cancel in the third, none after it."""
    await teller.subscribe(story, "7892")
    await teller.go_on(story, 75, end=0.6)
    await teller.cancel(story)
    await teller.go_on(story, 60, begin=0.6)


async def key_in(teller: Teller, story: Story) -> None:
    """A call centre charges a card once, and the answer gets lost here too."""
    await teller.pay(story, "0005")


STORIES = (
    Story("two plain years", "demo_plain_years", 24, "active", plain_years),
    Story("half a year without one webhook", "demo_lost_webhooks", 6, "active", lost_webhooks),
    Story("declined twice, then recovered", "demo_decline", 3, "active", decline_and_recovery),
    Story("answer lost after the charge", "demo_lost_answer", 6, "active", lost_answer),
    Story("canceled at period end", "demo_cancel", 3, "canceled", cancel_at_period_end),
    Story("key-in payment, answer lost", "demo_key_in", 1, "paid", key_in),
)


async def demo(folder: Path, *, keep: bool) -> bool:
    """Run the stories on a stack of its own; answers whether everything was equal."""
    console = Console()
    if not console.is_terminal:
        # In a log there is no width to fit into, and a table that wraps cannot be read.
        console = Console(width=LOG_COLUMNS)
    shutil.rmtree(folder, ignore_errors=True)
    stack = LocalStack(
        folder=folder,
        ports=choose_ports(folder, wanted={}, preferred=None),
        say=lambda line: console.print(f"[yellow]{line}[/]"),
    )
    begun = time.monotonic()
    console.print("Starting a Temporal server with its UI, a PortOne that speaks V1, a worker and the api ...")
    async with stack.running():
        console.print(f"Ready after {time.monotonic() - begun:.0f} s. Watch the runs: {stack.ui_url}")
        temporal = await connect(stack.address)
        endings = await _tell(console, stack, temporal)
        leaks = await asyncio.to_thread(find_card, folder)
        _print(console, stack, endings, leaks, time.monotonic() - begun)
        if keep:
            await _stay(console, stack)
    return all(ending.is_right for ending in endings) and not leaks


async def _tell(console: Console, stack: LocalStack, temporal: Client) -> list[Ending]:
    columns = (TextColumn("{task.description:34}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn())
    timeout = aiohttp.ClientTimeout(total=120)
    with Progress(*columns, console=console) as progress:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            teller = Teller(stack, temporal, session, progress)
            await asyncio.gather(*(teller.tell(story) for story in STORIES))
            return [await teller.ending(story) for story in STORIES]


def _print(console: Console, stack: LocalStack, endings: list[Ending], leaks: list[str], seconds: float) -> None:
    table = Table(title="Charged by PortOne, written in the ledger, expected")
    for heading in ("story", "expected", "PortOne", "ledger", "charged twice", "KRW", "ends as", ""):
        table.add_column(heading, justify="left" if heading in ("story", "ends as", "") else "right")
    for ending in endings:
        table.add_row(
            ending.story.title,
            str(ending.story.expected_charges),
            str(ending.charged),
            str(ending.written),
            str(ending.duplicates),
            f"{ending.amount:,}",
            ending.status,
            "[green]equal[/]" if ending.is_right else "[red]NOT EQUAL[/]",
        )
    console.print(table)
    total = sum(ending.charged for ending in endings)
    twice = sum(ending.duplicates for ending in endings)
    console.print(f"{total} charges, {twice} duplicates, in {seconds:.0f} s.")
    console.print(
        f"Files under {stack.folder} that hold a card number of this demo: " + (", ".join(leaks) if leaks else "none")
    )


async def _stay(console: Console, stack: LocalStack) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print(links(stack), highlight=False, soft_wrap=True)
    console.print("It all keeps running for a look; Ctrl-C ends it.")
    await stop.wait()


def find_card(folder: Path) -> list[str]:
    """The files under a folder that hold one of the demo's cards: plain, spaced, hyphenated, hex or base64."""
    needles = [form for last_four in ("7890", "7891", "7892", "0004", "0005") for form in _forms(CARD + last_four)]
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(needle in content for content in [path.read_bytes()] for needle in needles)
    )


def _forms(card: str) -> list[bytes]:
    spellings = [spelling.encode() for spelling in (card, card.replace("-", ""), card.replace("-", " "))]
    encoded = [spelling.hex().encode() for spelling in spellings]
    # Base64 of a text depends on where in a group of three it begins; the part that does not is looked for.
    encoded += [base64.b64encode(b" " * shift + spelling)[4:-4] for spelling in spellings for shift in range(3)]
    return spellings + encoded
