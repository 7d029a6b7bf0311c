"""`gudok up` in real processes: ready means ready, taken ports stop nothing, and the data is its owner's alone."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from api import processes
from api.data_folder import make_private_folder
from api.parts import LocalStackError, Part, temporal_part, worker_part
from api.polling import polls
from api.ports import ANY, Ports, choose_ports, free_port, listen_on
from api.processes import AUTHORIZATION, LocalStack
from billing.temporal import connect
from tests.patience import PATIENCE_SECONDS

SUBSCRIPTION = {
    "customer_uid": "held_back",
    "plan": {"name": "월간 이용권", "amount": 9900, "interval": "month"},
    "payment_method": {
        "card": {"card_number": "4518-4212-3456-7890", "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
    },
}


def part_of(stack, name):
    return next(part for part in stack._parts if part.name == name)


def taken():
    """A port that something else listens on, and that which keeps it."""
    holder = listen_on(0)
    return holder.getsockname()[1], holder


async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url, headers=AUTHORIZATION) as answer:
        return answer.status, await answer.json(content_type=None)


@pytest_asyncio.fixture(scope="module")
async def up(tmp_path_factory):
    """A stack whose every wished port was taken after it had been chosen; what it said, and what holds the ports."""
    folder = tmp_path_factory.mktemp("up") / "data" / "stack"
    wished, holders = zip(*(taken() for _ in range(4)), strict=True)
    said = []
    stack = LocalStack(folder=folder, ports=Ports(*wished), say=said.append)
    # In a shell that lets everybody read what it makes, as most do.
    before = os.umask(0o022)
    try:
        async with stack.running():
            yield stack, wished, said
    finally:
        os.umask(before)
        for holder in holders:
            holder.close()


@pytest.mark.soak
async def test_ports_that_were_taken_meanwhile_are_chosen_again_said_and_remembered(up):
    stack, wished, said = up
    mine = (stack.ports.temporal, stack.ports.temporal_ui, stack.ports.emulator, stack.ports.api)
    assert len({*mine, *wished}) == 8
    assert (await get(f"{stack.api_url}/readyz"))[0] == 200
    assert json.loads((stack.folder / "ports.json").read_text()) == {
        "temporal": mine[0],
        "temporal_ui": mine[1],
        "emulator": mine[2],
        "api": mine[3],
    }
    assert choose_ports(stack.folder, wanted={}) == stack.ports
    for port in wished:
        assert any(f"port {port} is taken" in line for line in said), said


async def test_everything_that_a_stack_writes_is_its_owners_alone(up):
    stack, _, _ = up
    folder = stack.folder
    there = {path.relative_to(folder).as_posix(): path for path in (folder, *folder.rglob("*"))}
    expected = {"temporal.db", "temporal.db-wal", "emulator.db", "ledger.db", "ports.json", "logs/api.log"}
    assert expected <= there.keys()
    open_to_others = {name for name, path in there.items() if path.stat().st_mode & 0o077}
    assert open_to_others == set()
    assert folder.parent.stat().st_mode & 0o077 == 0


async def test_ready_is_said_when_the_worker_asks_for_work_of_every_kind(up):
    stack, _, _ = up
    temporal = await connect(stack.address)
    assert await polls(temporal, part_of(stack, "worker").process.pid)
    # Temporal goes on naming a worker that is gone; that is not the one which was started.
    assert not await polls(temporal, part_of(stack, "api").process.pid)


async def test_a_port_stays_taken_while_its_part_is_away_and_callers_are_answered_after_it(up):
    stack, _, _ = up
    api = part_of(stack, "api")
    dead = api.process
    os.kill(dead.pid, signal.SIGKILL)
    await dead.wait()
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", stack.ports.api))
    assert (await get(f"{stack.api_url}/healthz"))[0] == 200
    assert api.process is not dead


@pytest.mark.soak
async def test_temporal_that_comes_back_on_other_ports_is_found_again_by_all(up):
    stack, _, said = up
    temporal = part_of(stack, "temporal")
    before, dead = stack.ports, temporal.process
    told = {name: part_of(stack, name).process for name in ("worker", "api")}
    os.kill(dead.pid, signal.SIGKILL)
    await dead.wait()
    with listen_on(before.temporal) as thief:
        assert thief.getsockname()[1] == before.temporal
        while temporal.process is dead:
            await asyncio.sleep(0.01)
        await stack._ready(temporal)
        for name, process in told.items():
            await process.wait()
            while part_of(stack, name).process is process:
                await asyncio.sleep(0.01)
            await stack._ready(part_of(stack, name))
    assert stack.ports.temporal != before.temporal
    assert (stack.ports.api, stack.ports.emulator) == (before.api, before.emulator)
    assert json.loads((stack.folder / "ports.json").read_text())["temporal"] == stack.ports.temporal
    assert f"port {before.temporal} is taken by something else: temporal gets {stack.ports.temporal}" in said


async def test_a_port_that_is_taken_between_the_look_and_the_start_is_chosen_again(tmp_path, monkeypatch):
    port, holder = taken()
    looks = []

    def look(first, *, besides=()):
        looks.append(first)
        return port if len(looks) == 1 else free_port(first, besides=besides)

    monkeypatch.setattr(processes, "free_port", look)
    with holder:
        stack = LocalStack(folder=tmp_path / "stack", ports=ANY, say=[].append)
        make_private_folder(stack.folder)
        try:
            await stack._begin(temporal_part(stack.folder, lambda: stack.ports))
            assert stack.ports.temporal not in (0, port)
        finally:
            await stack._stop()


async def test_a_server_of_others_at_the_same_ports_is_not_taken_for_our_own(tmp_path, up):
    stack, _, _ = up
    part = part_of(stack, "temporal")
    assert await part.is_ready()
    # The same answers at the same address; nothing that this process has printed.
    other = Part("temporal", part.command, part.answers, process=part.process, log_begins=1 << 30)
    assert not await other.is_ready()


async def test_a_second_stack_on_the_same_folder_is_refused_and_takes_nothing_from_the_first(up):
    stack, _, _ = up
    pids = {part.name: part.process.pid for part in stack._parts}
    inode = (stack.folder / "ledger.db").stat().st_ino
    for fresh in (False, True):
        second = LocalStack(folder=stack.folder, ports=ANY, say=print, fresh=fresh)
        with pytest.raises(LocalStackError, match="another `gudok up`"):
            async with second.running():
                pass
    assert {part.name: part.process.pid for part in stack._parts} == pids
    assert (stack.folder / "ledger.db").stat().st_ino == inode
    assert (await get(f"{stack.api_url}/readyz"))[0] == 200


async def test_a_part_that_cannot_start_is_given_up_with_its_last_words(tmp_path):
    async def never(_):
        return False

    make_private_folder(tmp_path / "stack")
    stack = LocalStack(folder=tmp_path / "stack", ports=ANY, say=[].append)
    words = "import sys; print('GUDOK_NO_SUCH is not understood'); sys.exit(2)"
    try:
        with pytest.raises(LocalStackError, match=r"broken ended 3 times(.|\n)*GUDOK_NO_SUCH is not understood"):
            await stack._begin(Part("broken", lambda: [sys.executable, "-S", "-c", words], never))
    finally:
        await stack._stop()


async def test_a_worker_that_does_not_ask_for_work_is_not_ready(dev_server):
    address = dev_server.client.service_client.config.target_host
    sleeping = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    try:
        part = worker_part(lambda: address)
        assert not await part.is_ready()
        part.process = sleeping
        assert not await part.is_ready()
    finally:
        sleeping.kill()
        await sleeping.wait()
    assert not await worker_part(lambda: "127.0.0.1:9").is_ready()


@pytest.fixture
def held_back(tmp_path, monkeypatch):
    """A Python whose worker does not begin before the file that is answered here exists."""
    folder = tmp_path / "bin"
    folder.mkdir()
    go = tmp_path / "go"
    python = folder / "python"
    python.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *api.cli\\ worker*) while [ ! -e "{go}" ]; do sleep 0.1; done;; esac\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)
    beside = Path(sys.executable).parent / "temporal"
    (folder / "temporal").symlink_to(beside if beside.exists() else shutil.which("temporal"))
    monkeypatch.setattr(sys, "executable", str(python))
    return go


async def test_an_api_that_is_up_before_the_worker_does_no_harm_and_nothing_is_ready_yet(tmp_path, held_back):
    stack = LocalStack(folder=tmp_path / "stack", ports=ANY, say=[].append)
    ready = asyncio.Event()

    async def run():
        async with stack.running():
            ready.set()
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    try:
        while len(stack._parts) < 4 or not await part_of(stack, "api").is_ready():
            await asyncio.sleep(0.1)
        async with (
            aiohttp.ClientSession() as session,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            url = f"{stack.api_url}/v1/subscriptions"
            started = asyncio.create_task(session.post(url, json=SUBSCRIPTION, headers=AUTHORIZATION).__aenter__())
            assert not ready.is_set()
            held_back.touch()
            answer = await started
            assert answer.status in (201, 202), await answer.text()
            await ready.wait()
            while (await get(f"{url}/held_back"))[1].get("status") != "active":
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
