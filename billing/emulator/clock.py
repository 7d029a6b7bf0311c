"""The emulator's clock: real time plus an offset for everybody, plus an offset of its own for each customer_uid."""

import time

from billing.emulator.store import Store

EVERYBODY = "*"


class EmulatorClock:
    """Answers and moves instants, in Unix seconds; offsets are durable, and never go back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self, customer_uid: str | None = None) -> float:
        """The instant it is for a customer_uid, or for the account as a whole."""
        return time.time() + self.offset(EVERYBODY) + self.own_offset(customer_uid)

    def latest(self) -> float:
        """The latest instant that it is for anybody."""
        return self.now() + max(self.customers().values(), default=0.0)

    def offset(self, whose: str) -> float:
        """By how much a clock is ahead, in seconds."""
        record = self._store["clocks"].get(whose)
        return float(record["offset"]) if record else 0.0

    def own_offset(self, customer_uid: str | None) -> float:
        """By how much a customer_uid's clock is ahead of everybody's, in seconds."""
        return self.offset(customer_uid) if customer_uid and customer_uid != EVERYBODY else 0.0

    def advance(self, seconds: float, customer_uid: str | None = None) -> None:
        """Move a clock forward."""
        whose = customer_uid or EVERYBODY
        if seconds > 0:
            self._store.put("clocks", whose, {"offset": self.offset(whose) + seconds})

    def customers(self) -> dict[str, float]:
        """The customer_uids whose clocks are ahead of everybody's, and by how much."""
        return {whose: record["offset"] for whose, record in self._store["clocks"].items() if whose != EVERYBODY}
