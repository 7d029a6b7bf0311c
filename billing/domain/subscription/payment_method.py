"""What is charged: the billing key, its card and its PG; and keys that are charged no more."""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.facts import BillingKeyFact
from billing.domain.subscription.start import PortOneChannel


class PaymentMethod(BaseModel):
    """The billing key that is charged: None stands for what the start said.

    `missing` is the key that PortOne was found not to have any more. `issued` is the key as PortOne showed it, until
    it is in the ledger. `since` is when PortOne says that the key was issued.
    """

    customer_uid: str | None = None
    channel: PortOneChannel | None = None
    is_there: bool = True
    card: str | None = None
    pg_provider: str | None = None
    missing: str | None = None
    issued: BillingKeyFact | None = None
    since: datetime | None = None

    def is_without_a_card(self) -> None:
        """No card stands behind the subscription yet."""
        self.is_there = False

    def note(self, key: BillingKeyFact) -> None:
        """PortOne has shown the key: its card, and its PG."""
        self.card, self.pg_provider = key.label(), key.pg_provider
        self.since = key.updated_at or key.inserted_at

    def stands_since(self, at: datetime) -> None:
        """It is there since `at`, although PortOne does not list it yet."""
        self.since = at

    def note_card(self, card: str | None) -> None:
        """A payment has shown the card."""
        self.card = card

    def is_issued(self, key: BillingKeyFact | None) -> None:
        """The key as PortOne shows it, to be written with the next step."""
        self.issued = key

    def point_to(self, customer_uid: str, channel: PortOneChannel, key: BillingKeyFact) -> None:
        """Charge another key from now on."""
        self.customer_uid, self.channel, self.is_there = customer_uid, channel, True
        self.note(key)

    def go_back_to(self, before: "PaymentMethod") -> None:
        """Charge the key again that was charged before."""
        self.customer_uid, self.channel, self.is_there = before.customer_uid, before.channel, before.is_there
        self.card, self.pg_provider, self.since = before.card, before.pg_provider, before.since

    def is_missing(self, customer_uid: str) -> None:
        """PortOne has this key no more, and it was not deleted here."""
        self.missing = customer_uid


class OldKeys(BaseModel):
    """Billing keys that are not charged any more and could not be deleted yet; looked at once in each period."""

    keys: list[str] = []
    seen_in: int = 0

    def leave(self, customer_uid: str, cycle: int) -> None:
        """Keep in mind that a key is to be deleted; it is looked at again in the period after `cycle`."""
        self.keys = [*(key for key in self.keys if key != customer_uid), customer_uid]
        self.seen_in = cycle

    def look_at_once(self) -> None:
        """Look at them with the next step."""
        self.seen_in = 0

    def take(self) -> list[str]:
        """Those that are left, to be deleted now."""
        keys, self.keys = self.keys, []
        return keys

    def keep(self, customer_uid: str) -> None:
        """This key is charged after all."""
        self.keys = [key for key in self.keys if key != customer_uid]
