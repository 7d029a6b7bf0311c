"""What every test has: no socket outside loopback, and a word at the end on what was skipped and why."""

import ipaddress
import socket

import pytest

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
