"""deploy/temporal/create-namespace.sh against the real server: what the one-shot of docker-compose.yml does."""

import asyncio
import os
import re
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "temporal" / "create-namespace.sh"
BIN = Path(sys.executable).parent

ATTRIBUTES = {
    "CustomerUid": "Keyword",
    "CustomerId": "Keyword",
    "PlanId": "Keyword",
    "SubscriptionStatus": "Keyword",
    "PgProvider": "Keyword",
    "Parked": "Keyword",
    "NextChargeAt": "Datetime",
    "FailedAttempts": "Int",
}

Environment = dict[str, str]


@pytest.fixture(scope="module")
async def environment() -> AsyncIterator[Environment]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = ("server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port)
    server = await asyncio.create_subprocess_exec(BIN / "temporal", *options, stdout=DEVNULL, stderr=DEVNULL)
    yield {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
        "TEMPORAL_NAMESPACE": "shop",
    }
    server.terminate()
    await server.wait()


async def run(environment: Environment, *command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_namespace_and_its_search_attributes_are_made_once_and_left_alone_after(
    environment: Environment,
) -> None:
    for _ in range(2):
        assert (made := await run(environment, "sh", str(SCRIPT)))[0] == 0, made
        code, listed = await run(environment, "temporal", "operator", "search-attribute", "list", "--namespace", "shop")
        assert code == 0, listed
        assert dict(re.findall(r"^\s*(\w+)\s+(\w+)\s*$", listed, re.MULTILINE)).items() >= ATTRIBUTES.items()


async def test_a_server_that_never_answers_is_an_error(tmp_path: Path) -> None:
    for name, script in {"sleep": "exit 0", "temporal": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    code, output = await run({"PATH": f"{tmp_path}:/usr/bin:/bin"}, "sh", str(SCRIPT))
    assert code == 1
    assert "does not answer" in output


def test_the_workflows_write_no_other_search_attribute() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "workflows").rglob("*.py"))
    written = re.findall(r"SearchAttributeKey\.for_(\w+)\(\s*\"(\w+)\"", source)
    used = {name: kind.capitalize() for kind, name in written}
    assert used
    assert used.items() <= ATTRIBUTES.items()
