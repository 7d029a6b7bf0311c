"""What was tried in vain in the open period: its failed attempts, and where dunning stands."""

from datetime import datetime

from pydantic import BaseModel

from billing.domain.states import DUNNING_TRANSITIONS, DunningState, walk


class Arrears(BaseModel):
    """Failed attempts of the open period.

    `spent` are those that count against the budget of retries. `retries_over` says that no attempt is planned, and
    `end_action_taken` that the policy's end action was.
    """

    state: DunningState = DunningState.CLEAR
    failed_attempts: int = 0
    spent: int = 0
    first_failed_at: datetime | None = None
    hard_declined: bool = False
    retries_over: bool = False
    end_action_taken: bool = False

    def walk_to(self, state: DunningState) -> None:
        """Walk to `state` by the table."""
        self.state = walk(DUNNING_TRANSITIONS, self.state, state)

    def count(self, at: datetime, *, hard: bool, spends: bool) -> None:
        """One more attempt was declined at `at`: for good where `hard`; one made by hand spends nothing."""
        self.failed_attempts += 1
        self.spent += 1 if spends else 0
        self.first_failed_at = self.first_failed_at or at
        self.hard_declined = hard

    def first_charge_declined(self) -> None:
        """The first charge of a start was declined, and no other follows."""
        self.failed_attempts = 1

    def another_card(self, *, hard_declined: bool = False) -> None:
        """Another card is charged, of which nothing is known but what was known of it before."""
        self.hard_declined = hard_declined

    def an_attempt_is_planned(self) -> None:
        """An attempt is to come."""
        self.retries_over = False

    def no_attempt_is_planned(self) -> None:
        """No attempt is to come by itself."""
        self.retries_over = True

    def take_end_action(self) -> None:
        """The policy's end action is taken."""
        self.end_action_taken = True
