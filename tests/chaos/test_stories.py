"""The stories of `gudok chaos stories`: two mishaps at once, against what was promised."""

import pytest

from chaos.stories import STORIES
from chaos.telling import BrokenPromiseError, Story, require, told

LONG = {
    "never-revoked",
    "never-registered",
    "ready-for-ever",
    "twenty-seven-numbers",
    "undeletable-key",
    "paused-to-the-end-of-time",
    "paused-until-9999",
    "terminated-and-started-again",
}
"""What takes more than ten seconds, or says the same once more."""


def _case(story):
    marks = [pytest.mark.soak] if story.name in LONG else []
    return pytest.param(story, id=story.name, marks=marks)


@pytest.mark.parametrize("story", [_case(story) for story in STORIES])
async def test_a_promise_outlives_two_mishaps(dev_server, story):
    came = await told(story, dev_server.client)
    assert came.kept, "\n".join([story.promise, came.broken or "", *came.lines])


def test_every_story_has_a_name_and_each_row_of_the_table_has_one():
    names = [story.name for story in STORIES]
    assert len(set(names)) == len(names)
    assert {story.row for story in STORIES} == set(range(1, 12))
    assert set(names) >= LONG


async def test_a_story_whose_promise_is_broken_says_what_came_instead(dev_server):
    async def breaks(world):
        call = await world.start("breaks_its_promise")
        require(call.status == 402, f"the start was answered {call.status}")

    came = await told(Story("breaks", 0, "a start is refused", breaks), dev_server.client)
    assert not came.kept
    assert came.broken == "the start was answered 201"
    assert "POST /v1/subscriptions" in came.lines[0]


def test_a_promise_that_is_not_kept_raises():
    with pytest.raises(BrokenPromiseError, match="came instead"):
        require(False, "came instead")
