"""A refusal as Temporal carries it."""

from temporalio.exceptions import ApplicationError

from billing.domain.refusals import RefusedError


def as_failure(refused: RefusedError) -> ApplicationError:
    """A refusal as Temporal carries it: its type is the stable code."""
    return ApplicationError(str(refused), type=refused.refusal.code, non_retryable=True)
