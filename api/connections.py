"""HTTP to an address on this machine, or to one that a developer names: every request on a connection of its own.

A kept connection may be closed by the other side in the moment in which the next request is sent on it. Whether that
request was read is then unknown, and it must not simply be sent again. One that nobody kept cannot be closed that way.
"""

from typing import Any

import aiohttp


def own_connections(*, seconds: float, **options: Any) -> aiohttp.ClientSession:
    """A session in which no request meets a connection that was kept; `seconds` is the longest that one may take."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=aiohttp.ClientTimeout(total=seconds),
        **options,
    )
