"""What a subscription's run waits for, and whom it answers: commands, what has come since, the next instant."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from billing.domain.message import Message
from billing.domain.subscription.answers import CancelAnswered, OrderAnswered
from workflows import policies

Answer = OrderAnswered | CancelAnswered


@dataclass(slots=True)
class Placed:
    """A command that was placed, and what came of it; `told` once whoever placed it may be answered."""

    command: Message
    answer: Answer | None = None
    refusal: ApplicationError | None = None
    told: bool = False


@dataclass(slots=True)
class Desk:
    """Commands that wait, answers that wait, and the one wait of a subscription.

    `asking` is the command whose charge or refunds are under way: it is answered by their outcome. `stirred` says that
    something has come since the last look, `wakes_at` until when the run waits.
    """

    commands: list[Placed] = field(default_factory=list)
    answered: list[Placed] = field(default_factory=list)
    asking: Placed | None = None
    stirred: bool = False
    wakes_at: datetime | None = None

    async def place(self, command: Message) -> Answer:
        """Leave a command for the main loop and hand on its answer.

        Raises:
            ApplicationError: the command was refused; its type is the stable code.
        """
        placed = Placed(command)
        self.commands.append(placed)
        self.stirred = True
        await workflow.wait_condition(lambda: placed.told)
        if placed.refusal is not None:
            raise placed.refusal
        assert placed.answer is not None  # noqa: S101 - told without a refusal is answered
        return placed.answer

    def next_command(self) -> Placed:
        """The oldest command that waits, to be carried out now."""
        return self.commands.pop(0)

    def tell_later(self, placed: Placed) -> None:
        """Tell an answer when nothing more is to be done at once, so that it says where that has led."""
        self.answered.append(placed)

    def is_under_way(self, placed: Placed, instead: ApplicationError) -> None:
        """The command is answered by the outcome of its charge or refunds; one that was before it is refused."""
        if self.asking is not None:
            # Only an end goes beside a charge that somebody asked for: that one is answered by its own outcome.
            self.refuse_asking(instead)
        self.asking = placed

    def take_asking(self) -> Placed | None:
        """The command whose charge or refunds are over."""
        asking, self.asking = self.asking, None
        return asking

    def answer_asking(self, answer: Answer) -> None:
        """Answer the command whose charge or refunds were under way, where somebody waits."""
        asking = self.take_asking()
        if asking is not None:
            asking.answer = answer
            self.tell_later(asking)

    def refuse_asking(self, refusal: ApplicationError) -> None:
        """Refuse the command whose charge or refunds were under way, where somebody waits."""
        asking = self.take_asking()
        if asking is not None:
            asking.refusal = refusal
            self.tell_later(asking)

    def tell(self) -> None:
        """Tell what was answered."""
        answered, self.answered = self.answered, []
        for placed in answered:
            placed.told = True

    def stir(self) -> None:
        """Something has come: the wait is over."""
        self.stirred = True

    async def wait(self, until: datetime | None, summary: str) -> None:
        """The one wait of a subscription: until something comes that was not there before it, or until `until`."""
        left = None if until is None else min(until - workflow.now(), policies.LONGEST_WAIT)
        if left is not None and left <= timedelta(0):
            return
        self.stirred, self.wakes_at = False, until
        try:
            await workflow.wait_condition(self._has_come(), timeout=left, timeout_summary=summary)
        except TimeoutError:
            pass
        finally:
            self.wakes_at = None

    def _has_come(self) -> Callable[[], bool]:
        return lambda: self.stirred
