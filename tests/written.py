"""Everything that Temporal was given of the runs of a test, as it reads: payloads through their codec, and fields."""

import base64
import binascii
import re

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload

_SEPARATORS = re.compile(rb"[ .\-]")
_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")


async def written(stack):
    """All that the histories of this stack's runs say, one text for each payload and each plain field."""
    texts, query = [], f'TaskQueue STARTS_WITH "{stack.task_queue}"'
    async for run in stack.temporal.list_workflows(query):
        history = await stack.temporal.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        for event in history.events:
            texts += await read(event, stack.temporal.data_converter.payload_codec)
    return texts


async def read(message, codec=None):
    """Every text in a protobuf message, however deep; what a codec made of a payload is undone first."""
    if isinstance(message, Payload):
        readable = (await codec.decode([message]))[0] if codec is not None else message
        return [readable.data]
    texts = []
    for field, value in message.ListFields():
        for each in _each(field, value):
            if isinstance(each, Message):
                texts += await read(each, codec)
            elif isinstance(each, str | bytes):
                texts.append(each.encode() if isinstance(each, str) else each)
    return texts


def _each(field, value):
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return [*value.keys(), *value.values()]
    return list(value) if field.is_repeated else [value]


def holding(texts, number):
    """The texts in which ten digits in a row of a card number stand, with whatever separators, also as base64."""
    digits = _SEPARATORS.sub(b"", number.encode())
    pieces = [digits[start : start + 10] for start in range(len(digits) - 9)]
    return [text for text in texts if any(piece in form for form in _forms(text) for piece in pieces)]


def _forms(text):
    yield _SEPARATORS.sub(b"", text)
    for token in _ENCODED.findall(text):
        for decode in (base64.b64decode, base64.urlsafe_b64decode):
            try:
                yield _SEPARATORS.sub(b"", decode(token + b"=" * (-len(token) % 4)))
            except binascii.Error:
                continue
