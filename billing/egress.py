"""Requests to addresses that callers chose: never to the inside, whatever a name resolves to (reliability.md 6.6).

The address is judged where it is used: by the function that makes the socket, from the very address the socket will
connect to. Between that check and the connection there is no second look-up, so a name cannot be rebound in between.
The resolver judges too, all addresses of a name at once: one private address among public ones is an attack.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from billing.domain.endpoint_url import EndpointUrl, may_connect

MAX_ANSWER_BYTES = 2048
"""As much of an answer is kept as a person needs to see what is wrong."""


class AddressRefusedError(OSError):
    """The host leads to an address that nothing is sent to."""


class HostNotFoundError(Exception):
    """The name of the host does not resolve."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: the status, the beginning of the body, and the seconds of `Retry-After` where it says some."""

    status: int
    text: str
    retry_after_seconds: int | None


class CheckedResolver(AbstractResolver):
    """Resolves a name, and refuses it whole when one of its addresses must not be connected to."""

    def __init__(self, target: EndpointUrl, inner: AbstractResolver | None = None) -> None:
        self._target = target
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of a host.

        Raises:
            AddressRefusedError: one of them must not be connected to.
        """
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError:
            raise OSError("the name of the host cannot be looked up") from None
        if not all(may_connect(each["host"], each["port"], self._target) for each in found):
            raise AddressRefusedError("the host leads to a private address")
        return found

    async def close(self) -> None:
        """Nothing to close that is ours."""


async def check_host(target: EndpointUrl, resolver: AbstractResolver | None = None) -> None:
    """Look the host up as a request would.

    Raises:
        AddressRefusedError: it leads to an address that nothing is sent to.
        HostNotFoundError: its name does not resolve.
    """
    try:
        await CheckedResolver(target, resolver).resolve(target.host, target.port)
    except AddressRefusedError:
        raise
    except OSError:
        raise HostNotFoundError("the name of the host does not resolve") from None


async def post(
    target: EndpointUrl,
    body: str,
    headers: Mapping[str, str],
    *,
    timeout_seconds: float,
    resolver: AbstractResolver | None = None,
) -> Answered:
    """POST once, follow nothing, and read no more of the answer than is kept.

    Raises:
        AddressRefusedError: the host leads to an address that nothing is sent to.
        TimeoutError: no answer in time.
        aiohttp.ClientError: no connection, no TLS, or no HTTP.
    """
    refused: list[str] = []

    def open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, sockaddr = address
        if not may_connect(str(sockaddr[0]), int(sockaddr[1]), target):
            refused.append("the host leads to a private address")
            raise AddressRefusedError(refused[0])
        return socket.socket(family=family, type=kind, proto=protocol)

    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(target, resolver),
        use_dns_cache=False,
        force_close=True,
        socket_factory=open_socket,
    )
    # No proxy of the environment, no cookies, nothing unpacked: a small answer must not become a large one.
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    try:
        async with session, session.post(target.url, data=body.encode(), headers=headers, allow_redirects=False) as got:
            return Answered(got.status, await _beginning(got), _retry_after(got.headers.get("Retry-After")))
    except aiohttp.ClientConnectorError as error:
        if refused or isinstance(error.os_error, AddressRefusedError):
            raise AddressRefusedError("the host leads to a private address") from None
        raise


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    read = b""
    while len(read) < MAX_ANSWER_BYTES and (chunk := await answer.content.read(MAX_ANSWER_BYTES - len(read))):
        read += chunk
    return read.decode("utf-8", "replace").replace("\0", "")


def _retry_after(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdecimal() and len(value) < 10 else None  # noqa: PLR2004 - no number of seconds is longer
