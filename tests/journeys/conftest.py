"""What the journeys share."""

import pytest
import pytest_asyncio

from tests.reconciled import silence
from tests.stack import running_stack


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


@pytest_asyncio.fixture
async def strict_stack(dev_server, tmp_path):
    """One retry and no grace; what is not paid then is unpaid, its key kept."""
    policy = {"retry_after_days": (1,), "grace_days": 0, "dunning_end_action": "unpaid"}
    async with running_stack(dev_server.client, tmp_path, **policy) as running:
        yield running
