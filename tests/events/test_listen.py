"""`gudok listen` shows what happens as it happens, and ends when it is told to."""

import asyncio
import contextlib
import io
import json
import os
import signal
import sys

import aiohttp
import pytest
from rich.console import Console

from api.listening import Forwarding, Listener
from api.listening import listen as listen_to
from billing.settings import LOCAL_API_KEY
from billing.signing import new_secret
from tests.events.conftest import paid
from tests.patience import PATIENCE_SECONDS


class Listening:
    """The command in a process of its own."""

    def __init__(self, process):
        self.process = process

    async def lines(self, count, stream=None):
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [(await (stream or self.process.stdout).readline()).decode().rstrip() for _ in range(count)]

    async def stop(self):
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
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


@pytest.mark.soak
async def test_a_key_that_the_api_refuses_ends_it_with_a_sentence(listen):
    listening = await listen(key="another")
    async with asyncio.timeout(PATIENCE_SECONDS):
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


@contextlib.asynccontextmanager
async def here(stack, *, from_start=False, forwarding=None, as_json=False):
    """The same without a process of its own; answers what it has printed so far, as a function."""
    out = io.StringIO()
    console = Console(file=out, width=200)
    listener = Listener(str(stack.api.base_url), LOCAL_API_KEY, from_start=from_start, say=console)
    task = asyncio.create_task(listen_to(listener, console, as_json=as_json, forwarding=forwarding))
    yield out.getvalue
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(holds):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


async def test_it_forwards_every_event_signed_as_an_endpoint_gets_it(telling, receiver, capsys):
    forwarding = Forwarding(f"{receiver.url}/hook", new_secret())
    told = paid("kim")
    async with here(telling.stack, from_start=True, forwarding=forwarding, as_json=True):
        await telling.tell(told)
        await receiver.wait_for(1)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event_id"] == told.event_id
    assert receiver.got[0]["id"] == told.event_id
    assert receiver.verified(forwarding.secret)["data"] == told.data


async def test_it_begins_with_what_happens_after_it_and_survives_an_address_that_answers_nothing(telling):
    await telling.tell(paid("kim", summary="long ago"))
    async with here(telling.stack, forwarding=Forwarding("http://127.0.0.1:9/", new_secret())) as printed:
        # It may look for the first time before or after the first of these, and shows each of the rest.
        while "happened" not in printed():
            await telling.tell(paid("kim", summary="happened now"))
            await asyncio.sleep(0.05)
        await until(lambda: "no answer: ClientConnectorError" in printed())
    assert "long ago" not in printed()


async def test_an_api_that_goes_away_is_waited_for(telling, monkeypatch):
    answers = Listener._page

    async def away(self, session, query):
        if "away" in state:
            raise aiohttp.ClientConnectionError
        return await answers(self, session, query)

    state = {"away"}
    monkeypatch.setattr(Listener, "_page", away)
    async with here(telling.stack, from_start=True) as printed:
        await until(lambda: "waiting for it" in printed())
        await telling.tell(paid("kim", summary="meanwhile"))
        state.clear()
        await until(lambda: "meanwhile" in printed())
    assert printed().count("waiting for it") == printed().count("the api answers again") == 1
