import pytest_asyncio

from tests.api.requests import traces
from tests.stack import running_stack


@pytest_asyncio.fixture(scope="module")
async def _shared_stack(dev_server, tmp_path_factory):
    async with running_stack(dev_server.client, tmp_path_factory.mktemp("idle")) as running:
        yield running


@pytest_asyncio.fixture
async def idle_stack(_shared_stack):
    """One stack for many refusals: each leaves it as it found it, and one that does not spoils no other test."""
    _shared_stack.before = await traces(_shared_stack)
    return _shared_stack
