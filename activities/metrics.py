"""Counting what the activities do, beside them: outcomes of calls, errors by type, no personal data in any label."""

import time
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from billing.observability import ACTIVITY_ERRORS, CHARGES, PORTONE_CALL_SECONDS, PORTONE_CALLS

CHARGING = frozenset({"charge_again", "charge_onetime", "retry_schedule"})
OURS = frozenset(
    {
        "record",
        "discard_card",
        "attempts_on_card",
        "known_orders",
        "report_facts",
        "next_delivery",
        "send_event",
        "begin_reconciliation",
        "end_reconciliation",
        "ring",
    }
)
"""Activities that do not call PortOne."""


class ActivityMetrics(Interceptor):
    """Gives every activity of a worker its counters."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Put the counting around the activity."""
        return _Counting(next)


class _Counting(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's name
        name, begun = activity.info().activity_type, time.monotonic()
        try:
            result = await super().execute_activity(input)
        except Exception as error:
            kind = error.type if isinstance(error, ApplicationError) and error.type else type(error).__name__
            ACTIVITY_ERRORS.labels(name, kind).inc()
            raise
        outcome = getattr(getattr(result, "outcome", None), "value", "answered")
        if name in CHARGING:
            CHARGES.labels(outcome).inc()
        if name not in OURS:
            PORTONE_CALLS.labels(name, outcome).inc()
            PORTONE_CALL_SECONDS.labels(name).observe(time.monotonic() - begun)
        return result
