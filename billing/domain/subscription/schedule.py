"""The open period's schedule at PortOne: whether it stands there, who charges next, and what is in doubt."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel


class ChargedBy(StrEnum):
    """Who will run the next attempt of the open period: never two of them (docs/concepts/dunning.md)."""

    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    AGAIN = "again"


class Schedule(BaseModel):
    """The schedule of the open period.

    `stands` says that PortOne may charge it by itself: only then is there something to revoke. `reschedules` says that
    a failed or revoked one is to stand again, `tries` how often it was sent, `next_try_at` when it is sent again.
    `look_at` is when a row that is in doubt is read again, for the `doubts`-th time. `missing_since` is since when
    PortOne has not shown the row of one that stands. `registered_at` and `revoked_at` are when PortOne said that it
    stands, or that it had revoked it: looks may lag behind the newer of them.
    """

    stands: bool = False
    charged_by: ChargedBy = ChargedBy.SCHEDULE
    reschedules: bool = False
    tries: int = 0
    next_try_at: datetime | None = None
    look_at: datetime | None = None
    doubts: int = 0
    missing_since: datetime | None = None
    registered_at: datetime | None = None
    revoked_at: datetime | None = None

    def begin(self, *, anew: bool) -> None:
        """It is registered from now on; `anew` lets a failed or revoked one stand again."""
        self.reschedules, self.tries, self.next_try_at = anew, 0, None
        self.registered_at = self.revoked_at = None

    def try_at(self, at: datetime | None, *, again: bool = False) -> None:
        """It is sent at `at`; `again` where a try came to nothing."""
        self.next_try_at = at
        self.tries += 1 if again else 0

    def has_arrived(self, at: datetime, charged_by: ChargedBy, look_at: datetime | None = None) -> None:
        """It stands at PortOne; the next attempt after it is `charged_by`. Its row is read again at `look_at`."""
        self.stands, self.charged_by = True, charged_by
        self.tries, self.next_try_at, self.look_at = 0, None, look_at
        self.registered_at, self.revoked_at = at, None
        self.is_shown()

    def is_said_revoked(self, at: datetime) -> None:
        """PortOne answered that it has revoked it; its row may lag behind."""
        self.registered_at, self.revoked_at = None, at

    def may_stand(self) -> None:
        """Nobody knows whether it was taken back: it counts as standing."""
        self.stands = True

    def stands_no_more(self) -> None:
        """It has run, or was taken back; a doubt about it stays."""
        self.stands = False
        self.is_shown()

    def is_revoked(self) -> None:
        """It was read back as revoked."""
        self.stands, self.look_at = False, None
        self.is_shown()

    def is_not_shown(self, at: datetime) -> datetime:
        """It ought to stand, and PortOne shows no row; answers since when it has not."""
        self.missing_since = self.missing_since or at
        return self.missing_since

    def is_shown(self) -> None:
        """PortOne shows its row, or another one is to be shown from now on."""
        self.missing_since = None

    def is_followed(self, charged_by: ChargedBy) -> None:
        """It stands as somebody has set it up in PortOne's console."""
        self.stands, self.charged_by = True, charged_by
        self.registered_at = self.revoked_at = None
        self.is_shown()

    def stands_after_all(self) -> None:
        """It was in doubt, and stands: whatever PortOne said before of revoking it is over."""
        self.stands, self.revoked_at = True, None

    def was_read(self, *, stands: bool) -> None:
        """Its row was read after the end."""
        self.stands = stands

    def charge_ourselves(self) -> None:
        """PortOne does not book the next attempt: we charge it on its day."""
        self.charged_by = ChargedBy.AGAIN

    def wait_for_another_number(self) -> None:
        """Nothing of another order number is registered yet."""
        self.charged_by, self.registered_at, self.revoked_at = ChargedBy.SCHEDULE, None, None

    def begin_next(self) -> "Schedule":
        """That of the next period: nothing stands."""
        return Schedule(look_at=self.look_at, doubts=self.doubts)

    def look(self, at: datetime | None) -> None:
        """Its row is read again at `at`; None when no more."""
        self.look_at = at

    def look_again(self, at: datetime) -> None:
        """It was read in vain, and is read again at `at`."""
        self.look_at = at
        self.doubts += 1

    def is_out_of_doubt(self) -> None:
        """What became of it is known."""
        self.doubts = 0
