"""What time it is, and for whom: one clock in production, one for each customer_uid where test clocks are moved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Clock:
    """An instant for everybody, and by how much some customer_uids are ahead of it."""

    everybody: datetime
    ahead: Mapping[str, timedelta] = field(default_factory=dict)

    def now(self, *customer_uids: str | None) -> datetime:
        """The instant it is for whoever these names belong to: a key and its subscription may have a clock each."""
        return self.everybody + max(
            (self.ahead.get(uid or "", timedelta(0)) for uid in customer_uids), default=timedelta(0)
        )

    def latest(self) -> datetime:
        """The latest instant that it is for anybody."""
        return self.everybody + max(self.ahead.values(), default=timedelta(0))
