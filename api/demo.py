"""`gudok demo`: several subscribers live through years of billing in a couple of minutes, and every won is checked."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from temporalio.client import Client

from api.clock import Step, advance
from api.connections import own_connections
from api.demo_calls import ApiCalls, DemoFailedError
from api.demo_report import CARD, Ending, Expected, find_card, print_report
from api.local import links
from api.ports import choose_ports
from api.processes import AUTHORIZATION, LocalStack
from billing.domain.subscription.start import subscription_workflow_id
from billing.temporal import connect
from workflows.contracts import payment_workflow_id

DAYS_A_YEAR = 365
LOG_COLUMNS = 160

STORY_SECONDS = 900.0
"""Longer than any story takes on a machine that is ten times slower than most."""

REQUEST_SECONDS = 60.0
_OK = 200


@dataclass(frozen=True, slots=True)
class Story:
    """One subscriber's life: what is told, how it goes, what it must come to."""

    title: str
    customer_uid: str
    expected: Expected
    live: Callable[["Teller", "Story"], Awaitable[None]]

    @property
    def is_one_payment(self) -> bool:
        """Whether it is a single payment, under the story's name as its order number, and no subscription."""
        return self.live is key_in


class Teller:
    """Tells the stories against a running stack."""

    def __init__(self, stack: LocalStack, temporal: Client, session: aiohttp.ClientSession, progress: Progress) -> None:
        self._stack = stack
        self._temporal = temporal
        self._api = ApiCalls(session, stack.api_url, AUTHORIZATION)
        self._emulator = ApiCalls(session, stack.emulator_url, {})
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    async def tell(self, story: Story) -> Ending:
        """Live through one story, its bar moving with its own clock; whatever stops it is how it ends."""
        bar = self._bars[story.customer_uid] = self._progress.add_task(story.title, total=1.0, now="")
        begun = time.monotonic()
        try:
            async with asyncio.timeout(STORY_SECONDS):
                await story.live(self, story)
                ending = await self._ending(story)
        except Exception as error:  # noqa: BLE001 - the other stories go on, and this one's row says why it did not
            ending = Ending(
                story.title,
                story.expected,
                failure=_reason(error),
                run_url=self._run_url(story),
                merchant_uid=await self._merchant_uid(story),
            )
            self._progress.update(bar, now="[red]failed[/]")
        else:
            self._progress.update(bar, completed=1.0)
        if not self._progress.console.is_terminal:
            # Bars are not drawn into a log; there, a line says that something happens.
            how = f"failed: {escape(ending.failure)}" if ending.failure else "done"
            self._progress.console.print(f"{story.title}: {how}, after {time.monotonic() - begun:.0f} s")
        return ending

    async def subscribe(self, story: Story, last_four: str, **plan: Any) -> None:
        """Start a subscription by card over the API."""
        body = {
            "customer_uid": story.customer_uid,
            "plan": {"name": "월간 이용권", "amount": 9900, "interval": "month", **plan},
            "payment_method": {"card": _card(last_four)},
            "customer": {"id": story.customer_uid, "name": "홍길동"},
        }
        await self._api.post("/v1/subscriptions", body, 201, key=f"start of {story.customer_uid}")

    async def pay(self, story: Story, last_four: str) -> None:
        """Pay once by card number."""
        body = {"merchant_uid": story.customer_uid, "name": "전화 주문", "amount": 33000, "card": _card(last_four)}
        await self._api.post("/v1/payments", body, 201, key=f"payment of {story.customer_uid}")

    async def cancel(self, story: Story) -> None:
        """Cancel at period end. An answer that says nothing final is not asked for twice: the subscription is read."""
        path = f"/v1/subscriptions/{story.customer_uid}"
        answer = await self._api.post_once(f"{path}/cancel", {"at": "period_end"})
        if answer is not None and answer.status == _OK and answer.document is not None:
            charge = answer.document["charge"]
            if charge != "revoked":
                raise DemoFailedError(f"the next charge was not revoked but {charge}")
            return
        if answer is not None and answer.status not in (202, 503):
            raise DemoFailedError(f"POST {path}/cancel answered {answer.says()}")
        async with asyncio.timeout(REQUEST_SECONDS):
            while not (await self._api.get(path))["cancel_at_period_end"]:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.5)

    async def lose_webhooks(self, story: Story) -> None:
        """Let PortOne send this subscriber's webhooks nowhere."""
        fault = {"path": "webhook", "kind": "drop_webhook", "customer_uid": story.customer_uid}
        # The emulator knows no Idempotency-Key: the same fault set twice loses the same webhooks.
        await self._emulator.post("/emulator/faults", fault, 201, key=f"faults of {story.customer_uid}")

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

    async def _ending(self, story: Story) -> Ending:
        """Compare PortOne's books with the ledger, order number by order number."""
        uid = story.customer_uid
        by = "merchant_uid" if story.is_one_payment else "customer_uid"
        books = (await self._emulator.get(f"/emulator/books?{by}={uid}"))["charges"]
        if story.is_one_payment:
            shown = await self._api.get(f"/v1/payments/{uid}")
            rows, status = [shown], shown["state"]
        else:
            rows = (await self._api.get(f"/v1/subscriptions/{uid}/charges"))["charges"]
            status = (await self._api.get(f"/v1/subscriptions/{uid}"))["status"]
        charged = [(row["merchant_uid"], row["imp_uid"], row["amount"]) for row in books]
        written = [(row["merchant_uid"], row["imp_uid"], row["amount"]) for row in rows if row["state"] == "paid"]
        numbers = [number for number, _, _ in charged]
        unequal = tuple(sorted({number for number, _, _ in set(charged) ^ set(written)}))
        # Two order numbers that paid for one period are a double charge as well.
        periods = {row["merchant_uid"]: row.get("cycle") and (row["subscription_id"], row["cycle"]) for row in rows}
        paid_for = {periods.get(number) or number for number in numbers}
        return Ending(
            story.title,
            story.expected,
            charged=len(charged),
            written=len(written),
            amount=sum(amount for _, _, amount in charged),
            duplicates=len(charged) - len(paid_for),
            status=status,
            unequal=unequal,
            run_url=self._run_url(story),
            merchant_uid=", ".join(unequal) or next(reversed(numbers), ""),
        )

    def _run_url(self, story: Story) -> str:
        name = payment_workflow_id if story.is_one_payment else subscription_workflow_id
        workflow_id = name(story.customer_uid).replace("/", "%2F")
        return f"{self._stack.ui_url}/namespaces/{self._temporal.namespace}/workflows/{workflow_id}"

    async def _merchant_uid(self, story: Story) -> str:
        """The order number that a failed story stands at; empty where nothing says so."""
        if story.is_one_payment:
            return story.customer_uid
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                shown = await self._api.get(f"/v1/subscriptions/{story.customer_uid}")
            return str(shown["cycle"]["merchant_uid"] or "")
        except Exception:  # noqa: BLE001 - what failed has been said; this only helps to look it up
            return ""


