"""Real processes on one ledger, many subscribers at once, each process killed in turn: four books agree in the end.

`tests/stack.py` runs everything in one process on one engine, where what one process does to the files of another is
never seen. Here api, worker, emulator and Temporal are what `gudok up` starts.
"""

import asyncio
import base64
import contextlib
import os
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import pytest

from api.clock import NoTestClockError, SubscriptionClock, world_time
from api.demo_report import find_card
from api.processes import AUTHORIZATION, LocalStack, choose_ports
from billing.ledger import Ledger, holders_of_deleted
from billing.temporal import connect

pytestmark = pytest.mark.timeout(1200)

CARD = {"card_number": "4518-4212-3456-7890", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
PLAN = {"name": "월간 이용권", "amount": 9900, "interval": "month"}

MONTH = timedelta(days=31)

# What the api may say while a part is away: it is done, it is open, it is not there yet, or a part is away.
TRUE_MEANWHILE = {200, 201, 202, 404, 409, 503}


@dataclass
class Shop:
    """Everybody who subscribes in this test, and whatever the api answered with."""

    stack: LocalStack
    session: aiohttp.ClientSession
    paid: dict[str, int] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)

    async def call(self, method, path, **options):
        """One call: the status and the document of the answer. A part that is away, or dies meanwhile, answers none."""
        try:
            url = f"{self.stack.api_url}{path}"
            async with self.session.request(method, url, headers=AUTHORIZATION, **options) as answer:
                told = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return None, {}
        self.said[f"{method} {answer.status} {told.get('code', '')}".strip()] += 1
        assert answer.status in TRUE_MEANWHILE, (path, answer.status, told)
        return answer.status, told

    async def read(self, path):
        """What a path answers with, asked for until it does."""
        while True:
            status, told = await self.call("GET", path)
            if status == 200:
                return told
            await asyncio.sleep(0.1)

    async def subscribe(self, uid):
        """Start by card, the same request again until it is taken; followed until the first charge is settled."""
        body = {"customer_uid": uid, "plan": PLAN, "payment_method": {"card": CARD}}
        while True:
            status, told = await self.call("POST", "/v1/subscriptions", json=body)
            if status in (201, 202) or told.get("code") == "subscription_running":
                break
            await asyncio.sleep(0.1)
        while (await self.read(f"/v1/subscriptions/{uid}"))["status"] != "active":
            await asyncio.sleep(0.1)
        self.paid[uid] = 1

    async def go_on(self, uid):
        """A month goes by for one subscriber; where a part was away, from where the clocks stand."""
        target = None
        while target is None or not await self._moved(uid, target):
            with contextlib.suppress(NoTestClockError):
                target = target or (await world_time(self.stack.emulator_url, uid)).now + MONTH
            await asyncio.sleep(0.1)
        self.paid[uid] += 1
        while len(await self.charged(uid)) < self.paid[uid]:
            await asyncio.sleep(0.1)

    async def _moved(self, uid, target):
        try:
            clock = SubscriptionClock(await connect(self.stack.address), self.stack.emulator_url, uid)
            return await clock.advance_to(target) >= target
        except Exception:  # noqa: BLE001 - whatever part was away, the next attempt says whether it is back
            return False

    async def charged(self, uid):
        rows = (await self.read(f"/v1/subscriptions/{uid}/charges"))["charges"]
        return sorted(row["merchant_uid"] for row in rows if row["state"] == "paid")

    async def busy(self, name, disturb, *, starting, going_on):
        """So many starts, months of so many others, and reads, all at once; in the middle of them a disturbance."""
        newcomers = [f"{name}_{number}".replace(" ", "_") for number in range(starting)]
        old = list(self.paid)[-going_on:]
        lists = asyncio.create_task(self._read_on())
        work = [asyncio.create_task(self.subscribe(uid)) for uid in newcomers]
        work += [asyncio.create_task(self.go_on(uid)) for uid in old]
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        await disturb()
        await asyncio.gather(*work)
        lists.cancel()

    async def _read_on(self):
        while True:
            await self.call("GET", "/v1/subscriptions")
            await asyncio.sleep(0.25)


