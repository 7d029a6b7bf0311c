"""Rounds of many subscribers at once: things go wrong, then they no longer do, then the books are judged."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from chaos.faults import Pair, every_pair
from chaos.judging import Judged, judge
from chaos.lives import Subscriber, draw_subscriber
from chaos.stack import a_stack
from chaos.world import StuckError, World

PAIRS_A_LIFE = 3
QUIET_DAYS = 45
"""So much virtual time passes after the last mishap: longer than every ladder of retries and looks."""
UNCACHED = 0.15
"""How many rounds have a worker that replays every run from its history with each task; that is ten times the work."""
LIFE_SECONDS = 300.0
_QUIET_STEPS = (2, 15, 28)


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


def pairs_of(seed: int, subscribers: int) -> list[tuple[Pair, ...]]:
    """Which pairs the subscribers of a round live through: the next ones of all, so that rounds cover every one."""
    pairs = every_pair()
    wanted = subscribers * PAIRS_A_LIFE
    start = seed * wanted % len(pairs)
    waiting = [*pairs[start : start + wanted], *pairs[: max(0, start + wanted - len(pairs))]]
    lives: list[list[Pair]] = [[] for _ in range(subscribers)]
    for pair in waiting:
        # One pair for each step of a life; what fits nowhere comes with the shortest life of another seed.
        fitting = [life for life in lives if _fits(pair, life)]
        if fitting:
            min(fitting, key=len).append(pair)
    return [tuple(life) for life in lives]


def _fits(pair: Pair, life: Sequence[Pair]) -> bool:
    """Each step once, and a life begins once."""
    taken = {each.step for each in life}
    return pair.step not in taken and not ({pair.step, *taken} >= {"issue", "start"})


async def one_round(
    temporal: Client,
    seed: int,
    subscribers: int,
    say: Callable[[str], None],
    *,
    pairs: Sequence[tuple[Pair, ...]] | None = None,
) -> Round:
    """Live one round and judge it; the same seed draws the same lives. `pairs` are drawn too, unless given."""
    begun, draw = time.monotonic(), random.Random(f"round {seed}")
    emulator = {"refuse_duplicate_again": draw.random() < 0.5}
    cached = 0 if draw.random() < UNCACHED else 1000
    with tempfile.TemporaryDirectory(prefix="gudok-chaos-") as folder:
        async with a_stack(temporal, Path(folder), emulator_settings=emulator, cached_workflows=cached) as stack:
            world = World(stack)
            everybody = [
                draw_subscriber(world, f"r{seed:04d}_{n:03d}", f"{seed}/{n}", own, 9900 + 10 * n)
                for n, own in enumerate(pairs_of(seed, subscribers) if pairs is None else pairs)
            ]
            await asyncio.gather(*(_in_trouble(each) for each in everybody))
            rules = await world.control("GET", "faults")
            await world.no_more_faults()
            world.in_trouble = False
            await asyncio.gather(*(_in_quiet(each) for each in everybody))
            await _reconciled(world, everybody)
            judged = [await judge(each) for each in everybody]
            days = [(await world.now(each.uid) - each.acts[0][0]).total_seconds() / 86_400 for each in everybody]
            await _end_what_runs(world)
    fired: dict[str, int] = {}
    for rule in rules:
        fired[rule["kind"]] = fired.get(rule["kind"], 0) + rule["fired"]
    commands: dict[str, int] = {}
    for call in world.journal.calls:
        name = call.does.rpartition("/")[2] if "/v1/" in call.does else call.does
        commands[name] = commands.get(name, 0) + 1
    knobs = f"{'no cache' if not cached else 'cached'}, {emulator}, {time.monotonic() - begun:.0f} s"
    say(f"seed {seed}: {sum(bool(each.broken) for each in judged)} of {subscribers} broken ({knobs})")
    return Round(
        seed,
        judged,
        [pair for each in everybody for pair in each.covered],
        [pair for each in everybody for pair in each.missed],
        fired,
        time.monotonic() - begun,
        sum(days),
        commands,
    )


async def _in_trouble(subscriber: Subscriber) -> None:
    try:
        async with asyncio.timeout(LIFE_SECONDS):
            await subscriber.live()
    except StuckError as error:
        subscriber.stuck = str(error)
    except TimeoutError:
        subscriber.stuck = f"its life took longer than {LIFE_SECONDS:.0f} s"


async def _in_quiet(subscriber: Subscriber) -> None:
    """Nothing goes wrong any more: everything that is due comes to its end, and a command is heard."""
    if subscriber.stuck or not await subscriber.world.subscription(subscriber.uid):
        return
    try:
        for days in _QUIET_STEPS:
            await subscriber.world.advance(subscriber.uid, days=days)
        heard = await subscriber.world.call(subscriber.uid, "GET", f"/v1/subscriptions/{subscriber.uid}/preview")
        if heard.status is None:
            subscriber.stuck = "the run answers nothing any more"
    except StuckError as error:
        subscriber.stuck = str(error)


async def _reconciled(world: World, everybody: Sequence[Subscriber]) -> None:
    """Twice, as on two days: the first one rings whoever is concerned, the second one lists what is left."""
    for _ in range(2):
        with contextlib.suppress(StuckError):
            await world.reconcile()
        await asyncio.gather(*(_a_day(each) for each in everybody))


async def _a_day(subscriber: Subscriber) -> None:
    if not subscriber.stuck and await subscriber.world.subscription(subscriber.uid):
        try:
            await subscriber.world.advance(subscriber.uid, hours=20)
        except StuckError as error:
            subscriber.stuck = str(error)


async def _end_what_runs(world: World) -> None:
    async for run in world.stack.temporal.list_workflows('ExecutionStatus = "Running"'):
        if run.task_queue == world.stack.task_queue:
            handle = world.stack.temporal.get_workflow_handle(run.id, run_id=run.run_id)
            await asyncio.gather(handle.terminate("the round is over"), return_exceptions=True)
