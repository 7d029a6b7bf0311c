"""Rounds of many subscribers at once: things go wrong, then they no longer do, then the books are judged."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from chaos.audited import audited, webhooks_of, with_audit
from chaos.faults import Pair
from chaos.judging import Judged, judge
from chaos.lives import Subscriber, draw_subscriber
from chaos.plan import Lives, pairs_of
from chaos.stack import a_stack
from chaos.versions import Deploys, Histories
from chaos.world import StuckError, World

QUIET_DAYS = 45
"""So much virtual time passes after the last mishap: longer than every ladder of retries and looks."""
UNCACHED = 0.15
"""How many rounds have a worker that replays every run from its history with each task; that is ten times the work."""
LIFE_SECONDS = 1800.0
"""So long, in real time, a life may take before it is called stuck: that it stands still is seen much sooner."""
_QUIET_STEPS = (2, 15, 28)
_STEP_DAYS = 90


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round."""

    seed: int
    judged: Sequence[Judged]
    covered: Sequence[Pair]
    missed: Sequence[Pair]
    fired: dict[str, int]
    seconds: float
    virtual_days: float
    commands: dict[str, int]
    lives: Lives = ()
    """The pairs of each subscriber."""
    periods: int = 1
    """That a life went on for which nothing had ended."""
    uncached: float = 0.0
    """The chance with which its worker kept no run in memory."""
    struck: Sequence[str] = ()
    """Every mishap that met a call of its step, once for each time."""
    planned: Sequence[Pair] = ()
    webhooks: Mapping[str, int] = field(default_factory=dict)
    """What webhooks came to, by disposition."""
    blows: Sequence[str] = ()
    """What was to happen to processes."""
    deploys: Deploys = field(default_factory=Deploys)
    """What was deployed meanwhile, and taken back."""
    histories: Histories = field(default_factory=Histories)
    """What became of every history that was made, in this round and those before it; nothing where none was read."""


async def one_round(
    temporal: Client,
    seed: int,
    subscribers: int,
    say: Callable[[str], None],
    *,
    pairs: Lives | None = None,
    periods: int = 1,
    uncached: float = UNCACHED,
) -> Round:
    """Live one round and judge it; the same seed draws the same lives.

    Args:
        temporal: the dev server.
        seed: of everything that is drawn.
        subscribers: how many live.
        say: is told what came of it.
        pairs: of mishaps, for each; drawn too, unless given.
        periods: that a life goes on for which nothing has ended.
        uncached: with this chance the worker keeps no run in memory.
    """
    begun, draw = time.monotonic(), random.Random(f"round {seed}")
    emulator = {"refuse_duplicate_again": draw.random() < 0.5}
    cached = 0 if draw.random() < uncached else 1000
    with tempfile.TemporaryDirectory(prefix="gudok-chaos-") as folder:
        async with a_stack(temporal, Path(folder), emulator_settings=emulator, cached_workflows=cached) as stack:
            world = World(stack)
            everybody = [
                draw_subscriber(world, f"r{seed:04d}_{n:03d}", f"{seed}/{n}", own, 9900 + 10 * n)
                for n, own in enumerate(pairs_of(seed, subscribers) if pairs is None else pairs)
            ]
            one = await _lived(world, seed, everybody, periods)
    knobs = f"{'no cache' if not cached else 'cached'}, {emulator}, {time.monotonic() - begun:.0f} s"
    say(f"seed {seed}: {sum(bool(each.broken) for each in one.judged)} of {subscribers} broken ({knobs})")
    return replace(one, seconds=time.monotonic() - begun, periods=periods, uncached=uncached)


async def _lived(world: World, seed: int, everybody: Sequence[Subscriber], periods: int) -> Round:
    """Trouble, quiet, and judgement."""
    await asyncio.gather(*(in_trouble(each) for each in everybody))
    rules = await world.control("GET", "faults")
    await world.no_more_faults()
    world.in_trouble = False
    await asyncio.gather(*(in_quiet(each, periods) for each in everybody))
    await reconciled(world, everybody)
    judged = [await judge(each) for each in everybody]
    judged = await with_audit(judged, await audited(world, everybody, judged))
    one = await came_to(world, seed, everybody, judged, rules)
    await end_what_runs(world)
    return one


