import pytest_asyncio

from tests.stack import running_stack


@pytest_asyncio.fixture(scope="module")
async def idle_stack(dev_server, tmp_path_factory):
    """One stack for many refusals: a request that is refused leaves it as it was."""
    async with running_stack(dev_server.client, tmp_path_factory.mktemp("idle")) as running:
        yield running
