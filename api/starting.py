"""Starting the workflow of a request, so that it is known afterwards whether it was started."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.attempt import Attempt
from api.running import remembers

RPC_TIMEOUT = timedelta(seconds=10)
"""How long a start may take to be answered; then it may or may not have been carried out."""

_REFUSED = frozenset(
    {
        RPCStatusCode.INVALID_ARGUMENT,
        RPCStatusCode.PERMISSION_DENIED,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.UNIMPLEMENTED,
    }
)
"""Answers to a start that no sending of it can have got past."""


async def begin(
    attempt: Attempt, handle: WorkflowHandle[Any, Any], start: Callable[[], Awaitable[WorkflowHandle[Any, Any]]]
) -> WorkflowHandle[Any, Any] | None:
    """The run that this attempt or an earlier one has started; None when the id is taken by another request's.

    Temporal is asked before anything is sent, so that one that is away is known to have started nothing. `start` calls
    `attempt.leaves()` right before its call, and passes the attempt's resource as the memo `resource`.

    Raises:
        Problem: 503 when Temporal cannot be reached; the attempt says how far it came.
        RPCError: the start was not answered, and nothing can be seen of it.
    """
    if await remembers(handle, attempt.resource):
        attempt.has_begun()
        return handle
    try:
        started = await start()
    except WorkflowAlreadyStartedError:
        if not await remembers(handle, attempt.resource):
            attempt.is_refused()
            return None
        started = handle
    except RPCError as error:
        if error.status in _REFUSED:
            attempt.is_refused()
            raise
        # The answer was lost, or the start was: what is there now tells the first; the second stays possible.
        if not await remembers(handle, attempt.resource):
            raise
        started = handle
    attempt.has_begun()
    return started