def _card(last_four: str) -> dict[str, str]:
    return {"card_number": CARD + last_four, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}


def _reason(error: Exception) -> str:
    if isinstance(error, DemoFailedError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "nothing went on any more: it was waited for in vain"
    return f"{type(error).__name__}: {error}"


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
    Story("two plain years", "demo_plain_years", Expected(24, "active"), plain_years),
    Story("half a year without one webhook", "demo_lost_webhooks", Expected(6, "active"), lost_webhooks),
    Story("declined twice, then recovered", "demo_decline", Expected(3, "active"), decline_and_recovery),
    Story("answer lost after the charge", "demo_lost_answer", Expected(6, "active"), lost_answer),
    Story("canceled at period end", "demo_cancel", Expected(3, "canceled"), cancel_at_period_end),
    Story("key-in payment, answer lost", "demo_key_in", Expected(1, "paid"), key_in),
)


async def demo(folder: Path, *, keep: bool) -> bool:
    """Run the stories on a stack of its own; answers whether everything was equal."""
    console = Console()
    if not console.is_terminal:
        # In a log there is no width to fit into, and a table that wraps cannot be read.
        console = Console(width=LOG_COLUMNS)
    stack = LocalStack(
        folder=folder,
        ports=choose_ports(folder, wanted={}, preferred=None),
        say=lambda line: console.print(f"[yellow]{escape(line)}[/]"),
        fresh=True,
    )
    begun = time.monotonic()
    console.print("Starting a Temporal server with its UI, a PortOne that speaks V1, a worker and the api ...")
    async with stack.running():
        ready = time.monotonic()
        console.print(f"Ready after {ready - begun:.0f} s. Watch the runs: {stack.ui_url}", soft_wrap=True)
        endings = await tell(console, stack, await connect(stack.address))
        leaks = await asyncio.to_thread(find_card, folder)
        print_report(console, folder, endings, leaks, to_start=ready - begun, to_bill=time.monotonic() - ready)
        if keep:
            await _stay(console, stack)
        console.print("Stopping.")
    return all(ending.is_right for ending in endings) and not leaks


async def tell(
    console: Console, stack: LocalStack, temporal: Client, stories: tuple[Story, ...] = STORIES
) -> list[Ending]:
    """Tell the stories side by side; one that fails stops none of the others."""
    columns = (TextColumn("{task.description:34}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        async with own_connections(seconds=REQUEST_SECONDS) as session:
            teller = Teller(stack, temporal, session, progress)
            return await asyncio.gather(*(teller.tell(story) for story in stories))


async def _stay(console: Console, stack: LocalStack) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print(links(stack), highlight=False, soft_wrap=True)
    console.print("It all keeps running for a look; Ctrl-C ends it.")
    await stop.wait()
