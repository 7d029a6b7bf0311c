"""One merchant in virtual time, for tests that tell one life of it."""

import pytest

from chaos.machine.world import World


@pytest.fixture
def world():
    """One merchant."""
    made = World()
    yield made
    made.close()
