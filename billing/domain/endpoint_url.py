"""Which addresses events may be sent to: nothing that is inside, whatever it is called (reliability.md 6.6)."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

MAX_URL_LENGTH = 2048
PORTS = frozenset({443, 8443})
"""Where HTTPS is served to the outside; any other port may be anything."""

# One host, an optional port, then a path and a query of printable ASCII. No user, no fragment, no backslash: what two
# parsers could read as two hosts is no address here.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$-;=?-\[\]_a-z~]*|\?[!$-;=?-\[\]_a-z~]*)?",
    re.ASCII | re.IGNORECASE,
)

# Of a name, between two full stops (RFC 1035).
_MAX_LABEL = 63

# Where the last label is a number, some libraries read the whole as an IPv4 address: 127.1, 2130706433, 0x7f.1.
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?", re.ASCII)

# IANA's special-purpose registries, multicast, and the transition prefixes, which carry an IPv4 address inside.
_NOT_PUBLIC_4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6 = ip_network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ip_network(network)
    for network in (
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


class RefusedUrlError(ValueError):
    """Events are not sent there; the message says why and repeats nothing of the address."""


@dataclass(frozen=True, slots=True)
class EndpointUrl:
    """An address that may be written down; the addresses its host leads to are judged when it is connected to."""

    url: str
    host: str
    port: int
    loopback: bool


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, whichever way it is written."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return ip.is_global and not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.scope_id is not None or ip not in _PUBLIC_6:
        return False
    return ip.is_global and not any(ip in network for network in _NOT_PUBLIC_6)


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine: 127.0.0.0/8 or ::1."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    return ip.is_loopback


def endpoint_url(url: str, *, allow_loopback: bool) -> EndpointUrl:
    """The address of an endpoint, when events may be sent there: HTTPS on port 443 or 8443, no user in it.

    With `allow_loopback` also http and any port, on this machine only.

    Raises:
        RefusedUrlError: why it may not be.
    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URL_LENGTH else None
    if match is None or not all(0 < len(label) <= _MAX_LABEL for label in match["host"].strip(".").split(".")):
        raise RefusedUrlError("must be an https:// address of a host, without a user, a fragment or spaces")
    scheme, host = match["scheme"].lower(), match["host"].lower().strip("[]")
    port = int(match["port"]) if match["port"] else (443 if scheme == "https" else 80)
    if allow_loopback and (is_loopback(host) or host == "localhost"):
        if not 0 < port < 65536:  # noqa: PLR2004 - the last port
            raise RefusedUrlError("must name a port from 1 to 65535")
        return EndpointUrl(url, host, port, loopback=True)
    if scheme != "https":
        raise RefusedUrlError("must start with https://")
    if port not in PORTS:
        raise RefusedUrlError("must be served on port 443 or 8443")
    if (_is_address(host) or _ENDS_IN_A_NUMBER.fullmatch(host)) and not is_public(host):
        raise RefusedUrlError("must not lead to a private address")
    return EndpointUrl(url, host, port, loopback=False)


def may_connect(address: str, port: int, target: EndpointUrl) -> bool:
    """Whether a socket may be opened to this very address for `target`: the check that no DNS answer gets around."""
    if port != target.port:
        return False
    return is_loopback(address) if target.loopback else is_public(address)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
