"""Ringing for events that wait: what the process that wrote them could not ring for, and what was left half-way.

A bell is lost when a worker dies between its commit and its ring, or when Temporal is away. A run that was told and
then terminated leaves its order waiting; it is found by the first event of that order being long overdue.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from api.dependencies import Desk
from api.repeating import repeating
from billing.ledger import EventStream
from workflows.events.delivery_bell import ring_all

SWEEP_SECONDS = 5.0
"""How soon a bell that could not be rung is tried again."""

GRACE = timedelta(seconds=3)
"""How old a row must be before the sweep takes it: younger ones are being rung by who wrote them."""

OVERDUE = timedelta(minutes=15)
"""How long after its time an event is taken to be forgotten: a run that lives is never so late."""


async def ring(desk: Desk, waiting: Sequence[EventStream]) -> None:
    """Ring for every order, and note which could be rung."""
    if not waiting:
        return
    rung = await ring_all(desk.temporal, desk.task_queue, [(each.endpoint_id, each.customer_uid) for each in waiting])
    await desk.ledger.events.mark_rung([each for each, done in zip(waiting, rung, strict=True) if done], desk.now())


async def sweep(desk: Desk) -> None:
    """Ring for everything that waits and that nobody comes for."""
    now = desk.now()
    await ring(desk, await desk.ledger.events.to_be_rung(older_than=now - GRACE, overdue=now - OVERDUE))


@contextlib.asynccontextmanager
async def sweeping_events(desk: Desk) -> AsyncIterator[None]:
    """Sweep in the background until the block ends; the first time also seal every secret under the newest key."""
    sealed = False

    async def once() -> None:
        nonlocal sealed
        await sweep(desk)
        if not sealed:
            await desk.endpoints.reseal()
            sealed = True

    async with repeating("event sweep", SWEEP_SECONDS, once):
        yield
