"""Rounds until a tier is done, several at once: each in a process with a Temporal of its own, and kept as it ends."""

import asyncio
import hashlib
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from chaos.judging import Judged
from chaos.plan import Lives, PairsLeft, Planned, pairs_of
from chaos.rounds import Round, one_round
from chaos.stack import a_dev_server
from chaos.tiers import Tier

JOBS = 2 * (os.cpu_count() or 1)
"""Half of a round's time is waiting for what takes real time: answers that are lost, tries that come later."""
_ROUNDS_A_PROCESS = 8
"""So many rounds a process lives through before another one takes its place: what they leave in memory goes."""
_LAST_SECONDS = 20
_SABOTAGES = "mutants"
_SOURCES = ("activities", "api", "billing", "chaos", "worker", "workflows")


@dataclass(slots=True)
class Run:
    """The rounds of one run: what is to be lived next, and what came of those that were.

    Args:
        tier: how much.
        seed: of the first round.
        lives: the same for each round; the pairs in turn, unless given.
        left: the pairs that no round has covered, where the tier wants every one.
    """

    tier: Tier
    seed: int = 0
    lives: Lives | None = None
    rounds: list[Round] = field(default_factory=list)
    left: PairsLeft = field(default_factory=PairsLeft)
    begun: set[int] = field(default_factory=set)

    @property
    def judged(self) -> Sequence[Judged]:
        """What was found of every subscriber."""
        return [each for one in self.rounds for each in one.judged]

    def resume(self, rounds: Sequence[Round]) -> None:
        """Go on after rounds that were lived before."""
        for one in rounds:
            self.begun.add(one.seed)
            self.left.take(one.lives)
            self.came_to(one)

    def next_round(self) -> Planned | None:
        """What is to be lived beside the rounds that are under way; None where nothing more is needed."""
        seed = next(seed for seed in itertools.count(self.seed) if seed not in self.begun)
        charges = sum(each.charges for each in self.judged)
        long = self.tier.goes_on(len(self.begun), charges)
        if not long and not (self.tier.every_pair and self.left.waiting):
            return None
        self.begun.add(seed)
        periods = self.tier.periods if long else 1
        return Planned(seed, self._lives_of(seed), periods, self.tier.uncached)

    def came_to(self, one: Round) -> None:
        """Keep what came of a round."""
        self.rounds.append(one)
        self.left.lived(one.lives, one.covered)

    def _lives_of(self, seed: int) -> Lives:
        if self.lives is not None:
            return self.lives
        if self.tier.every_pair:
            return self.left.next_lives(self.tier.subscribers)
        return pairs_of(seed, self.tier.subscribers)


async def lived(run: Run, jobs: int) -> AsyncIterator[tuple[Round, str]]:
    """Every round of the run as it ends, with a line that tells of it.

    Raises:
        Exception: the harness itself failed in a round.
    """
    spawned, code = multiprocessing.get_context("spawn"), sources()
    with ProcessPoolExecutor(jobs, spawned, _end_with, (os.getpid(),), max_tasks_per_child=_ROUNDS_A_PROCESS) as pool:
        under_way: set[asyncio.Future[tuple[Round, str]]] = set()
        while True:
            while len(under_way) < jobs and (planned := run.next_round()) is not None:
                future: Future[tuple[Round, str]] = pool.submit(_live, planned, code)
                under_way.add(asyncio.wrap_future(future))
            if not under_way:
                return
            ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for each in sorted(ended, key=lambda each: each.exception() is not None):
                one, line = each.result()
                run.came_to(one)
                yield one, line


def be_quiet() -> None:
    """What fails here fails on purpose, and is told in the end; every log would say it a hundred times."""
    logging.disable(logging.CRITICAL)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)), error_if_already_set=False)


def sources() -> str:
    """What tells one state of the product's and the harness's code from another."""
    root, digest = Path(__file__).parent.parent, hashlib.sha256()
    found = (path for room in _SOURCES for path in (root / room).rglob("*.py"))
    for path in sorted(path for path in found if _SABOTAGES not in path.parts):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def keep(path: Path, one: Round) -> None:
    """Add a round to those that a later run can go on after."""
    with path.open("ab") as kept:
        pickle.dump(one, kept)


def kept_rounds(path: Path) -> Iterator[Round]:
    """The rounds that were kept, in the order in which they ended."""
    with path.open("rb") as kept:
        while True:
            try:
                yield pickle.load(kept)  # noqa: S301 - written by `keep` on this machine
            except (EOFError, pickle.UnpicklingError):
                # The run was cut off while it kept this one.
                return


def _end_with(parent: int) -> None:
    """Let this process end, and its Temporal with it, when the one that began it is gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        # The round ends its Temporal; the pool would then wait for another one.
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(_LAST_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _live(planned: Planned, code: str) -> tuple[Round, str]:
    """One round in this process.

    Raises:
        RuntimeError: the code has changed since the run began.
    """
    if sources() != code:
        raise RuntimeError("the code has changed since the run began: its rounds prove nothing of either")
    be_quiet()
    return asyncio.run(_round(planned))


async def _round(planned: Planned) -> tuple[Round, str]:
    lines: list[str] = []
    async with a_dev_server() as server:
        one = await one_round(
            server.client,
            planned.seed,
            len(planned.lives),
            lines.append,
            pairs=planned.lives,
            periods=planned.periods,
            uncached=planned.uncached,
        )
    # What tells a story later asks a stack that is gone.
    return replace(one, judged=[replace(each, tell=None) for each in one.judged]), "\n".join(lines)
