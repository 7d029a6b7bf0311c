"""`gudok listen` shows what happens as it happens, and ends when it is told to."""

import asyncio
import json
import os
import signal
import sys

import pytest

from billing.settings import LOCAL_API_KEY
from tests.events.conftest import paid


class Listening:
    """The command in a process of its own."""

    def __init__(self, process):
        self.process = process

    async def lines(self, count, stream=None):
        async with asyncio.timeout(20):
            return [(await (stream or self.process.stdout).readline()).decode().rstrip() for _ in range(count)]

    async def stop(self):
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            _, err = await self.process.communicate()
        return self.process.returncode, err.decode()


@pytest.fixture
async def listen(stack):
    started = []

    async def start(*arguments, key=LOCAL_API_KEY):
        url = str(stack.api.base_url)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "api.cli", "listen", "--url", url, *arguments),
            env={**os.environ, "GUDOK_API_KEYS": key, "COLUMNS": "200"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return Listening(process)

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_key_that_the_api_refuses_ends_it_with_a_sentence(listen):
    listening = await listen(key="another")
    async with asyncio.timeout(20):
        out, err = await listening.process.communicate()
    assert (listening.process.returncode, out) == (1, b"")
    assert "answers 401" in err.decode()
    assert "Traceback" not in err.decode()


async def test_it_prints_every_event_once_in_a_readable_line_and_ends_cleanly(telling, listen):
    before, during = paid("kim", summary="the first"), paid("lee", summary="the second")
    await telling.tell(before)
    listening = await listen("--from-start")
    (first,) = await listening.lines(1)
    await telling.tell(during)
    (second,) = await listening.lines(1)
    for line, words in ((first, ("charge.paid", "kim", "the first")), (second, ("charge.paid", "lee", "the second"))):
        assert all(word in line for word in words)
    assert await listening.stop() == (0, "")


async def test_it_forwards_every_event_signed_as_an_endpoint_gets_it(telling, listen, receiver):
    listening = await listen("--from-start", "--json", "--forward-to", f"{receiver.url}/hook")
    (said,) = await listening.lines(1, listening.process.stderr)
    secret = said.rpartition(" ")[2]
    told = paid("kim")
    await telling.tell(told)
    (line,) = await listening.lines(1)
    await receiver.wait_for(1)
    assert json.loads(line)["event_id"] == receiver.got[0]["id"] == told.event_id
    assert receiver.verified(secret)["data"] == told.data
    assert (await listening.stop())[0] == 0


async def test_it_begins_with_what_happens_after_it_and_survives_an_address_that_answers_nothing(telling, listen):
    await telling.tell(paid("kim", summary="long ago"))
    listening = await listen("--forward-to", "http://127.0.0.1:9/", "--secret", "whsec_bXkgb3du")
    await listening.lines(1, listening.process.stderr)
    # It may have begun before or after the first of these, and shows each of the rest.
    seen = ""
    for number in range(200):
        await telling.tell(paid("kim", summary=f"happened {number}"))
        with_line = asyncio.create_task(listening.process.stdout.readline())
        done, _ = await asyncio.wait([with_line], timeout=0.2)
        if done:
            seen = with_line.result().decode()
            break
        with_line.cancel()
    assert "happened" in seen
    assert "long ago" not in seen
    (outcome,) = await listening.lines(1)
    assert "no answer: ClientConnectorError" in outcome
    assert (await listening.stop())[0] == 0
