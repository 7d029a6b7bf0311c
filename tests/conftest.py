"""What every test lives under: no way out of this machine, and an account of what was skipped."""

import functools
import gc
import gzip
import ipaddress
import os
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import settings as hypothesis_settings
from hypothesis.internal.conjecture import providers as hypothesis_providers

from tests.stack import running_stack, start_dev_server

JOURNEYS = Path(__file__).parent / "replay" / "histories" / "journeys"
ABOUT_THE_TESTS = {"GUDOK_PORTONE_SCHEMA", "GUDOK_PORTONE_FACTS"}
VERSION_OF_A_WORKER = ("TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID")
_LOCAL_NAMES = {"", "localhost", "ip6-localhost"}
_LEFT_THE_MACHINE: list[str] = []


class NetworkRefusedError(RuntimeError):
    """A test reached for something beyond the loopback interface."""


def _is_loopback(host: object) -> bool:
    if host is None:
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    if text in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host: object) -> None:
    _LEFT_THE_MACHINE.append(str(host))
    raise NetworkRefusedError(f"a test tried to reach {host!r}; tests stay on 127.0.0.1")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--record-journeys` writes the history of every journey that has none yet; it replays for ever after."""
    parser.addoption("--record-journeys", action="store_true", help="write missing histories of tests/journeys")


def pytest_configure() -> None:
    """Close the ways out for the whole run; Temporal's core is Rust and talks to servers that the tests start here."""
    # Looking through everything that was imported, again and again, is a tenth of the work.
    gc.set_threshold(50_000, 20, 50)
    # A client reads every certificate authority there is; nothing here is reached by TLS.
    ssl.create_default_context = functools.cache(ssl.create_default_context)
    # The same examples in every run, no stop-watch for each, because the machine is shared, and no database on disk.
    hypothesis_settings.register_profile("gudok", deadline=None, derandomize=True, database=None)
    hypothesis_settings.load_profile("gudok")
    # Nor are numbers taken from whatever modules a worker has imported by then: each would draw other examples.
    assert callable(hypothesis_providers._get_local_constants)
    hypothesis_providers._get_local_constants = lambda: hypothesis_providers._local_constants
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            _refuse(address[0])
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family != socket.AF_UNIX and not _is_loopback(address[0]):
            _refuse(address[0])
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if not _is_loopback(host) and not _is_address(host):
            _refuse(host)
        return getaddrinfo(host, *arguments, **options)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_getaddrinfo
    for name in [name for name in os.environ if name.startswith("GUDOK_") and name not in ABOUT_THE_TESTS]:
        del os.environ[name]  # a developer's own settings are not the tests' business
    # On a busy machine a workflow task may take longer than the two seconds after which the SDK suspects a deadlock.
    os.environ["TEMPORAL_DEBUG"] = "1"
    os.environ["GOGC"] = "400"  # Temporal's own collector, likewise
    for name in VERSION_OF_A_WORKER:
        os.environ.pop(name, None)


def _is_address(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture
def left_the_machine() -> list[str]:
    """Hosts that this test reached for, for a test that does so on purpose and clears the list."""
    return _LEFT_THE_MACHINE


@pytest.fixture(autouse=True)
def _stay_on_this_machine() -> Iterator[None]:
    """Fail a test whose code reached out, even where the code swallowed the refusal."""
    _LEFT_THE_MACHINE.clear()
    yield
    reached = list(_LEFT_THE_MACHINE)
    _LEFT_THE_MACHINE.clear()
    assert not reached, f"reached for {reached}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was skipped and why, or that nothing was; and what the tests have cost."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(_reason(report) for report in skipped)
    terminalreporter.write_sep("-", f"{len(skipped)} skipped" if skipped else "nothing was skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} x {reason}")
    compared: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for counts in (value for name, value in report.user_properties if name == "contract"):
            compared.update(counts)
    if compared:
        counted = ", ".join(f"{count} {what}" for what, count in compared.items())
        terminalreporter.write_line(f"held against PortOne's schema: {counted}")
    for report in terminalreporter.stats.get("passed", []):
        for said in (value for name, value in report.user_properties if name == "counted"):
            terminalreporter.write_line(said)
    # The test processes have ended by now, and what they started and waited for counts with them.
    whose = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in whose)
    terminalreporter.write_line(f"{seconds:.0f} CPU seconds ({seconds / 60:.1f} minutes) in all processes")


def _reason(report: Any) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", report.longrepr))


@pytest_asyncio.fixture(scope="session")
async def dev_server():
    """One real Temporal dev server for each xdist worker, with a clock of its own for each workflow."""
    async with await start_dev_server() as environment:
        yield environment


@pytest_asyncio.fixture
async def stack(dev_server, tmp_path, request):
    """The whole product for one test, over that server."""
    async with running_stack(dev_server.client, tmp_path) as running:
        yield running
        if request.config.getoption("--record-journeys") and request.node.path.parent.name == "journeys":
            await _record_journey(running, request.node.name)


async def _record_journey(running, name):
    for number, customer_uid in enumerate(dict.fromkeys(running.started)):
        path = JOURNEYS / f"{name.removeprefix('test_')}{f'_{number + 1}' if number else ''}.json.gz"
        if not path.exists():
            history = await running.handle(customer_uid).fetch_history()
            JOURNEYS.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(history.to_json().encode(), mtime=0))
