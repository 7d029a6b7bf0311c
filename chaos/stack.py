"""The whole product in this process, over real parts: Temporal dev server, emulator, ledger, worker and api.

The only place of the harness that knows how the product is put together; everything else speaks HTTP.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from temporalio.client import Client
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from api.app import create_app
from api.clock import SEARCH_ATTRIBUTES, TIME_SKIPPING_FLAGS
from billing.emulator import EmulatorSettings, create_emulator
from billing.ledger import Ledger
from billing.settings import Settings
from billing.temporal import DATA_CONVERTER
from chaos.recorder import Recorder
from worker import create_event_worker, create_worker, portone_client

API_KEY = "gudok_local_key"
ANSWER_SECONDS = 5.0
"""How long the api waits for an outcome before it answers 202: what only virtual time brings is not waited for."""

ONE_PARTITION = (
    *("--dynamic-config-value", "matching.numTaskqueueReadPartitions=1"),
    *("--dynamic-config-value", "matching.numTaskqueueWritePartitions=1"),
)
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Stack:
    """Where the parts of one product answer: `api` and `emulator` over HTTP, and Temporal by its client."""

    temporal: Client
    task_queue: str
    api: httpx.AsyncClient
    emulator: httpx.AsyncClient
    recorder: Recorder
    database_url: str


@contextlib.asynccontextmanager
async def a_dev_server() -> AsyncIterator[WorkflowEnvironment]:
    """The real dev server, with a clock of its own for each workflow."""
    # On a busy machine a workflow task may take longer than the two seconds after which the SDK suspects a deadlock.
    os.environ.setdefault("TEMPORAL_DEBUG", "1")
    found = Path(sys.executable).parent / "temporal"
    async with await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False, max_session_skip_count=100_000),
        dev_server_existing_path=str(found) if found.exists() else shutil.which("temporal") or "temporal",
        dev_server_log_level="never",
        dev_server_startup_timeout=timedelta(seconds=_PATIENCE_SECONDS),
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_extra_args=[*TIME_SKIPPING_FLAGS, *ONE_PARTITION],
        data_converter=DATA_CONVERTER,
    ) as environment:
        yield environment


@contextlib.asynccontextmanager
async def a_stack(
    temporal: Client,
    folder: Path,
    *,
    cached_workflows: int = 1000,
    emulator_settings: dict[str, Any] | None = None,
    **changes: Any,
) -> AsyncIterator[Stack]:
    """Emulator, ledger, api and worker, each with its own files and ports, on one Temporal.

    `cached_workflows` 0 replays every run from its history with every task. `changes` are settings of the product.
    """
    async with contextlib.AsyncExitStack() as exits:
        listening = _listening()
        console = {"sandbox": True, "webhook_url": f"{_url(listening)}/webhooks/portone"}
        emulator = create_emulator(EmulatorSettings(**{**console, **(emulator_settings or {})}))
        recorder = Recorder(emulator, emulator.state.account.world.clock.now)
        emulator_url = await exits.enter_async_context(_served(recorder))
        settings = Settings(
            **{
                "mode": "test",
                "portone_url": emulator_url,
                "portone_include_sandbox": True,
                "database_url": f"sqlite:///{folder}/ledger.db",
                "public_url": _url(listening),
                "first_answer_seconds": ANSWER_SECONDS,
                **changes,
            }
        )
        ledger = Ledger(settings.database_url.get_secret_value())
        exits.push_async_callback(ledger.aclose)
        await ledger.migrate()
        portone = portone_client(settings)
        exits.push_async_callback(portone.aclose)
        task_queue = f"billing-{uuid.uuid4().hex[:8]}"
        app = create_app(settings, ledger, temporal, task_queue=task_queue)
        api_url = await exits.enter_async_context(_served(app, listening))
        worker = create_worker(
            temporal, settings, portone, ledger, task_queue=task_queue, max_cached_workflows=cached_workflows
        )
        await exits.enter_async_context(worker)
        await exits.enter_async_context(create_event_worker(temporal, settings, ledger, task_queue=task_queue))
        api = await exits.enter_async_context(_client(api_url, headers={"Authorization": f"Bearer {API_KEY}"}))
        control = await exits.enter_async_context(_client(emulator_url))
        yield Stack(temporal, task_queue, api, control, recorder, settings.database_url.get_secret_value())


def _client(base_url: str, **options: Any) -> httpx.AsyncClient:
    each_its_own = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(
        base_url=base_url, timeout=_PATIENCE_SECONDS, limits=each_its_own, trust_env=False, **options
    )


def _listening() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening


def _url(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.asynccontextmanager
async def _served(app: Any, listening: socket.socket | None = None) -> AsyncIterator[str]:
    """An ASGI application on a loopback port; answers its base URL."""
    bound = listening or _listening()
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", proxy_headers=False, timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    try:
        yield _url(bound)
    finally:
        server.should_exit = True
        await task
        bound.close()
