"""What happens when, found by the hour: a list of a few days looks at those days and at nothing else."""

from collections.abc import Iterator

HOUR = 3600


class ByHour:
    """Ids by the hour of an instant; whoever reads checks the instant, since an id stays where it once was."""

    def __init__(self) -> None:
        self._hours: dict[int, dict[str, None]] = {}

    def enter(self, at: int, key: str) -> None:
        """Remember an id at an instant, in Unix seconds."""
        self._hours.setdefault(at // HOUR, {})[key] = None

    def between(self, start: int, end: int) -> Iterator[str]:
        """The ids of every hour from `start` to `end`, those of one hour in the order in which they came."""
        for hour in range(start // HOUR, end // HOUR + 1):
            yield from self._hours.get(hour, ())
