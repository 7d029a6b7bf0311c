"""What a workflow task does not pay for: contexts that no codec uses, and type adapters that another run has made."""

import uuid
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter
from temporalio import activity, workflow
from temporalio.converter import ActivitySerializationContext, PayloadCodec, WithSerializationContext
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from billing.domain.facts import PaymentFact
from billing.domain.money import Money
from billing.temporal import DATA_CONVERTER
from billing.workflow_runner import _Wrapped, _WrappingRunner, without_context


@activity.defn
async def echo(text: str) -> str:
    return text


@workflow.defn(sandboxed=False)
class Echoes:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(echo, text, start_to_close_timeout=timedelta(minutes=1))


class Asked(_WrappingRunner):
    """Counts how often the instances of `inner` are asked for a context."""

    def __init__(self, inner):
        super().__init__(inner)
        self.contexts = 0

    def create_instance(self, det):
        runner = self

        class Instance(_Wrapped):
            def get_serialization_context(self, command_info):
                runner.contexts += 1
                return super().get_serialization_context(command_info)

            def get_external_store_context(self, command_info):
                runner.contexts += 1
                return super().get_external_store_context(command_info)

        return Instance(self._inner.create_instance(det))


class Contextual(PayloadCodec, WithSerializationContext):
    """A codec that uses the context, as one that binds a payload to its workflow does."""

    def __init__(self, seen, context=None):
        self.seen = seen
        self.context = context

    def with_context(self, context):
        return Contextual(self.seen, context)

    async def encode(self, payloads):
        self.seen.append(self.context)
        return list(payloads)

    async def decode(self, payloads):
        return list(payloads)


async def _echoed(client, runner):
    queue = f"echoes-{uuid.uuid4().hex[:8]}"
    async with Worker(
        client, task_queue=queue, workflows=[Echoes], activities=[echo], unsandboxed_workflow_runner=runner
    ):
        return await client.execute_workflow(Echoes.run, "구독", id=queue, task_queue=queue)


async def test_no_run_is_asked_for_a_context_that_nobody_uses(dev_server):
    asked = Asked(UnsandboxedWorkflowRunner())
    client = dev_server.client
    assert await _echoed(client, without_context(asked, client.data_converter)) == "구독"
    assert asked.contexts == 0
    # Without it the SDK asks, each time in the sandbox where there is one.
    assert await _echoed(client, asked) == "구독"
    assert asked.contexts > 0


async def test_a_codec_that_uses_the_context_is_still_given_it(dev_server):
    seen, asked = [], Asked(UnsandboxedWorkflowRunner())
    options = dev_server.client.config()
    options["data_converter"] = type(DATA_CONVERTER)(
        payload_converter_class=DATA_CONVERTER.payload_converter_class, payload_codec=Contextual(seen)
    )
    client = type(dev_server.client)(**options)
    assert await _echoed(client, without_context(asked, client.data_converter)) == "구독"
    assert any(isinstance(context, ActivitySerializationContext) for context in seen)
    assert None not in seen


def test_a_run_reads_a_type_with_the_adapter_that_an_earlier_run_has_made(monkeypatch):
    fact = PaymentFact(
        imp_uid="imp_1",
        merchant_uid="order1",
        status="paid",
        amount=Money(9900, "KRW"),
        paid_at=datetime(2027, 1, 31, tzinfo=UTC),
    )
    earlier, later = DATA_CONVERTER.payload_converter_class(), DATA_CONVERTER.payload_converter_class()
    payloads = earlier.to_payloads([fact])
    assert earlier.from_payloads(payloads, [PaymentFact]) == [fact]
    monkeypatch.setattr(TypeAdapter, "__init__", lambda *_, **__: (_ for _ in ()).throw(AssertionError("made again")))
    assert later.from_payloads(payloads, [PaymentFact]) == [fact]