def part_of(stack, name):
    return next(part for part in stack._parts if part.name == name)


async def kill(stack, *names):
    """Kill parts with -9, one after the other, and wait until all of them stand again."""
    dead = [part_of(stack, name).process for name in names]
    for process in dead:
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    for name, process in zip(names, dead, strict=True):
        while part_of(stack, name).process is process:
            await asyncio.sleep(0.05)
        await stack._ready(part_of(stack, name))


async def command(stack, *arguments):
    """A `gudok` command beside what runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.cli", *arguments,
        env=stack._environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def books_of(stack, session, what):
    async with session.get(f"{stack.emulator_url}/emulator/{what}") as answer:
        return await answer.json()


async def agree(shop):
    """PortOne's books, the ledger, its inbox and the workflows say the same; answers the charges, all of them once."""
    stack, session = shop.stack, shop.session
    books = await books_of(stack, session, "books")
    assert books["totals"]["charged_twice"] == []
    at_portone = Counter(row["customer_uid"] for row in books["charges"] if row["status"] == "paid")
    assert at_portone == Counter(shop.paid), "PortOne charged every period once"
    numbers = sorted(row["merchant_uid"] for row in books["charges"] if row["status"] == "paid")
    written = [number for uid in shop.paid for number in await shop.charged(uid)]
    assert sorted(written) == numbers, "the ledger has what PortOne has"
    temporal = await connect(stack.address)
    for uid, periods in shop.paid.items():
        snapshot = await temporal.get_workflow_handle(f"subscription/{uid}").query("snapshot")
        assert (snapshot["status"], snapshot["paid_cycles"], snapshot.get("parked_reason")) == ("active", periods, None)
    attempts = await books_of(stack, session, "webhooks")
    return numbers, {_webhook(each["body"]) for each in attempts if each.get("status") == 200}


async def every_webhook_reached_its_workflow(file):
    """The rows of the inbox, once each has been reported to its workflow or settled without: by a look of its own."""
    ledger = Ledger(f"sqlite:///{file}")
    try:
        rows = await ledger.list_webhooks()
        while any(row.rung_at is None and row.disposition is None for row in rows):
            await asyncio.sleep(0.2)
            rows = await ledger.list_webhooks()
        return rows
    finally:
        await ledger.aclose()


def _webhook(body):
    return (body["imp_uid"], body["merchant_uid"], body["status"])


@pytest.mark.soak
@pytest.mark.parametrize(("starting", "going_on"), [(2, 1), (5, 3)])
async def test_whatever_process_is_killed_in_whatever_order_no_charge_and_no_webhook_is_lost_or_doubled(
    tmp_path, starting, going_on
):
    said = []
    stack = LocalStack(folder=tmp_path, ports=choose_ports(tmp_path, wanted={}, preferred=None), say=said.append)
    timeout = aiohttp.ClientTimeout(total=60)
    async with stack.running(), aiohttp.ClientSession(timeout=timeout) as session:
        shop = Shop(stack, session)
        await asyncio.gather(*(shop.subscribe(f"first_{number}") for number in range(8)))

        async def beside():
            for arguments in (["reconcile"], ["doctor"], ["db", "upgrade"], ["db", "backup", str(tmp_path / "copy")]):
                code, told = await command(stack, *arguments)
                # What is being charged at this moment may differ: a comparison that was made is what counts here.
                assert code == 0 or (arguments == ["reconcile"] and code == 1), told

        for name, disturb in {
            "worker": lambda: kill(stack, "worker"),
            "api": lambda: kill(stack, "api"),
            "worker then api": lambda: kill(stack, "worker", "api"),
            "api then worker": lambda: kill(stack, "api", "worker"),
            "commands beside": beside,
            "temporal": lambda: kill(stack, "temporal"),
            "emulator": lambda: kill(stack, "emulator"),
        }.items():
            await shop.busy(name, disturb, starting=starting, going_on=going_on)
            assert list(holders_of_deleted(tmp_path / "ledger.db")) == [], name
        numbers, delivered = await agree(shop)
        rows = await every_webhook_reached_its_workflow(tmp_path / "ledger.db")

    assert len(numbers) == 8 + 7 * (starting + going_on)
    assert {line.split()[0] for line in said} == {"worker", "api", "temporal", "emulator"}
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert {(row.imp_uid, row.merchant_uid, row.status) for row in rows} >= delivered, "every 200 is in the inbox"
    assert find_card(tmp_path) == []


