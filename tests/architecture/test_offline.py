"""The guard of tests/conftest.py: no socket leaves the loopback interface."""

import asyncio
import contextlib
import socket

import aiohttp
import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "8.8.8.8", "2001:db8::1"])
def test_a_connection_to_another_machine_is_refused(host: str, left_the_machine: list[str]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(RuntimeError, match="tests stay on"):
        sock.connect((host, 443))
    with socket.socket(family) as sock, pytest.raises(RuntimeError, match="tests stay on"):
        sock.connect_ex((host, 443))
    assert left_the_machine == [host, host]
    left_the_machine.clear()


def test_a_name_of_another_machine_is_not_even_looked_up(left_the_machine: list[str]) -> None:
    with pytest.raises(RuntimeError, match="tests stay on"):
        socket.getaddrinfo("api.iamport.kr", 443)
    assert left_the_machine == ["api.iamport.kr"]
    left_the_machine.clear()


async def test_asyncio_and_aiohttp_are_held_too_and_a_swallowed_refusal_is_remembered(
    left_the_machine: list[str],
) -> None:
    async with aiohttp.ClientSession() as session:
        with contextlib.suppress(RuntimeError):
            await session.get("http://192.0.2.1/")
    with contextlib.suppress(RuntimeError):
        await asyncio.open_connection("192.0.2.2", 80)
    assert left_the_machine == ["192.0.2.1", "192.0.2.2"]
    left_the_machine.clear()


async def test_loopback_stays_open() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("localhost", port, family=socket.AF_INET)
    assert await reader.read() == b""
    writer.close()
    server.close()
