"""No request goes to the inside, whatever a name leads to; and little of an answer is kept."""

import asyncio
import contextlib
import gzip
import socket

import pytest
from aiohttp.abc import AbstractResolver
from aiohttp.test_utils import unused_port

from billing.domain.endpoint_url import EndpointUrl, endpoint_url
from billing.egress import (
    MAX_ANSWER_BYTES,
    AddressRefusedError,
    CheckedResolver,
    HostNotFoundError,
    check_host,
    post,
)
from tests.domain.test_endpoint_url import PRIVATE

PUBLIC = "8.8.8.8"


class Names(AbstractResolver):
    """A name server that answers what it is told, one list of addresses for each question; the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def resolve(self, host, port=0, family=socket.AF_INET):  # noqa: ARG002 - a resolver's
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise OSError(None, "DNS lookup failed")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in addresses
        ]

    async def close(self):
        pass


def outside(port=443):
    return endpoint_url(f"https://shop.example.com:{port}/hook", allow_loopback=True)


def here(receiver, path="/hook"):
    return endpoint_url(receiver.url + path, allow_loopback=True)


async def send(target, resolver=None, timeout_seconds=5):
    headers = {"webhook-id": "evt_1", "content-type": "application/json"}
    return await post(target, "{}", headers, timeout_seconds=timeout_seconds, resolver=resolver)


ADDRESSES = [address for address in PRIVATE if ":" in address or address.count(".") == 3]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_leads_inside_is_refused_at_registration_and_at_every_send(address):
    with pytest.raises(AddressRefusedError):
        await check_host(outside(), Names([address]))
    with pytest.raises(AddressRefusedError):
        await send(outside(), Names([address]))


async def test_one_private_address_among_public_ones_refuses_the_name():
    for addresses in (["127.0.0.1", PUBLIC], [PUBLIC, "127.0.0.1"], [PUBLIC, "::1"]):
        with pytest.raises(AddressRefusedError):
            await check_host(outside(), Names(addresses))
        with pytest.raises(AddressRefusedError):
            await send(outside(), Names(addresses))


async def test_a_name_that_is_rebound_after_its_registration_is_refused(receiver):
    names = Names([PUBLIC], ["127.0.0.1"])
    await check_host(outside(), names)
    with pytest.raises(AddressRefusedError):
        await send(outside(), names)
    assert receiver.got == []


async def test_the_socket_itself_is_refused_where_a_resolver_was_fooled(receiver, monkeypatch):
    """The last lock: even if every look-up before it said yes, no connection is opened to the inside."""

    async def believe_everything(self, host, port=0, family=socket.AF_UNSPEC):
        return await self._inner.resolve(host, port, family)

    monkeypatch.setattr(CheckedResolver, "resolve", believe_everything)
    port = int(receiver.url.rpartition(":")[2])
    for target in (
        EndpointUrl(f"http://shop.example.com:{port}/", "shop.example.com", port, loopback=False),
        # An address in the address asks no resolver at all.
        EndpointUrl(f"http://127.0.0.1:{port}/", "127.0.0.1", port, loopback=False),
        EndpointUrl(f"http://localhost:{port}/", "localhost", port, loopback=False),
    ):
        with pytest.raises(AddressRefusedError):
            await send(target, Names(["127.0.0.1"]))
    assert receiver.got == []


async def test_this_machine_may_be_reached_on_the_port_that_was_named_and_a_name_may_not_lead_out_of_it(receiver):
    assert (await send(here(receiver))).status == 200
    local = endpoint_url(f"http://localhost:{unused_port()}/", allow_loopback=True)
    with pytest.raises(AddressRefusedError):
        await send(local, Names([PUBLIC]))


async def test_a_name_that_does_not_resolve_says_so():
    with pytest.raises(HostNotFoundError):
        await check_host(outside(), Names([]))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(receiver, status):
    receiver.answers["evt_1"] = [(status, {"location": f"{receiver.url}/elsewhere"}, b"")]
    assert (await send(here(receiver))).status == status
    assert len(receiver.got) == 1


async def test_no_more_of_an_answer_is_kept_than_a_person_needs(receiver):
    receiver.answers["evt_1"] = [(500, {}, b"\x00why\xff" + b"x" * 100_000)]
    answer = await send(here(receiver))
    assert answer.text.startswith("why\ufffdx")
    assert "\0" not in answer.text
    assert len(answer.text.encode()) < MAX_ANSWER_BYTES + 10


async def test_a_packed_answer_is_not_unpacked(receiver):
    receiver.answers["evt_1"] = [(200, {"content-encoding": "gzip"}, gzip.compress(b"bomb" * 1_000_000))]
    assert "bomb" not in (await send(here(receiver))).text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("-5", None), ("soon", None), ("9" * 12, None), ("１２０", None)],
)
async def test_the_time_that_an_endpoint_asks_for_is_read(receiver, header, seconds):
    receiver.answers["evt_1"] = [(503, {"retry-after": header.encode().decode("latin-1")}, b"")]
    assert (await send(here(receiver))).retry_after_seconds == seconds


async def test_an_endpoint_that_is_slow_is_given_up_after_the_timeout():
    async def never(_reader, writer):
        await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TimeoutError):
        await send(endpoint_url(f"http://127.0.0.1:{port}/", allow_loopback=True), timeout_seconds=0.2)
    server.close()


async def test_a_proxy_of_the_environment_is_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    assert (await send(here(receiver))).status == 200


async def test_an_answer_without_an_end_is_cut_off():
    async def endless(_reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 1000)
                await writer.drain()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answer = await send(endpoint_url(f"http://127.0.0.1:{port}/hook", allow_loopback=True))
    assert answer.text == "x" * MAX_ANSWER_BYTES
    server.close()
