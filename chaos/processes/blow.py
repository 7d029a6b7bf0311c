"""One thing that happens to processes, and the siege in which it does."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from chaos.processes.fleet import POSTGRESQL, SQLITE, Fleet
from chaos.processes.world import ProcessWorld
from chaos.versions import Deploys

POINT_SECONDS = 8.0
"""So long a fail point waits for somebody to come to it."""


@dataclass(slots=True)
class Siege:
    """What is under siege, and what has been done to it.

    Args:
        world: under siege.
        draw: of everything that is random.
        happened: how often each mishap has happened.
        wrong: what a command or an answer said that nothing of this excuses.
        twins: customers who were started by many requests at once.
        deploys: what was deployed, and taken back.
    """

    world: ProcessWorld
    draw: random.Random
    happened: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    deploys: Deploys = field(default_factory=Deploys)

    @property
    def fleet(self) -> Fleet:
        """Its processes."""
        return self.world.fleet


Does = Callable[[Siege], Awaitable[bool]]
"""Does it, and answers whether it has happened."""


class Blow(NamedTuple):
    """One thing that happens to processes: in words, and with which databases."""

    tells: str
    does: Does
    databases: frozenset[str] = frozenset({SQLITE, POSTGRESQL})


async def is_taken(siege: Siege, armed: list[str]) -> bool:
    """Whether a process comes to a point that was armed so; otherwise it is taken back."""
    taken = await siege.world.until(lambda: _async(siege.world.has_taken(armed)), POINT_SECONDS)
    if not taken:
        for name in armed:
            (Path(siege.fleet.points) / name).unlink(missing_ok=True)
    return taken


async def _async(value: bool) -> bool:
    return value