async def came_to(
    world: World,
    seed: int,
    everybody: Sequence[Subscriber],
    judged: Sequence[Judged],
    rules: Sequence[Mapping[str, Any]],
) -> Round:
    """What is told of a round: what was planned, what struck, and how it was judged."""
    fired: Counter[str] = Counter()
    for rule in rules:
        fired[rule["kind"]] += rule["fired"]
    commands = Counter(
        call.does.rpartition("/")[2] if "/v1/" in call.does else call.does for call in world.journal.calls
    )
    days = [(await world.now(each.uid) - each.acts[0][0]).total_seconds() / 86_400 for each in everybody]
    return Round(
        seed,
        judged,
        [pair for each in everybody for pair in each.covered],
        [pair for each in everybody for pair in each.missed],
        dict(fired),
        0.0,
        sum(days),
        dict(commands),
        struck=[name for each in everybody for name in each.struck],
        lives=[each.pairs for each in everybody],
        planned=[pair for each in everybody for pair in each.pairs],
        webhooks=await webhooks_of(world),
    )


async def in_trouble(subscriber: Subscriber) -> None:
    """A whole life while things go wrong; one that does not come to rest is called stuck."""
    try:
        async with asyncio.timeout(LIFE_SECONDS):
            await subscriber.live()
    except (StuckError, httpx.TransportError) as error:
        subscriber.stuck = str(error)
    except TimeoutError:
        subscriber.stuck = f"its life took longer than {LIFE_SECONDS:.0f} s"


async def in_quiet(subscriber: Subscriber, periods: int = 1) -> None:
    """Nothing goes wrong any more: everything that is due comes to its end, and a command is heard.

    A life that nobody has ended goes on until it is so many periods long.
    """
    world, uid = subscriber.world, subscriber.uid
    if subscriber.stuck or not await world.subscription(uid):
        return
    try:
        for days in _QUIET_STEPS:
            await world.advance(uid, days=days)
        while await _is_younger(subscriber, periods):
            await world.advance(uid, days=_STEP_DAYS)
        heard = await world.call(uid, "GET", f"/v1/subscriptions/{uid}/preview")
        if heard.status is None:
            subscriber.stuck = "the run answers nothing any more"
    except (StuckError, httpx.TransportError) as error:
        subscriber.stuck = str(error)


async def _is_younger(subscriber: Subscriber, periods: int) -> bool:
    """Whether a life that goes on has not come to so many periods by its calendar."""
    life, shown = subscriber.life, await subscriber.world.subscription(subscriber.uid)
    if life is None or not life.counts or shown.get("status") != "active":
        return False
    return await subscriber.world.now(subscriber.uid) < life.due_of(periods)


async def reconciled(world: World, everybody: Sequence[Subscriber]) -> None:
    """Twice, as on two days: the first one rings whoever is concerned, the second one lists what is left."""
    for _ in range(2):
        with contextlib.suppress(StuckError):
            await world.reconcile()
        await asyncio.gather(*(_a_day(each) for each in everybody))


async def _a_day(subscriber: Subscriber) -> None:
    if not subscriber.stuck and await subscriber.world.subscription(subscriber.uid):
        try:
            await subscriber.world.advance(subscriber.uid, hours=20)
        except (StuckError, httpx.TransportError) as error:
            subscriber.stuck = str(error)


async def end_what_runs(world: World) -> None:
    """End every run of this world: its ledger and its emulator are about to go."""
    async for run in world.stack.temporal.list_workflows('ExecutionStatus = "Running"'):
        if run.task_queue == world.stack.task_queue:
            handle = world.stack.temporal.get_workflow_handle(run.id, run_id=run.run_id)
            await asyncio.gather(handle.terminate("the round is over"), return_exceptions=True)
