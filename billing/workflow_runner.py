"""What comes between Temporal's SDK and the code of a workflow: a look at each activation, and a refusal of some.

Made of public parts of the SDK (`WorkflowRunner`, `WorkflowInstance`); the sandbox inside stays as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, StorageDriverStoreContext, WithSerializationContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.workflow import Info

Look = Callable[[Info, WorkflowActivation, WorkflowActivationCompletion], None]
"""Called after each activation, outside the sandbox; it may change the completion in place."""

ASK_AGAIN = "something fell due while this question waited for a worker; ask again"
"""What a query is answered with that came upon what a task has yet to answer (`DatedRunner`)."""

_DECIDES_NOTHING = frozenset({"query_workflow", "remove_from_cache"})


class _Wrapped(WorkflowInstance):
    """An instance that does as `inner` does."""

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()


class _WrappingRunner(WorkflowRunner):
    """A runner whose instances are wrapped ones of `inner`."""

    def __init__(self, inner: WorkflowRunner) -> None:
        self._inner = inner

    def prepare_workflow(self, defn: Any) -> None:
        """Let the inner runner validate the workflow."""
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """Hand the worker's failure types on."""
        self._inner.set_worker_level_failure_exception_types(types)


class WatchedRunner(_WrappingRunner):
    """Runs workflows as `inner` does, and shows `look` what came of each activation."""

    def __init__(self, inner: WorkflowRunner, look: Look) -> None:
        super().__init__(inner)
        self._look = look

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance of the inner runner, watched."""
        return _WatchedInstance(self._inner.create_instance(det), det.info, self._look)


class _WatchedInstance(_Wrapped):
    def __init__(self, inner: WorkflowInstance, info: Info, look: Look) -> None:
        super().__init__(inner)
        self._info = info
        self._look = look

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        completion = super().activate(act)
        self._look(self._info, act, completion)
        return completion


class DatedRunner(_WrappingRunner):
    """Runs workflows as `inner` does, and refuses what comes without a time of its own.

    A query that waited for a worker brings a run that is not in memory with all of its history, and what came since
    its last task is part of it: a timer that fired, a webhook. The SDK (1.35) hands that to the workflow before any
    task has begun, dated as the task before, weeks ago; what is decided then is sent as the answer of the next task.
    A charge is waited for twice, and no later replay comes to the same. Refused, the query is answered with
    `ASK_AGAIN`, the run is read anew, and its task is answered at its own time, at the latest when Temporal hands it
    out once more (`workflow_task_timeout`, 10 s). `tests/deploy/test_own_time.py` shows it on a server.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """An instance of the inner runner that acts at the times of its tasks alone."""
        return _DatedInstance(self._inner.create_instance(det))


class _DatedInstance(_Wrapped):
    def __init__(self, inner: WorkflowInstance) -> None:
        super().__init__(inner)
        self._task: tuple[int, int] | None = None
        self._history_length = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if {job.WhichOneof("variant") for job in act.jobs} <= _DECIDES_NOTHING:
            return super().activate(act)
        # Both are told by the event that starts a task: the same over a longer history is no new task.
        task = (act.timestamp.ToNanoseconds(), act.history_size_bytes)
        if not act.is_replaying and task == self._task and act.history_length > self._history_length:
            refused = WorkflowActivationCompletion()
            refused.failed.failure.message = ASK_AGAIN
            return refused
        self._task, self._history_length = task, act.history_length
        return super().activate(act)


def without_context(inner: WorkflowRunner, converter: DataConverter) -> WorkflowRunner:
    """The same runner, which does not ask a workflow for what nobody uses: the context of each payload.

    The SDK (1.35) asks the instance before it encodes or decodes a payload, and each question is compiled and entered
    anew in the sandbox: it was a quarter of what a workflow task costs a worker. The answer is for codecs and external
    storage alone; with one of them that may use it, the runner is returned as it is.
    """
    codec, storage = converter.payload_codec, converter.external_storage
    if isinstance(codec, WithSerializationContext) or storage is not None:
        return inner
    return _ContextFreeRunner(inner)


class _ContextFreeRunner(_WrappingRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _ContextFreeInstance(self._inner.create_instance(det))


class _ContextFreeInstance(_Wrapped):
    def get_serialization_context(self, command_info: Any) -> None:  # noqa: ARG002 - the SDK's signature
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:  # noqa: ARG002 - as above
        return StorageDriverStoreContext()


def without_versioning_behavior(inner: WorkflowRunner) -> WorkflowRunner:
    """The runner of a worker that is not part of a deployment.

    The SDK sends the behaviour that a workflow names from every worker, and the server refuses it from one without a
    version ("versioning behavior cannot be specified without deployment options"): no workflow task would complete.
    """

    def clear(_info: Info, _act: WorkflowActivation, completion: WorkflowActivationCompletion) -> None:
        if completion.HasField("successful"):
            completion.successful.ClearField("versioning_behavior")

    return WatchedRunner(inner, clear)