@pytest.mark.soak
async def test_a_payment_and_its_refund_with_a_kill_in_the_middle_are_done_once_though_sent_again_without_a_key(
    tmp_path,
):
    stack = LocalStack(folder=tmp_path, ports=choose_ports(tmp_path, wanted={}, preferred=None), say=lambda _: None)
    async with stack.running(), aiohttp.ClientSession(headers=AUTHORIZATION) as session:
        for count, part in enumerate(("temporal", "api", "worker"), start=1):
            await pay_and_refund(session, stack, part)
            charges = (await books_of(stack, session, "books"))["charges"]
            came = [(charge["status"], charge["amount"], charge["cancelled_amount"]) for charge in charges]
            assert came == [("cancelled", 12000, 1000)] * count, part


async def pay_and_refund(session, stack, part):
    """Pay and refund, a part killed in the middle of each, and the same request again until it has an answer."""
    path, payment = "/v1/payments", {"amount": 12000, "name": "단건 결제", "card": CARD}
    for call, body in (("onetime", payment), ("cancel", {"amount": 1000})):
        await slow(session, stack, call, seconds=3)
        sent = asyncio.create_task(send(session, stack, path, body))
        await arrived(stack, call)
        await kill(stack, part)
        told = await sent
        # Connections break with the api; nobody else's death is an error once something has started.
        assert told is None if part == "api" else told[0] in (201, 202), told
        while told is None or told[0] in (202, 409, 503):
            if told is not None and told[0] == 202:
                assert told[1]["merchant_uid"]
                assert told[1]["run_url"]
            await asyncio.sleep(0.5)
            told = await send(session, stack, path, body)
        # Answered by the request that was cut: a further one would be another.
        assert told[0] == 201, told
        path = f"/v1/payments/{told[1].get('merchant_uid')}/refunds"


async def slow(session, stack, call, *, seconds):
    fault = {"kind": "delay", "path": call, "seconds": seconds, "count": 1}
    async with session.post(f"{stack.emulator_url}/emulator/faults", json=fault) as answer:
        assert answer.status == 201, await answer.text()


async def send(session, stack, path, body):
    """The answer's status and document; None where the connection broke."""
    try:
        async with session.post(f"{stack.api_url}{path}", json=body) as answer:
            return answer.status, await answer.json(content_type=None)
    except aiohttp.ClientError:
        return None


async def arrived(stack, call):
    """Wait until the workflow's history says that PortOne is being asked."""
    activity = {"onetime": "charge_onetime", "cancel": "cancel_payment"}[call]
    client = await connect(stack.address)
    while True:
        async for each in client.list_workflows("ExecutionStatus='Running'"):
            described = await client.get_workflow_handle(each.id).describe()
            if any(pending.activity_type.name == activity for pending in described.raw_description.pending_activities):
                return
        await asyncio.sleep(0.05)


def test_the_search_for_cards_finds_a_planted_one(tmp_path):
    (tmp_path / "plain").write_text("x4518-4212-3456-7890x")
    (tmp_path / "digits").write_bytes(b"\0" + b"4518421234560005")
    (tmp_path / "base64").write_bytes(base64.b64encode(b'{"card_number":"4518-4212-3456-7892"}'))
    (tmp_path / "hex").write_text(b"4518421234567891".hex())
    (tmp_path / "clean").write_text("4518-4212-3456-1111")
    assert [path.rpartition("/")[2] for path in find_card(tmp_path)] == ["base64", "digits", "hex", "plain"]
