"""No history holds a card: a payload is read as a worker reads it, through its codec and its encoding."""

import base64
import zlib
from dataclasses import replace

import pytest_asyncio
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import PayloadCodec

from tests.facts import until
from tests.stack import CARD, running_stack
from tests.written import holding, written

OTHER_CARD = "4518-4212-3456-1111"
SQUEEZED = b"test/squeezed"


class Squeezing(PayloadCodec):
    """Makes of every payload something in which no text is found: compressed, and turned around."""

    async def encode(self, payloads):
        return [
            Payload(metadata={"encoding": SQUEEZED}, data=zlib.compress(each.SerializeToString())[::-1])
            for each in payloads
        ]

    async def decode(self, payloads):
        # Search attributes go through no codec.
        return [
            Payload.FromString(zlib.decompress(each.data[::-1])) if each.metadata["encoding"] == SQUEEZED else each
            for each in payloads
        ]


@pytest_asyncio.fixture
async def squeezed(dev_server, tmp_path):
    """The whole product, whose payloads go through a codec."""
    config = dev_server.client.config()
    config["data_converter"] = replace(config["data_converter"], payload_codec=Squeezing())
    async with running_stack(Client(**config), tmp_path) as running:
        yield running


async def a_life_with_three_cards(stack):
    """A start by card, a refused start, another card; then whatever was written of them."""
    uid = await stack.start()
    await stack.refused_start(card="4518-4212-3456-0001")
    method = {"card": {"card_number": OTHER_CARD, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}}
    await stack.order(uid, "payment-method", payment_method=method)
    return uid, await written(stack)


async def test_the_card_number_is_in_no_history(stack):
    _, texts = await a_life_with_three_cards(stack)
    assert any(b"vault_handle" in text for text in texts), "payloads are readable here"
    assert any(b'"buyer_' in text or b"gildong@example.com" in text for text in texts)
    for number in (CARD, OTHER_CARD, "4518-4212-3456-0001"):
        assert holding(texts, number) == []
    assert [text for text in texts if b'"900101"' in text or b"pwd_2digit" in text] == []


async def test_the_card_number_is_in_no_history_behind_a_codec(squeezed):
    uid, texts = await a_life_with_three_cards(squeezed)
    assert any(b"vault_handle" in text for text in texts), "payloads are readable here"
    for number in (CARD, OTHER_CARD):
        assert holding(texts, number) == []
    raw = [event.SerializeToString() for event in (await squeezed.handle(uid).fetch_history()).events]
    assert not any(b"vault_handle" in event for event in raw), "the codec was on"


PLANTED = (
    CARD,
    CARD.replace("-", ""),
    CARD.replace("-", " "),
    base64.b64encode(CARD.encode()).decode(),
    base64.urlsafe_b64encode(f'{{"card_number": "{CARD}"}}'.encode()).decode().rstrip("="),
)
"""As it may be written: as typed, as digits, with spaces, as base64, and as base64 within a URL."""


async def _holds(stack, number):
    return len(holding(await written(stack), CARD)) == number


async def planted_is_found(stack):
    uid = await stack.start()
    assert holding(await written(stack), CARD) == []
    for number, planted in enumerate(PLANTED, start=1):
        await stack.handle(uid).signal("look_again", {"merchant_uid": "", "reason": planted})
        # A signal that comes while a step is decided is in the history when that is.
        await until(lambda number=number: _holds(stack, number))


async def test_a_card_that_is_planted_in_a_history_is_found(stack):
    await planted_is_found(stack)


async def test_a_card_that_is_planted_in_a_history_is_found_behind_a_codec(squeezed):
    await planted_is_found(squeezed)
