"""`gudok up`: everything in one foreground process, its data under one folder, its links printed."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from api.ports import choose_ports
from api.processes import LocalStack
from billing.settings import LOCAL_API_KEY

DATA = Path(".gudok")


async def up(folder: Path, wanted: Mapping[str, int | None], *, fresh: bool) -> None:
    """Run until Ctrl-C. Running subscriptions go on at the next start, whatever was killed."""
    console = Console()
    stack = LocalStack(
        folder=folder,
        ports=choose_ports(folder, wanted=wanted),
        say=lambda line: console.print(f"[yellow]{line}[/]"),
        temporal_address=os.environ.get("TEMPORAL_ADDRESS"),
        fresh=fresh,
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print("starting Temporal, the PortOne emulator, a worker and the api ...")
    begun = time.monotonic()
    async with stack.running():
        console.print(f"ready after {time.monotonic() - begun:.0f} s; a worker takes what is started")
        console.print(links(stack), highlight=False, soft_wrap=True)
        await stop.wait()
        console.print("stopping; subscriptions go on with the next `gudok up`")


def links(stack: LocalStack) -> str:
    """Where everything is, a line each."""
    rows = (
        ("API", stack.api_url, f"Authorization: Bearer {LOCAL_API_KEY}"),
        ("API reference", f"{stack.api_url}/docs", "try it in the browser"),
        ("Temporal UI", f"{stack.ui_url}/namespaces/default/workflows", "one run per subscriber"),
        ("PortOne emulator", f"{stack.emulator_url}/emulator/books", "what it has charged"),
        ("Data and logs", str(stack.folder), "gudok up --fresh starts anew"),
    )
    return "\n".join(f"  {name:18}{where:54}{note}" for name, where, note in rows)
