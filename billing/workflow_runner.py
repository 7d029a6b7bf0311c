"""A look at every activation of a workflow and at the commands that its code answered with.

Made of public parts of the SDK (`WorkflowRunner`, `WorkflowInstance`); the sandbox inside stays as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

Look = Callable[[Info, WorkflowActivation, WorkflowActivationCompletion], None]
"""Called after each activation, outside the sandbox; it may change the completion in place."""


class WatchedRunner(WorkflowRunner):
    """Runs workflows as `inner` does, and shows `look` what came of each activation."""

    def __init__(self, inner: WorkflowRunner, look: Look) -> None:
        self._inner = inner
        self._look = look

    def prepare_workflow(self, defn: Any) -> None:
        """Let the inner runner validate the workflow."""
        self._inner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance of the inner runner, watched."""
        return _WatchedInstance(self._inner.create_instance(det), det.info, self._look)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """Hand the worker's failure types on."""
        self._inner.set_worker_level_failure_exception_types(types)


class _WatchedInstance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, info: Info, look: Look) -> None:
        self._inner = inner
        self._info = info
        self._look = look

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = self._inner.activate(act)
        self._look(self._info, act, completion)
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


def without_versioning_behavior(inner: WorkflowRunner) -> WorkflowRunner:
    """The runner of a worker that is not part of a deployment.

    The SDK sends the behaviour that a workflow names from every worker, and the server refuses it from one without a
    version ("versioning behavior cannot be specified without deployment options"): no workflow task would complete.
    """

    def clear(_info: Info, _act: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        if completion.HasField("successful"):
            completion.successful.ClearField("versioning_behavior")

    return WatchedRunner(inner, clear)
