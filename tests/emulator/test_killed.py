"""A real emulator process behind a real socket: killed in the middle of its work, and started again."""

import asyncio
import contextlib
import functools
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS, patient_client

REPOSITORY = Path(__file__).resolve().parents[2]

SERVER = """
import socket, sys
from pathlib import Path
import uvicorn
from billing.emulator import EmulatorSettings, create_emulator
listener = socket.create_server(("127.0.0.1", 0))
app = create_emulator(EmulatorSettings(state_file=Path(sys.argv[1]), webhook_url=sys.argv[2]))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="debug")).run(sockets=[listener])
"""

Run = Callable[[], Awaitable[tuple[asyncio.subprocess.Process, Any]]]


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "emulator.db"


@pytest.fixture
async def run(tmp_path, state_file, receiver, start) -> AsyncIterator[Run]:
    """Start an emulator process on the state file; what it logs is kept in a file."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin() -> tuple[asyncio.subprocess.Process, Any]:
            with (tmp_path / "emulator.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", SERVER, str(state_file), receiver.url,
                    cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=log,
                )  # fmt: skip
            stack.push_async_callback(_end, process)
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE_SECONDS):
                port = int(await process.stdout.readline())
            http = patient_client(f"http://127.0.0.1:{port}")
            await stack.enter_async_context(http)
            # The same merchant as everywhere, but over a socket: no application in this process stands behind it.
            merchant = await start()
            merchant.app, merchant.http = None, http
            merchant.now = functools.partial(_now, http)
            return process, merchant

        yield begin


async def test_what_was_answered_or_told_before_a_kill_is_in_the_books_and_once_only(run, receiver):
    process, merchant = await run()
    await merchant.issue()
    await merchant.schedule("later")
    receiver.gate.clear()
    charges = [asyncio.create_task(merchant.again(f"m{number}")) for number in range(30)]
    await receiver.have(8)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    answers = await asyncio.gather(*charges, return_exceptions=True)
    answered = {answer.json()["response"]["merchant_uid"] for answer in answers if isinstance(answer, httpx.Response)}
    told = {merchant_uid for merchant_uid, _ in receiver.seen}

    receiver.gate.set()
    _, merchant = await run()
    books = await merchant.control("GET", "books")
    charged = {row["merchant_uid"] for row in books["charges"]}
    assert answered | told <= charged
    assert books["totals"]["charged_twice"] == []
    for row in books["charges"]:
        assert (await merchant.again(row["merchant_uid"])).json()["code"] == 1
    # Nobody answered before the kill, so every webhook comes again.
    while set(receiver.seen[len(told) :]) != {(merchant_uid, "paid") for merchant_uid in charged}:
        await receiver.have(len(receiver.received) + 1)
    assert await merchant.advance(3600) == ["later"]
    assert receiver.seen[-1] == ("later", "paid")


async def test_clocks_counters_faults_and_waiting_webhooks_outlive_a_kill(run, receiver):
    process, merchant = await run()
    await merchant.issue("lee", "0004")
    assert (await merchant.again("d1", "lee")).json()["code"] == -1
    await merchant.issue()
    await merchant.fault("delay_webhook", path="webhook", seconds=600, count=1)
    await merchant.fault("500_before", path="cancel", count=2)
    assert (await merchant.call("POST", "/payments/cancel", {})).status_code == 500
    await merchant.advance(86_400, "kim")
    await merchant.again("m1")
    before = await merchant.control("GET", "clock", params={"customer_uid": "kim"})
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()

    _, merchant = await run()
    after = await merchant.control("GET", "clock", params={"customer_uid": "kim"})
    assert after["now"] >= before["now"]
    assert after["next_due"] == before["next_due"]
    assert [(await merchant.call("POST", "/payments/cancel", {})).status_code for _ in range(2)] == [500, 200]
    assert (await merchant.again("d2", "lee")).json()["code"] == -1
    assert (await merchant.again("d3", "lee")).json()["code"] == 0
    assert ("m1", "paid") not in receiver.seen
    await merchant.advance(601, "kim")
    assert receiver.seen.count(("m1", "paid")) == 1


async def test_a_dropped_answer_is_a_transport_error_on_a_real_socket_and_a_charge_in_the_books(run):
    _, merchant = await run()
    await merchant.issue()
    await merchant.fault("drop_after", path="again", count=1)
    with pytest.raises(httpx.TransportError):
        await merchant.again("m1")
    assert [row["status"] for row in await merchant.charges()] == ["paid"]
    await merchant.issue("park", "0005")
    with pytest.raises(httpx.TransportError):
        await merchant.again("m2", "park")
    assert [row["status"] for row in await merchant.charges(customer_uid="park")] == ["paid"]


async def test_no_card_is_in_the_state_file_or_the_log_of_a_process(run, make_card, tmp_path, state_file):
    process, merchant = await run()
    card = make_card(card_number="4518-4212-7351-1111", birth="880229", pwd_2digit="73", expiry="2098-11", cvc="917")
    await merchant.ok("POST", "/subscribe/customers/kim", card)
    order = {"merchant_uid": "m1", "amount": 100, "name": "n", "customer_uid": "lee"}
    await merchant.ok("POST", "/subscribe/payments/onetime", order | card)
    item = {"merchant_uid": "m2", "schedule_at": await merchant.now() + 60, "amount": 100, "name": "n"}
    scheduled = {"customer_uid": "park", "schedules": [item], "checking_amount": 100}
    await merchant.ok("POST", "/subscribe/payments/schedule", scheduled | card)
    await merchant.call("POST", "/subscribe/customers/bad", card | {"expiry": "2001-01"})
    await merchant.http.post("/emulator/window/billing-key", json={"customer_uid": "choi", **card})
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    files = [*state_file.parent.iterdir(), tmp_path / "emulator.log"]
    written = b"".join(path.read_bytes() for path in files)
    assert b"451842" in written, "the masked number is there"
    digits = card["card_number"].replace("-", "")
    for secret in (card["card_number"], digits, digits[4:12], "7351", card["birth"], card["expiry"], '"917"', '"73"'):
        assert secret.encode() not in written


async def _now(http: httpx.AsyncClient, customer_uid: str | None = None) -> int:
    clock = await http.get("/emulator/clock", params={"customer_uid": customer_uid} if customer_uid else None)
    return int(datetime.fromisoformat(clock.json()["now"]).timestamp())


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
