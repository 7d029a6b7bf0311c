"""What every test has: no socket outside loopback, and a word at the end on what was skipped and why."""

import ipaddress
import socket

import pytest
import pytest_asyncio

from tests.stack import running_stack, start_dev_server

_CONNECT = socket.socket.connect


def _is_local(address):
    if not isinstance(address, tuple):
        return True
    host = address[0]
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _connect(self, address):
    if not _is_local(address):
        raise PermissionError(f"a test tried to reach {address!r}; tests stay on loopback")
    return _CONNECT(self, address)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only():
    socket.socket.connect = _connect
    yield
    socket.socket.connect = _CONNECT


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"skipped: {report.nodeid}: {reason}")


@pytest_asyncio.fixture(scope="session")
async def dev_server():
    """One real Temporal dev server for each xdist worker, with a clock of its own for each workflow."""
    async with await start_dev_server() as environment:
        yield environment


@pytest_asyncio.fixture
async def stack(dev_server, tmp_path):
    """The whole product for one test, over that server."""
    async with running_stack(dev_server.client, tmp_path) as running:
        yield running
