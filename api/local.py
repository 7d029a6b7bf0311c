"""`gudok up`: everything in one foreground process, its data under one folder, its links printed."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from api.processes import LocalStack, choose_ports
from billing.settings import LOCAL_API_KEY

DATA = Path(".gudok")


async def up(folder: Path, wanted: Mapping[str, int | None], *, fresh: bool) -> None:
    """Run until Ctrl-C. Running subscriptions go on at the next start, whatever was killed."""
    console = Console()
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    stack = LocalStack(
        folder=folder,
        ports=choose_ports(folder, wanted=wanted),
        say=lambda line: console.print(f"[yellow]{line}[/]"),
        temporal_address=os.environ.get("TEMPORAL_ADDRESS"),
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print("starting Temporal, the PortOne emulator, a worker and the api ...")
    async with stack.running():
        console.print(links(stack))
        await stop.wait()
        console.print("stopping; subscriptions go on with the next `gudok up`")


def links(stack: LocalStack) -> Table:
    """Where everything is."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("API", stack.api_url, f"Authorization: Bearer {LOCAL_API_KEY}")
    table.add_row("API reference", f"{stack.api_url}/docs", "try it in the browser")
    table.add_row("Temporal UI", f"{stack.ui_url}/namespaces/default/workflows", "one run per subscriber")
    table.add_row("PortOne emulator", stack.emulator_url, "books: /emulator/books, webhooks: /emulator/webhooks")
    table.add_row("Data and logs", str(stack.folder), "gudok up --fresh starts anew")
    return table
