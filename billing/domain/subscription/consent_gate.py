"""The buyer's consent to the next charge: what it is needed for, and where it stands."""

from pydantic import BaseModel

from billing.domain.consent import ConsentNeed
from billing.domain.states import CONSENT_TRANSITIONS, ConsentState, walk


class ConsentGate(BaseModel):
    """The consent to the next charge; `asks` counts the questions of the period, so that a changed one is another."""

    state: ConsentState = ConsentState.NOT_NEEDED
    need: ConsentNeed | None = None
    asks: int = 0

    def walk_to(self, state: ConsentState) -> None:
        """Walk to `state` by the table."""
        self.state = walk(CONSENT_TRANSITIONS, self.state, state)

    def withdraw(self) -> None:
        """Nothing is to be agreed to any more: the higher charge is not to come, or another question follows."""
        if self.state is not ConsentState.NOT_NEEDED:
            self.walk_to(ConsentState.NOT_NEEDED)
        self.need = None

    def is_needed(self, need: ConsentNeed) -> None:
        """This is to be agreed to; its window is not open yet."""
        self.withdraw()
        self.walk_to(ConsentState.WINDOW_CLOSED)
        self.need = need

    def ask(self) -> None:
        """The buyer is asked."""
        self.asks += 1
        self.walk_to(ConsentState.ASKED)

    def ask_at_once(self, need: ConsentNeed) -> None:
        """Question and answer are one act of the buyer."""
        self.withdraw()
        self.need = need
        self.ask()
