"""What is done again and again ends when it is told to."""

import asyncio

from api.repeating import repeating
from tests.patience import PATIENCE_SECONDS


async def test_work_that_makes_another_error_of_being_cancelled_still_ends():
    begun = asyncio.Event()

    async def work():
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("the connection was closed") from None

    async with asyncio.timeout(PATIENCE_SECONDS):
        async with repeating("work", 0, work):
            await begun.wait()


async def test_work_that_fails_is_done_again():
    done = asyncio.Semaphore(0)

    async def work():
        done.release()
        raise OSError("once more")

    async with asyncio.timeout(PATIENCE_SECONDS), repeating("work", 0, work):
        for _ in range(3):
            await done.acquire()
