import pytest_asyncio

from tests.stack import running_stack


@pytest_asyncio.fixture
async def strict_stack(dev_server, tmp_path):
    """One retry and no grace; what is not paid then is unpaid, its key kept."""
    policy = {"retry_after_days": (1,), "grace_days": 0, "dunning_end_action": "unpaid"}
    async with running_stack(dev_server.client, tmp_path, **policy) as running:
        yield running
