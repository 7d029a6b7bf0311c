"""Whatever a caller leaves unfinished ends: heads, bodies, answers that nobody reads; and connections have a number."""

import asyncio
import contextlib
import json
import socket

import pytest
import pytest_asyncio
import uvicorn

from api.app import create_app
from api.serving import server_config
from billing.ledger import Ledger
from billing.settings import Settings
from billing.temporal import connect
from tests.stack import API_KEY

# Long past every limit that is set here: only a connection that nobody closes lasts so long.
FOR_EVER = 60
HEAD = f"POST /v1/plans HTTP/1.1\r\nHost: gudok\r\nAuthorization: Bearer {API_KEY}\r\n".encode()
JSON = b"Content-Type: application/json\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: gudok\r\n\r\n"


@contextlib.asynccontextmanager
async def listening(app, settings):
    """The server of `gudok api` for an application, on a free port."""
    config = server_config(app, settings, host="127.0.0.1", port=0)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await task


def limits(**changes):
    return Settings(mode="test", **{"header_seconds": 1, "body_seconds": 1, "write_seconds": 1, **changes})


@contextlib.asynccontextmanager
async def api(tmp_path, **changes):
    settings = limits(**changes)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    async with listening(create_app(settings, ledger, await connect("127.0.0.1:1", lazy=True)), settings) as port:
        yield port
    await ledger.aclose()


@pytest_asyncio.fixture
async def port(tmp_path):
    async with api(tmp_path) as port:
        yield port


@contextlib.asynccontextmanager
async def asking(port, said=b""):
    """A connection that has said something; its reader ends when the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def to_the_end(reader):
    """All that the server says until it closes the connection."""
    said = bytearray()
    async with asyncio.timeout(FOR_EVER):
        with contextlib.suppress(ConnectionResetError):
            while part := await reader.read(65_536):
                said += part
    return bytes(said)


def problem_in(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    return json.loads(body)


async def dripping(writer, byte=b"a"):
    with contextlib.suppress(OSError):
        while True:
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param(HEAD, "head_timeout", id="heads"),
        pytest.param(HEAD + JSON + b"Content-Length: 50000\r\n\r\n{", "body_timeout", id="bodies"),
        pytest.param(HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n", "body_timeout", id="chunks"),
    ],
)
async def test_two_hundred_unfinished_requests_are_answered_and_closed(tmp_path, said, code):
    async def unfinished(port):
        async with asking(port, said) as (reader, _):
            return problem_in(await to_the_end(reader))

    # Two hundred connections take a while to begin with: the limit begins when each of them does.
    async with api(tmp_path, header_seconds=3, body_seconds=3) as port:
        answers = await asyncio.gather(*(unfinished(port) for _ in range(200)))
    assert {(answer["status"], answer["code"]) for answer in answers} == {(408, code)}


@pytest.mark.parametrize(
    ("said", "byte", "answered"),
    [
        pytest.param(HEAD + b"X-Slow: ", b"a", b"408", id="a_head"),
        pytest.param(HEAD + JSON + b"Content-Length: 50000\r\n\r\n", b" ", b"408", id="a_body"),
        pytest.param(HEALTH[:-2] + b"Content-Length: 50000\r\n\r\n", b" ", b"200", id="a_body_that_nobody_reads"),
        pytest.param(
            b"POST /v1/plans HTTP/1.1\r\nHost: gudok\r\nContent-Length: 50000\r\n\r\n",
            b" ",
            b"401",
            id="a_body_of_a_stranger",
        ),
        pytest.param(HEALTH + b"GET /healthz", b"a", b"200", id="the_head_of_a_second_request"),
    ],
)
async def test_what_comes_byte_by_byte_is_not_waited_for_from_byte_to_byte(port, said, byte, answered):
    async with asking(port, said) as (reader, writer):
        drip = asyncio.create_task(dripping(writer, byte))
        answer = await to_the_end(reader)
        drip.cancel()
    assert answer.split(b" ", 2)[1] == answered


async def test_a_connection_that_asks_nothing_is_closed_without_a_word(port):
    async with asking(port) as (reader, _):
        assert await to_the_end(reader) == b""


async def test_an_answer_that_nobody_reads_does_not_hold_its_request(tmp_path):
    let_go = asyncio.Event()

    async def endless(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": b"a" * 65_536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        let_go.set()

    async with listening(endless, limits()) as port, asking(port, HEALTH):
        await asyncio.wait_for(let_go.wait(), FOR_EVER)


async def test_one_connection_too_many_is_told_so_and_the_others_are_served(tmp_path):
    async with api(tmp_path, max_connections=200, header_seconds=60) as port, contextlib.AsyncExitStack() as standing:
        held = [await standing.enter_async_context(asking(port, HEALTH[:-2])) for _ in range(200)]
        async with asking(port) as (reader, _):
            assert problem_in(await to_the_end(reader))["code"] == "too_many_connections"
        for reader, writer in held[::50]:
            writer.write(HEALTH[-2:])
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_what_is_no_http_is_refused_as_a_problem(port):
    async with asking(port, b"\x16\x03\x01 this is TLS\r\n\r\n") as (reader, _):
        assert problem_in(await to_the_end(reader))["code"] == "malformed_request"
