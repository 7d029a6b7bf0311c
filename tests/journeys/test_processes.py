"""Journeys through real processes: every part is killed with -9 in the middle of cycles; nothing is lost or doubled."""

import asyncio
import base64
import os
import signal
from datetime import datetime, timedelta

import aiohttp
import pytest

from api.clock import advance
from api.demo import find_card
from api.processes import AUTHORIZATION, LocalStack, choose_ports
from billing.temporal import connect

pytestmark = [pytest.mark.timeout(300), pytest.mark.soak]

CARD = {"card_number": "4518-4212-3456-7890", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
PLAN = {"name": "월간 이용권", "amount": 9900, "interval": "month"}


def stack_in(folder, said):
    return LocalStack(folder=folder, ports=choose_ports(folder, wanted={}, preferred=None), say=said.append)


async def start(stack, uid):
    body = {"customer_uid": uid, "plan": PLAN, "payment_method": {"card": CARD}}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stack.api_url}/v1/subscriptions", json=body, headers=AUTHORIZATION) as answer,
    ):
        assert answer.status == 201, await answer.text()


async def get(url):
    """An answer, asked for until the part that was killed is back."""
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url, headers=AUTHORIZATION) as answer:
                    if answer.status == 200:
                        return await answer.json()
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


async def kill(stack, name):
    """Kill a part with -9 and wait until it stands again."""
    part = next(part for part in stack._parts if part.name == name)
    dead = part.process
    os.kill(dead.pid, signal.SIGKILL)
    await dead.wait()
    while part.process is dead:
        await asyncio.sleep(0.05)
    await stack._ready(part)


async def go_on(stack, uid, days):
    """Time goes on; an attempt that meets a dead part is made again from where the clocks stand."""
    url = f"{stack.emulator_url}/emulator/clock?customer_uid={uid}"
    target = _instant(await get(url)) + timedelta(days=days)
    while (left := target - _instant(await get(url))) > timedelta(seconds=1):
        try:
            await advance(await connect(stack.address), stack.emulator_url, uid, left)
        except Exception:  # noqa: BLE001 - whatever part was away, the next attempt says whether it is back
            await asyncio.sleep(0.2)


def _instant(clock):
    return datetime.fromisoformat(clock["now"])


async def agree(stack, uid):
    books = await get(f"{stack.emulator_url}/emulator/books?customer_uid={uid}")
    assert books["totals"]["charged_twice"] == []
    rows = (await get(f"{stack.api_url}/v1/subscriptions/{uid}/charges"))["charges"]
    charged = sorted(row["merchant_uid"] for row in books["charges"] if row["status"] == "paid")
    assert charged == sorted(row["merchant_uid"] for row in rows if row["state"] == "paid")
    return len(charged)


async def test_killing_every_part_in_the_middle_of_cycles_doubles_and_loses_nothing(tmp_path):
    said = []
    async with stack_in(tmp_path, said).running() as stack:
        await start(stack, "survivor")
        for name in ("worker", "api", "emulator", "temporal"):
            moving = asyncio.create_task(go_on(stack, "survivor", 61))
            await asyncio.sleep(0)
            await kill(stack, name)
            await moving
        assert {line.split()[0] for line in said} >= {"worker", "api", "emulator", "temporal"}
        assert await agree(stack, "survivor") == 9
    # And the whole of it killed at once: the next start goes on where it stood.
    async with stack_in(tmp_path, said).running() as stack:
        await go_on(stack, "survivor", 31)
        assert await agree(stack, "survivor") == 10
        shown = await get(f"{stack.api_url}/v1/subscriptions/survivor")
        assert shown["status"] == "active"
    assert find_card(tmp_path) == []


@pytest.mark.parametrize("part", ["temporal", "api", "worker"])
async def test_a_payment_and_its_refund_with_a_kill_in_the_middle_are_done_once_though_sent_again_without_a_key(
    tmp_path, part
):
    payment = {"amount": 12000, "name": "단건 결제", "card": CARD}
    async with stack_in(tmp_path, []).running() as stack, aiohttp.ClientSession(headers=AUTHORIZATION) as session:
        path = "/v1/payments"
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
        [charge] = (await get(f"{stack.emulator_url}/emulator/books"))["charges"]
        assert (charge["status"], charge["amount"], charge["cancelled_amount"]) == ("cancelled", 12000, 1000)


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
