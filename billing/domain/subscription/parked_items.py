"""What stands until a person decides."""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.parked import DECISIONS, Decision, ParkedKind


class ParkedItem(BaseModel):
    """One thing that stands until a person decides; `of_cycle` when it is about the open period itself."""

    parked_id: str
    kind: ParkedKind
    reason: str
    merchant_uid: str
    parked_at: datetime
    imp_uid: str | None = None
    known: list[str] = []
    of_cycle: bool = False


class ParkedItems(BaseModel):
    """What stands parked, oldest first; `count` names the next one."""

    items: list[ParkedItem] = []
    count: int = 0

    def decisions(self) -> tuple[Decision, ...]:
        """What a person may decide of the first thing that stands; nothing where none does."""
        return tuple(DECISIONS[self.items[0].kind]) if self.items else ()

    def standing(self, kind: ParkedKind, merchant_uid: str) -> ParkedItem | None:
        """What stands of that kind about that order."""
        return next((each for each in self.items if (each.kind, each.merchant_uid) == (kind, merchant_uid)), None)

    def of_cycle(self) -> ParkedItem | None:
        """What stands about the open period itself."""
        return next((each for each in self.items if each.of_cycle), None)

    def next_id(self, subscription_id: str) -> str:
        """The name of one more."""
        self.count += 1
        return f"{subscription_id}-{self.count}"

    def park(self, item: ParkedItem, instead_of: ParkedItem | None = None) -> None:
        """Let it stand, in the place of one that stood."""
        self.items = [*(each for each in self.items if each is not instead_of), item]

    def unpark(self, item: ParkedItem) -> bool:
        """Let it stand no longer; whether it did."""
        stood = item in self.items
        self.items = [each for each in self.items if each != item]
        return stood
