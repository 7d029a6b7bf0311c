"""What the journeys share."""

import pytest

from tests.reconciled import silence


@pytest.fixture
async def deaf(stack):
    """The whole product, which no webhook reaches."""
    await silence(stack)
    yield stack
    assert await stack.ledger.list_webhooks() == []
