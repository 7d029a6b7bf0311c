"""Waves of subscribers in real processes: things go wrong, then they no longer do, then the books are judged."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from billing.temporal import connect
from chaos.audited import audited, with_audit
from chaos.faults import every_pair_of_processes
from chaos.invariants import Violation
from chaos.judging import judge
from chaos.lives import Subscriber, draw_subscriber
from chaos.plan import pairs_of
from chaos.processes.blow import Siege
from chaos.processes.fleet import Fleet, FleetError, a_fleet
from chaos.processes.histories import replayed
from chaos.processes.mishaps import BLOWS, blows_of
from chaos.processes.world import a_process_world
from chaos.rounds import Round, came_to, in_quiet, in_trouble, reconciled
from chaos.world import StuckError

PAUSE_SECONDS = 0.5
"""Between two blows: something is to be going on again when the next one comes."""
QUIET_SECONDS = 240.0
"""So long after the last blow the parts may take until all of them do their work again."""

Say = Callable[[str], None]


async def besieged(
    seed: int,
    subscribers: int,
    say: Say,
    *,
    database: str,
    minutes: float = 0.0,
    only: Sequence[str] = (),
    careless: bool = False,
) -> list[Round]:
    """Live through waves of subscribers in one fleet of processes, and judge each; the same seed draws the same.

    Args:
        seed: of the first wave, and of the order of the blows.
        subscribers: in each wave.
        say: is told how it goes.
        database: sqlite or postgresql.
        minutes: for which new waves begin; one wave at least.
        only: these blows alone.
        careless: what is deployed changes a workflow without a patch: the harness against itself.
    """
    waves: list[Round] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gudok-siege-") as folder:
        # Every part that dies and comes back would say so: what dies here dies on purpose.
        async with a_fleet(Path(folder), database, lambda _line: None, careless=careless) as fleet:
            blows = list(only) or blows_of(database)
            in_turn = _in_turn(blows, random.Random(f"siege {seed}"))
            before = _Before()
            while not waves or time.monotonic() - begun < 60 * minutes:
                one = await _wave(fleet, seed + len(waves), subscribers, (blows, in_turn), before)
                waves.append(one)
                broken = sum(bool(each.broken) for each in one.judged)
                say(f"seed {one.seed}: {broken} of {subscribers} broken ({database}, {one.seconds:.0f} s)")
                # The whole story comes in the end, which a night that is ended early does not see.
                for each in [violation for judged in one.judged for violation in judged.broken]:
                    say(f"  {each.customer_uid}: {each.invariant}: {each.period}: {each.says}")
            return await _with_histories(fleet, waves, say)


async def _with_histories(fleet: Fleet, waves: Sequence[Round], say: Say) -> list[Round]:
    """The same, with what became of every history that was made in them."""
    begun = time.monotonic()
    found = await replayed(await connect(fleet.address), {release.kind for release in fleet.given_work})
    told = found.histories
    say(f"{told.made} histories made, {told.failed} do not replay ({time.monotonic() - begun:.0f} s)")
    *earlier, last = [_with_broken(wave, found.broken) for wave in waves]
    everybody = [each.customer_uid for wave in waves for each in wave.judged]
    of_nobody = [each for each in found.broken if not any(_is_of(each, uid) for uid in everybody)]
    first, *others = last.judged
    judged = [replace(first, broken=[*first.broken, *of_nobody]), *others]
    return [*earlier, replace(last, judged=judged, histories=told)]


def _with_broken(wave: Round, found: Sequence[Violation]) -> Round:
    def broken(uid: str) -> list[Violation]:
        return [each for each in found if _is_of(each, uid)]

    judged = [replace(each, broken=[*each.broken, *broken(each.customer_uid)]) for each in wave.judged]
    return replace(wave, judged=judged)


def _is_of(found: Violation, uid: str) -> bool:
    return found.customer_uid.startswith(uid)


def _in_turn(blows: Sequence[str], draw: random.Random) -> Iterator[str]:
    """Every blow once in an order that is drawn, and again in another: over all waves, so that each has its turn."""
    while True:
        yield from draw.sample(blows, len(blows))


@dataclass(slots=True)
class _Before:
    """What earlier waves have left in the same books: who lived, and what was found of it already."""

    everybody: list[Subscriber] = field(default_factory=list)
    found: set[Violation] = field(default_factory=set)

    def news(self, found: Sequence[Violation]) -> list[Violation]:
        """Only what no earlier wave has told of."""
        new = [each for each in found if each not in self.found]
        self.found |= {*new}
        return new


async def _wave(
    fleet: Fleet, seed: int, subscribers: int, struck_by: tuple[Sequence[str], Iterator[str]], before: _Before
) -> Round:
    begun, (blows, in_turn) = time.monotonic(), struck_by
    async with a_process_world(fleet) as world:
        siege = Siege(world, random.Random(f"siege {seed}"))
        everybody = [
            draw_subscriber(world, f"p{seed:04d}_{n:03d}", f"{seed}/{n}", own, 9900 + 10 * n)
            for n, own in enumerate(pairs_of(seed, subscribers, every_pair_of_processes()))
        ]
        async with _under_siege(siege, in_turn):
            await asyncio.gather(*(in_trouble(each) for each in everybody))
        rules = await world.control("GET", "faults")
        await _quiet(siege)
        await asyncio.gather(*(in_quiet(each) for each in everybody))
        await reconciled(world, everybody)
        judged = [await judge(each) for each in everybody]
        before.everybody += everybody
        found = await audited(world, before.everybody, judged, artefacts=_artefacts(fleet), counts_webhooks=False)
        judged = await with_audit(judged, [*before.news(found), *await _wrong(siege)])
        one = await came_to(world, seed, everybody, judged, rules)
    return replace(
        one,
        fired={**one.fired, **siege.happened},
        struck=[*one.struck, *siege.happened.elements()],
        seconds=time.monotonic() - begun,
        blows=tuple(blows),
        deploys=siege.deploys,
    )


@contextlib.asynccontextmanager
async def _under_siege(siege: Siege, in_turn: Iterator[str]) -> AsyncIterator[None]:
    """One blow after the other until everybody has lived."""
    task = asyncio.create_task(_blow_after_blow(siege, in_turn))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _blow_after_blow(siege: Siege, in_turn: Iterator[str]) -> None:
    for name in in_turn:
        await asyncio.sleep(PAUSE_SECONDS)
        if await _struck(siege, name):
            siege.happened[name] += 1


async def _struck(siege: Siege, name: str) -> bool:
    """One blow; it is finished also when everybody has lived meanwhile, so that nothing stays cut, stopped or full."""
    blow = asyncio.create_task(_does(siege, name))
    try:
        return await asyncio.shield(blow)
    except asyncio.CancelledError:
        siege.happened[name] += await blow
        raise


async def _does(siege: Siege, name: str) -> bool:
    try:
        return await BLOWS[name].does(siege)
    except FleetError as error:
        siege.wrong.append(f"{name}: {error}")
        return True
    except StuckError:
        return False


async def _quiet(siege: Siege) -> None:
    """Nothing is broken any more, and every part does its work."""
    siege.world.disarm()
    await siege.world.no_more_faults()
    siege.world.in_trouble = False
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await siege.fleet.everything_stands()
    except (FleetError, TimeoutError) as error:
        siege.wrong.append(f"the parts do not come back: {error}")


async def _wrong(siege: Siege) -> list[Violation]:
    """What commands, floods and many starts at once came to."""
    found = [Violation("nothing else breaks", "", "", each) for each in siege.wrong]
    for uid in siege.twins:
        held = await siege.world.held(uid)
        charges = [row for row in await siege.world.charges(uid) if row["state"] == "paid" and row["amount"]]
        if held != sum(row["amount"] for row in charges) or len(charges) > 1:
            found.append(Violation("started once", uid, "", f"{held} won are held, {len(charges)} charges are paid"))
    return found


def _artefacts(fleet: Fleet) -> list[Path]:
    """What Temporal and our own processes have written: nothing of a card may be in it."""
    return [path for path in fleet.folder.rglob("*") if path.is_file() and path.name.startswith(_WRITTEN)]


_WRITTEN = ("temporal", "worker", "api")
