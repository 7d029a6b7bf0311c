"""The connection to Temporal: the SDK's own environment configuration, and our data converter.

`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS…` and the profiles of `temporal.toml`
select the cluster, as they do for Temporal's own CLI.
"""

from collections.abc import Awaitable
from dataclasses import is_dataclass
from typing import Any, ClassVar, TypeVar

from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    DescribeWorkflowInput,
    Interceptor,
    OutboundInterceptor,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

DEFAULT_ADDRESS = "127.0.0.1:7233"


class _Json(PydanticJSONPlainPayloadConverter):
    """The SDK's JSON of pydantic types, without the fields that hold nothing: an eighth of a history, and of no use."""

    def to_payload(self, value: Any) -> Payload | None:
        """The value as JSON; a field that may be None is None where it is missing (tests/architecture/test_wire)."""
        if is_dataclass(value) and not isinstance(value, type):
            # Of a dataclass nothing is left out without its type.
            data = self._type_adapter(type(value)).dump_json(value, exclude_none=True)
        else:
            data = to_json(value, exclude_none=True)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)


class _PayloadConverter(CompositePayloadConverter):
    """The SDK's converter for pydantic, with one set of type adapters for all runs.

    The SDK makes a payload converter for each run, and its own makes the adapter of every type anew: for each run a
    tenth of what a workflow task costs a worker.
    """

    _json: ClassVar = _Json()

    def __init__(self) -> None:
        usual = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(self._json if isinstance(each, JSONPlainPayloadConverter) else each for each in usual))


# Failure messages and stack traces travel as payloads, so that a codec covers them too (temporal.md 4.1).
DATA_CONVERTER = DataConverter(
    payload_converter_class=_PayloadConverter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
)


async def connect(address: str | None = None, *, lazy: bool = False) -> Client:
    """A client for the configured cluster, or for `address`.

    A lazy client connects with its first call: the api answers webhooks while Temporal is away. A call that does not
    reach Temporal fails as one that was cut off does: RPCError with UNAVAILABLE.
    """
    found: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    found.setdefault("target_host", DEFAULT_ADDRESS)
    if address is not None:
        found["target_host"] = address
    return await Client.connect(**found, data_converter=DATA_CONVERTER, lazy=lazy, interceptors=[_Unreached()])


Answer = TypeVar("Answer")


async def _reached(call: Awaitable[Answer]) -> Answer:
    """The answer; the SDK says RuntimeError where a lazy client has never come to connect."""
    try:
        return await call
    except RuntimeError as error:
        if not str(error).startswith("Failed client connect"):
            raise
        raise RPCError(str(error), RPCStatusCode.UNAVAILABLE, b"") from None


class _UnreachedCalls(OutboundInterceptor):
    async def start_workflow(self, asked: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        return await _reached(super().start_workflow(asked))

    async def describe_workflow(self, asked: DescribeWorkflowInput) -> WorkflowExecutionDescription:
        return await _reached(super().describe_workflow(asked))

    async def query_workflow(self, asked: QueryWorkflowInput) -> Any:
        return await _reached(super().query_workflow(asked))

    async def signal_workflow(self, asked: SignalWorkflowInput) -> None:
        await _reached(super().signal_workflow(asked))

    async def start_workflow_update(self, asked: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        return await _reached(super().start_workflow_update(asked))

    async def start_update_with_start_workflow(
        self, asked: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        return await _reached(super().start_update_with_start_workflow(asked))


class _Unreached(Interceptor):
    def intercept_client(self, following: OutboundInterceptor) -> OutboundInterceptor:
        return _UnreachedCalls(following)
