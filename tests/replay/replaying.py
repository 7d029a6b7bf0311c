"""Replaying committed histories on whatever code a test brings."""

from temporalio.worker import UnsandboxedWorkflowRunner

from api.replay import replay_all
from worker import WORKFLOWS
from workflows.subscription.workflow import SubscriptionWorkflow


def with_subscription(variant):
    """Every workflow of the product, with `variant` in the place of the subscription."""
    return [variant if workflow is SubscriptionWorkflow else workflow for workflow in WORKFLOWS]


async def replayed(histories, workflows=WORKFLOWS):
    """What became of each history, in order."""

    async def each():
        for history in histories:
            yield history

    # The commands are the same without the sandbox, under which every other test runs them, and it costs a third more.
    return [result async for result in replay_all(each(), workflows, UnsandboxedWorkflowRunner())]


def why(result):
    """Why a history did not replay, as a developer wants to read it."""
    if result.divergence is None:
        return result.failure
    return f"{result.divergence.reason}\n{result.divergence.diff}\n({result.failure})"
