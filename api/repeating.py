"""Work that the api does again and again beside its requests, until it stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog


@contextlib.asynccontextmanager
async def repeating(name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do `work` every so many seconds in the background until the block ends; what fails is tried again next time."""
    stopping = asyncio.Event()

    async def until_it_stops() -> None:
        while not stopping.is_set():
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:  # noqa: BLE001 - the next time tries again, whatever it was
                # A database driver may make another error of being cancelled: then there is no next time.
                if not stopping.is_set():
                    structlog.get_logger().warning(f"{name} failed; trying again")

    task = asyncio.create_task(until_it_stops())
    try:
        yield
    finally:
        stopping.set()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
