"""Webhooks on connections that are kept: a receiver may close one in the very moment in which it is used again."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest


class Hanging:
    """A receiver that answers the first webhook of each connection, and does `then` with the next one.

    `unread` resets the connection before it reads, `read` reads all and closes, `begun` closes inside the status line.
    With `first` it does so with the first webhook of a connection, too.
    """

    def __init__(self) -> None:
        self.url, self.then, self.first = "", "unread", False
        self.connections: list[list[str]] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[str] = []
        self.connections.append(mine)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                if (mine or self.first) and self.then == "unread":
                    await reader.readexactly(1)
                    mine.append("unread")
                    return self._reset(writer)
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                await reader.readexactly(length)
                if mine or self.first:
                    mine.append(self.then)
                    writer.write(b"HTTP/1.1 20" if self.then == "begun" else b"")
                    await writer.drain()
                    return writer.close()
                mine.append("answered")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        return writer.close()

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


@pytest.fixture
async def hanging() -> AsyncIterator[Hanging]:
    made = Hanging()
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    made.url = f"http://{host}:{port}/hook"
    yield made
    server.close()


async def _told(merchant, *orders: str) -> list[tuple[int, str | None]]:
    await merchant.issue()
    for order in orders:
        await merchant.schedule(order)
        await merchant.advance(3600)
    return [(hook["status"], hook["error"]) for hook in await merchant.control("GET", "webhooks")]


@pytest.mark.parametrize("then", ["unread", "read"])
async def test_a_webhook_on_a_connection_that_was_just_closed_is_sent_on_a_fresh_one(start, hanging, then):
    hanging.then = then
    merchant = await start(webhook_url=hanging.url)
    assert await _told(merchant, "m1", "m2") == [(200, None)] * 2
    assert hanging.connections == [["answered", then], ["answered"]]


async def test_many_connections_closed_at_once_lose_no_webhook(start, hanging):
    merchant = await start(webhook_url=hanging.url)
    await merchant.issue()
    for wave in "ab":
        for place in range(20):
            await merchant.schedule(f"{wave}{place}")
        await merchant.advance(3600)
    hooks = await merchant.control("GET", "webhooks")
    assert len(hooks) == 40
    assert {(hook["state"], hook["status"]) for hook in hooks} == {("done", 200)}
    assert sum(mine.count("unread") for mine in hanging.connections) > 0


async def test_a_fresh_connection_without_an_answer_is_the_receivers_own_failure(start, hanging):
    hanging.then, hanging.first = "read", True
    merchant = await start(webhook_url=hanging.url)
    assert await _told(merchant, "m1") == [(0, "ServerDisconnectedError")]
    assert hanging.connections == [["read"]]


async def test_it_is_sent_on_a_fresh_connection_once_and_no_more(start, hanging):
    hanging.then = "read"
    merchant = await start(webhook_url=hanging.url)
    await _told(merchant, "m1")
    hanging.first = True
    assert (await _told(merchant, "m2"))[1] == (0, "ServerDisconnectedError")
    assert hanging.connections == [["answered", "read"], ["read"]]


async def test_an_answer_that_has_begun_is_not_asked_for_again(start, hanging):
    hanging.then = "begun"
    merchant = await start(webhook_url=hanging.url)
    assert (await _told(merchant, "m1", "m2"))[1] == (0, "ServerDisconnectedError")
    assert hanging.connections == [["answered", "begun"]]
