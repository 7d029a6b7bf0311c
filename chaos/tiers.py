"""How much a run does, by name: what `make test` can afford, what a night can, and what a release is worth."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """How many lives of how many periods.

    Args:
        subscribers: in each round.
        periods: that a life which is not ended goes on for.
        rounds: at least.
        charges: that all rounds come to together, at least.
        floor: times that each mishap has to strike, or the run is invalid.
        uncached: the share of rounds whose worker keeps no run in memory, at ten times the work.
        every_pair: whether rounds of one period follow until every pair is covered, or was planned in vain.
    """

    subscribers: int
    periods: int = 1
    rounds: int = 1
    charges: int = 0
    floor: int = 0
    uncached: float = 0.15
    every_pair: bool = False

    def goes_on(self, rounds: int, charges: int) -> bool:
        """Whether there is more to do after so many rounds and charges."""
        return rounds < self.rounds or charges < self.charges


TIERS: Mapping[str, Tier] = {
    "smoke": Tier(subscribers=2, uncached=0.0),
    "nightly": Tier(subscribers=12, periods=12, rounds=42, floor=20, uncached=0.04, every_pair=True),
    "soak": Tier(subscribers=30, periods=24, rounds=50, charges=30_000, floor=20, uncached=0.02),
}
