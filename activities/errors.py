"""The one place where an adapter's error becomes Temporal's; no data of the request goes with it."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError

from billing.ledger import LedgerConflictError
from billing.portone import PortOneAuthError, PortOneError, PortOneRateLimitedError


def of_portone(error: PortOneError) -> ApplicationError:
    """A look-up that could not be answered: asked again by Temporal, after the time PortOne asked for.

    Wrong credentials are asked again too: an operator mends them, and the subscriptions go on by themselves.
    """
    delay = None
    if isinstance(error, PortOneRateLimitedError) and error.retry_after_seconds is not None:
        delay = timedelta(seconds=error.retry_after_seconds)
    elif isinstance(error, PortOneAuthError):
        delay = timedelta(minutes=1)
    return ApplicationError(str(error), type=type(error).__name__, next_retry_delay=delay)


def of_ledger(error: LedgerConflictError) -> ApplicationError:
    """A step that contradicts the ledger: a person must look; tried again rarely until then."""
    return ApplicationError(str(error), type="LedgerConflict", next_retry_delay=timedelta(minutes=5))
