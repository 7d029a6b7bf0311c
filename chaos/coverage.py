"""What a run was to meet and what it has met: pairs, mishaps, kill points. Who met too little has proven nothing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from chaos.faults import Pair, every_pair, every_pair_of_processes, mishap_of
from chaos.rounds import Round

PLANNED_OFTEN = 3
"""A mishap that was planned less often may miss its call by chance."""
SHARE = 5
"""One of so many that were planned has to strike, at least once."""


def too_seldom(rounds: Sequence[Round], floor: int = 0) -> dict[str, tuple[int, int]]:
    """Mishaps and kill points that struck too seldom for the run to be evidence: how often, and how often at least.

    Args:
        rounds: of the run.
        floor: strikes that every mishap needs which the run has planned at all.
    """
    planned = Counter(name for one in rounds for pair in one.planned for name in pair[1:])
    struck = Counter(name for one in rounds for name in one.struck)
    needed = {name: max(floor, 1, times // SHARE) for name, times in planned.items() if times >= PLANNED_OFTEN or floor}
    needed |= dict.fromkeys((name for one in rounds for name in one.blows), max(1, floor))
    return {name: (struck[name], least) for name, least in sorted(needed.items()) if struck[name] < least}


def coverage(rounds: Sequence[Round]) -> dict[str, Any]:
    """Pairs planned, covered and missed, of how many there are; and every mishap's times, planned and struck."""
    planned = [pair for one in rounds for pair in one.planned]
    covered = {pair for one in rounds for pair in one.covered}
    missed = {pair for one in rounds for pair in one.missed} - covered
    everything = _all_of(planned)
    times = Counter(name for pair in planned for name in pair[1:])
    struck = Counter(name for one in rounds for name in one.struck)
    return {
        "of": len(everything),
        "planned": len({*planned}),
        "covered": len(covered),
        "missed": len(missed),
        "never_came_to": len({*planned} - covered - missed),
        "by_step": _by_step({*planned}, covered),
        "mishaps": {name: {"planned": times[name], "struck": struck[name]} for name in sorted(times)},
        "covered_at": sorted([*pair] for pair in covered),
        "missed_at": sorted([*pair] for pair in missed),
    }


def _all_of(planned: Iterable[Pair]) -> Sequence[Pair]:
    has_points = any(mishap_of(name).where == "point" for pair in planned for name in pair[1:])
    return every_pair_of_processes() if has_points else every_pair()


def _by_step(planned: set[Pair], covered: set[Pair]) -> dict[str, dict[str, int]]:
    steps = dict.fromkeys(pair.step for pair in sorted(planned))
    return {
        step: {
            "planned": sum(pair.step == step for pair in planned),
            "covered": sum(pair.step == step for pair in covered),
        }
        for step in steps
    }
