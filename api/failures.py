"""What an error that no route foresaw says to the caller: what is away, what cannot go on, or that it is our fault.

Nothing here claims that nothing was started: an answer that is lost on the way says nothing of what was done.
"""

import aiohttp
from starlette.requests import ClientDisconnect
from temporalio.client import (
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from api.errors import Problem
from billing.ledger import LedgerError, LedgerUnavailableError

SEND_AGAIN = "read what it was about, or send the same request again with its Idempotency-Key"

# Temporal's own words for a command or a question to a run whose code fails (WorkflowNotReady).
_CANNOT_GO_ON = "Workflow Task in failed state"

# What says nothing of the request, only that Temporal, or our way to it, is not there.
_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.ABORTED,
        # Of a workflow it is handled where it is asked for; what is left is a namespace that is not there.
        RPCStatusCode.NOT_FOUND,
    }
)


def cannot_go_on(error: RPCError) -> bool:
    """Whether Temporal refuses a command or a question because the run's workflow task fails again and again."""
    return error.status is RPCStatusCode.FAILED_PRECONDITION and _CANNOT_GO_ON in error.message


def run_cannot_go_on() -> Problem:
    """The code that the workers run fails on this run, which can do nothing until it does not."""
    return Problem(
        503,
        "run_cannot_go_on",
        "the run's workflow task fails again and again, so it can do nothing now; its page in the Temporal UI says "
        "why, and it goes on by itself once the workers run code that can",
    )


def problem_of(error: Exception) -> Problem | None:
    """The answer to an error, or None where it is a fault of ours that says nothing to the caller."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RPCError):
        return _of_temporal(error)
    if isinstance(error, RuntimeError) and str(error).startswith("Failed client connect"):
        # The SDK's words for a lazy client that has never reached its server.
        return temporal_is_away()
    return next((Problem(*said) for kinds, said in _SAID if isinstance(error, kinds)), None)


def _of_temporal(error: RPCError) -> Problem | None:
    if cannot_go_on(error):
        return run_cannot_go_on()
    return temporal_is_away() if error.status in _AWAY else None


def temporal_is_away() -> Problem:
    """Temporal did not answer; whether it did what it was asked is not known."""
    return Problem(*_TEMPORAL)


_TEMPORAL = (503, "temporal_unavailable", f"Temporal cannot be reached; {SEND_AGAIN}")
_RUN_FAILED = f"the run ended without an outcome; its history says how far it came: {SEND_AGAIN}"
_NO_ANSWER = "the run could not answer; its page in the Temporal UI says why"

_SAID: tuple[tuple[type[Exception] | tuple[type[Exception], ...], tuple[int, str, str]], ...] = (
    (LedgerUnavailableError, (503, "ledger_unavailable", f"The ledger cannot be reached; {SEND_AGAIN}")),
    (WorkflowUpdateRPCTimeoutOrCancelledError, _TEMPORAL),
    ((WorkflowFailureError, WorkflowContinuedAsNewError), (503, "run_failed", _RUN_FAILED)),
    ((WorkflowQueryFailedError, WorkflowUpdateFailedError), (503, "run_failed", _NO_ANSWER)),
    (
        (aiohttp.ClientError, TimeoutError),
        (503, "service_unavailable", f"a service behind this API did not answer; {SEND_AGAIN}"),
    ),
    (ClientDisconnect, (400, "body_incomplete", "the connection ended before the body did")),
)


def internal_error(request_id: str) -> Problem:
    """What is said of a fault of ours: nothing but the id under which it was logged."""
    detail = f"an error of ours, logged under this request id; what came of the request is not known: {SEND_AGAIN}"
    return Problem(500, "internal_error", detail, request_id=request_id)


def shown(error: Exception) -> str:
    """What may be logged of an error beside its type: the words of those whose words never hold a value."""
    if isinstance(error, RPCError):
        return f"{error.status.name}: {error.message}"
    return str(error) if isinstance(error, LedgerError) else ""
