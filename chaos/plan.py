"""Which pairs of mishaps the lives of each round meet: all in turn, and those again that met no call of their step."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chaos.faults import Pair, every_pair

PAIRS_A_LIFE = 3
PAIRS_A_LIFE_OF_ALL = 4
"""The same where every pair is to be met."""
MOST_TRIES = 4
"""So often a pair is planned that met no call: a life may have ended before it came there."""

Lives = Sequence[tuple[Pair, ...]]
"""The pairs of each subscriber of a round."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One round that is to be lived: its seed, the pairs of each subscriber, and how long a life goes on."""

    seed: int
    lives: Lives
    periods: int
    uncached: float


@dataclass(slots=True)
class PairsLeft:
    """The pairs that no round has covered, in their turn."""

    waiting: deque[Pair] = field(default_factory=lambda: deque(every_pair()))
    tries: Counter[Pair] = field(default_factory=Counter)

    def next_lives(self, subscribers: int) -> Lives:
        """What the next round meets; each pair in it waits no longer."""
        wanted = min(len(self.waiting), subscribers * PAIRS_A_LIFE_OF_ALL)
        lives, fitted_nowhere = lives_of([self.waiting.popleft() for _ in range(wanted)], subscribers)
        self.waiting.extendleft(reversed(fitted_nowhere))
        self.tries.update(pair for life in lives for pair in life)
        return lives

    def take(self, lives: Lives) -> None:
        """Let nothing of these wait: a round meets them, or has met them."""
        taken = [pair for life in lives for pair in life]
        self.tries.update(taken)
        self.waiting = deque(pair for pair in self.waiting if pair not in {*taken})

    def lived(self, lives: Lives, covered: Sequence[Pair]) -> None:
        """Let those wait again that were not covered, unless they were planned often enough."""
        missed = [pair for life in lives for pair in life if pair not in {*covered}]
        self.waiting.extend(pair for pair in missed if self.tries[pair] < MOST_TRIES)


def pairs_of(seed: int, subscribers: int, pairs: Sequence[Pair] | None = None) -> Lives:
    """Which pairs the subscribers of a round live through: the next ones of all, so that rounds cover every one."""
    pairs = every_pair() if pairs is None else pairs
    wanted = subscribers * PAIRS_A_LIFE
    start = seed * wanted % len(pairs)
    # What fits nowhere comes with the shortest life of another seed.
    return lives_of([*pairs[start : start + wanted], *pairs[: max(0, start + wanted - len(pairs))]], subscribers)[0]


def lives_of(pairs: Sequence[Pair], subscribers: int) -> tuple[Lives, Sequence[Pair]]:
    """Pairs dealt out to lives, one for each step of a life at most; and those for which there was no room."""
    lives: list[list[Pair]] = [[] for _ in range(subscribers)]
    left: list[Pair] = []
    for pair in pairs:
        fitting = [life for life in lives if _fits(pair, life)]
        if fitting:
            min(fitting, key=len).append(pair)
        else:
            left.append(pair)
    return [tuple(life) for life in lives], left


def planned_again(report: Mapping[str, object], seed: int) -> Planned | None:
    """The round of a seed as a report that was kept has it; None where it has no such round."""
    rounds = report.get("rounds")
    assert isinstance(rounds, list)
    for each in rounds:
        if each["seed"] == seed:
            lives = [tuple(Pair(*pair) for pair in life) for life in each["lives"]]
            return Planned(seed, lives, each["periods"], each["uncached"])
    return None


def _fits(pair: Pair, life: Sequence[Pair]) -> bool:
    """Each step once, and a life begins once."""
    taken = {each.step for each in life}
    return pair.step not in taken and not ({pair.step, *taken} >= {"issue", "start"})
