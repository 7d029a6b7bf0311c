"""What the journeys share."""

import pytest

from tests.reconciled import silence


@pytest.fixture
async def deaf(stack):
    """The whole product, which no webhook reaches."""
    await silence(stack)
    yield stack
    assert await stack.ledger.list_webhooks() == []


@pytest.fixture
def received(stack):
    """What the emulator is sent from now on: (its name for the call, the body), in order."""
    account, calls = stack.account(), []
    perform = account.perform

    async def noted(request, path, work, **options):
        def noting(body):
            calls.append((path, dict(body)))
            return work(body)

        return await perform(request, path, noting, **options)

    account.perform = noted
    return calls
