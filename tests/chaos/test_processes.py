"""Real processes under siege, and the parts of the harness that besiege them."""

import asyncio
import contextlib

import httpx
import pytest

from chaos.processes.histories import REPLAYS
from chaos.processes.mishaps import BLOWS, blows_of
from chaos.processes.patient import Patient
from chaos.processes.proxy import Proxy, to_port
from chaos.processes.siege import besieged
from chaos.report import report_of

SHORT = ("kill worker", "kill some", "stop one worker, kill the others", "twin starts", "webhook flood", "PortOne cut")
"""Blows of a short siege; every other one is dealt by `python -m chaos processes --minutes 15`."""


@contextlib.asynccontextmanager
async def echoing():
    """A place that says back what it hears; answers its port, and what it has heard."""
    heard = []

    async def echo(reader, writer):
        while piece := await reader.read(100):
            heard.append(piece)
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def said_through(proxy, words=b"kim"):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        writer.write(words)
        await writer.drain()
        writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return None
    finally:
        writer.close()


async def test_a_proxy_passes_on_cuts_swallows_and_passes_on_again():
    async with echoing() as (port, heard), Proxy((to_port(lambda: port),)).listening() as proxy:
        assert await said_through(proxy) == b"kim"
        async with proxy.away():
            assert await said_through(proxy) in (None, b"")
        async with proxy.swallowing():
            assert await said_through(proxy) in (None, b"")
        assert heard == [b"kim"]
        async with proxy.slow(0.01):
            assert await said_through(proxy, b"lee") == b"lee"


async def test_a_proxy_goes_to_the_other_place_where_one_does_not_listen():
    async with echoing() as (port, _), Proxy((to_port(lambda: 1), to_port(lambda: port))).listening() as proxy:
        assert [await said_through(proxy) for _ in range(3)] == [b"kim"] * 3


class Dying:
    """A service that dies so many times before it answers."""

    def __init__(self, times):
        self.times, self.asked = times, 0

    async def handle_async_request(self, request):
        self.asked += 1
        if self.asked <= self.times:
            raise httpx.ReadError("died in the middle", request=request)
        return httpx.Response(200, json={})

    async def aclose(self):
        pass


@pytest.mark.parametrize(
    ("method", "headers", "asked"),
    [("GET", {}, 3), ("POST", {"Idempotency-Key": "k"}, 3), ("POST", {}, 1)],
    ids=["what only reads", "what carries a key", "what could be done twice"],
)
async def test_what_was_not_answered_is_asked_again_unless_that_could_do_it_twice(monkeypatch, method, headers, asked):
    monkeypatch.setattr("chaos.processes.patient.AGAIN_SECONDS", 0)
    patient = Patient()
    patient._edge = service = Dying(times=2)
    async with httpx.AsyncClient(transport=patient, base_url="http://127.0.0.1") as client:
        with contextlib.suppress(httpx.ReadTimeout):
            await client.request(method, "/v1", headers=headers)
    assert service.asked == asked


def test_every_blow_falls_with_some_database_and_what_is_one_s_own_with_that_alone():
    assert {*blows_of("sqlite"), *blows_of("postgresql")} == {*BLOWS}
    assert {*BLOWS} - {*blows_of("sqlite")} == {"database away"}
    assert {*BLOWS} - {*blows_of("postgresql")} == {"database locked", "database full", "backup beside"}
    assert {*SHORT} <= {*BLOWS}


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_processes_that_are_killed_stopped_and_cut_off_keep_every_promise(database):
    (wave,) = await besieged(7, 2, lambda _line: None, database=database, only=SHORT)
    assert not [(each.broken, each.story) for each in wave.judged if each.broken]
    assert sum(wave.fired.get(name, 0) for name in SHORT) >= 2
    assert report_of([wave], "")["double"] == 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_deploys_and_rollbacks_amid_kills_keep_every_promise_and_every_history_replays():
    blows = ("rollback", "deploy, newer killed", "kill worker", "clocks off")
    (wave,) = await besieged(7, 2, lambda _line: None, database="sqlite", only=blows)
    assert not [(each.broken, each.story) for each in wave.judged if each.broken]
    assert min(wave.deploys.deploys, wave.deploys.rollbacks, wave.deploys.at_once) >= 1
    assert wave.histories.replayed == wave.histories.made > wave.histories.moved >= 1


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_a_release_with_a_step_that_is_under_no_patch_breaks_the_run_which_says_whose_history_does_not_replay():
    (wave,) = await besieged(3, 1, lambda _line: None, database="sqlite", only=("rollback",), careless=True)
    (judged,) = wave.judged
    told = [each.says for each in judged.broken if each.invariant == REPLAYS]
    assert told
    assert f"subscription/{judged.customer_uid}" in told[0]
    assert "a further step" in told[0]
    assert report_of([wave], "")["verdict"] == "fail"
