"""The bounds of a decision that another workflow than a subscription's is asked to carry out."""

from billing.domain.refusals import RefusedError
from billing.domain.subscription.decision import DecisionTaken
from workflows.subscription.commands.command import is_within_bounds
from workflows.subscription.commands.failures import as_failure
from workflows.subscription.commands.texts import of_a_decision


def check_decision(decision: DecisionTaken) -> None:
    """Refuse a decision with a text beyond its bound, before it is in the history.

    Raises:
        ApplicationError: `out_of_bounds`.
    """
    try:
        is_within_bounds(of_a_decision(decision))
    except RefusedError as refused:
        raise as_failure(refused) from None
