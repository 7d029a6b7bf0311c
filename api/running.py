"""Waiting for what a workflow comes to, no longer than the caller should wait."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.errors import Problem

Answer = TypeVar("Answer")


AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.CANCELLED,
    }
)
"""Answers that say something of Temporal, or of the workers behind it, and nothing of what was asked."""


async def within(seconds: float, waited_for: Awaitable[Answer]) -> Answer | None:
    """The answer, or None when it takes longer; what was started goes on.

    Raises:
        Problem: 503 when Temporal cannot be reached.
    """
    try:
        return await asyncio.wait_for(waited_for, seconds)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        return None
    except RPCError as error:
        if error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED):
            raise temporal_unavailable() from None
        raise


class StillOpen(Problem):
    """A problem that says itself that what was asked for may still be done; it is never called not started."""


def temporal_unavailable() -> Problem:
    """Temporal is away; what that means for a request depends on how far it had come."""
    return Problem(503, "temporal_unavailable", "Temporal cannot be reached")


def is_gone(error: RPCError) -> bool:
    """Whether the workflow has ended, or never was."""
    return error.status is RPCStatusCode.NOT_FOUND


async def described(handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionDescription | None:
    """What Temporal knows of the newest run under this id; None where there is none.

    Raises:
        Problem: 503 when Temporal cannot be reached.
    """
    try:
        return await handle.describe(rpc_timeout=timedelta(seconds=5))
    except RPCError as error:
        if is_gone(error):
            return None
        raise temporal_unavailable() from None


async def require_temporal(handle: WorkflowHandle[Any, Any]) -> None:
    """Ask Temporal anything of a workflow before something is sent to it, so that one that is away was sent nothing.

    Raises:
        Problem: 503 when Temporal cannot be reached.
    """
    await described(handle)


async def is_running(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether the newest run under this id has not ended.

    Raises:
        Problem: 503 when Temporal cannot be reached.
    """
    description = await described(handle)
    return description is not None and description.status is WorkflowExecutionStatus.RUNNING


def refusal_of(error: WorkflowUpdateFailedError) -> str:
    """The stable type of an update's refusal."""
    return (error.cause.type or "") if isinstance(error.cause, ApplicationError) else ""


async def remembers(handle: WorkflowHandle[Any, Any], resource: str) -> bool:
    """Whether the newest run under this id, ended or not, was started for `resource` by an earlier try.

    Raises:
        Problem: 503 when Temporal cannot be reached.
    """
    description = await described(handle)
    if description is None:
        return False
    return await description.memo_value("resource", default=None, type_hint=str) == resource
