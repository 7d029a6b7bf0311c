"""The harness's own journal: everything that was asked of the product, and what it said, whoever lies elsewhere."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_SECRET = frozenset({"card_number", "expiry", "birth", "pwd_2digit", "cvc"})


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that was asked or done: when on the subscriber's clock, what, and what came back.

    `status` is None when nobody answered in time: then nothing is known of it. `in_trouble` says whether something
    may have been broken on purpose at that time.
    """

    at: datetime
    customer_uid: str
    does: str
    body: Any
    status: int | None
    answer: Any
    in_trouble: bool = True
    idempotency_key: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether the product said that it was done."""
        return self.status is not None and self.status < 300

    def line(self) -> str:
        """The call in one line of a story."""
        told = "nobody answered" if self.status is None else f"{self.status} {_short(self.answer)}"
        return f"{self.does} {_short(self.body)} -> {told}"


@dataclass(slots=True)
class Journal:
    """Calls in the order in which they were answered."""

    calls: list[Call] = field(default_factory=list)

    def note(self, call: Call) -> None:
        """Keep one more."""
        self.calls.append(call)

    def of(self, customer_uid: str) -> list[Call]:
        """What was asked for one subscriber."""
        return [call for call in self.calls if call.customer_uid == customer_uid]


def without_cards(body: Any) -> Any:
    """The body without what no journal may hold."""
    if isinstance(body, dict):
        return {name: "..." if name in _SECRET else without_cards(value) for name, value in body.items()}
    return body


def _short(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        return str(value)[:200]
    kept = {name: each for name, each in value.items() if each not in (None, [], {}, "") and name not in _NOISE}
    return str(kept)[:400]


_NOISE = frozenset({"run_url", "plan", "customer", "metadata", "dunning_policy", "type", "title", "instance"})
