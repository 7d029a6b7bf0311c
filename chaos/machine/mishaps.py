"""What may go wrong between a merchant and PortOne, and rows that can be seen as they were."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar


class Card(StrEnum):
    """How a card is answered: paid, declined, or left `ready` without an answer."""

    GOOD = "good"
    DECLINED = "declined"
    UNDECIDED = "undecided"


class Kind(StrEnum):
    """What goes wrong: before it is done, after it, or much later than it was answered; or what is shown is old.

    One that is turned away (429) is answered, and has done nothing.
    """

    BEFORE = "before"
    AFTER = "after"
    LATE = "late"
    STALE = "stale"
    TURNED_AWAY = "turned away"


class Webhooks(StrEnum):
    """What becomes of the next webhook."""

    LOST = "lost"
    TWICE = "twice"
    DELAYED = "delayed"


Row = TypeVar("Row")

CHANGES = ("again", "retry", "schedule", "reschedule", "unschedule", "issue", "delete", "cancel", "onetime")
LOOKS = ("payments", "payment", "schedule_row", "key", "on_key")


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next call of a name, `times` in a row; `seconds` is how late, or how old."""

    call: str
    kind: Kind
    seconds: float = 0.0
    times: int = 1


class UnansweredError(Exception):
    """The answer to a call that changes something did not come."""


class TurnedAwayError(UnansweredError):
    """PortOne takes no call at this moment: nothing was done. Who cannot tell knows no more than without an answer."""


class RefusedError(Exception):
    """PortOne says no."""


@dataclass(slots=True)
class Shelf(Generic[Row]):
    """Rows by name, as they are and as they were."""

    rows: dict[str, Row] = field(default_factory=dict)
    before: dict[str, list[tuple[float, Row | None]]] = field(default_factory=dict)

    def put(self, name: str, row: Row | None, at: float) -> None:
        """Keep a row, or forget it."""
        self.before.setdefault(name, []).append((at, self.rows.get(name)))
        if row is None:
            self.rows.pop(name, None)
        else:
            self.rows[name] = row

    def at(self, instant: float) -> dict[str, Row]:
        """The rows as they were then."""
        then = dict(self.rows)
        for name, changes in self.before.items():
            undone = next((was for at, was in changes if at > instant), self.rows.get(name))
            if undone is None:
                then.pop(name, None)
            else:
                then[name] = undone
        return then
